/** What reading a recording of firmware gives, whatever its form; types, and the error that names a line. */
import { FirmwareError } from './firmware-error.ts';
import type { FirmwareEvent, Pseudonymize } from './port.ts';

export type RecordingFormat = 'ocpp16' | 'ocpp201' | 'everest' | 'gbt27930' | 'sessions';

export interface RecordingOptions {
  /** The station of the recording's connectors, where the recording does not name one. */
  readonly station: string;
  readonly pseudonymize: Pseudonymize;
}

/**
 * The events that the production adapter would have told, in order; `at` is the recording's own time. It reads as it goes, and
 * throws `RecordingError` at the first line that it cannot read, after what came before it was told.
 */
export type ReadRecording = (file: string, options: RecordingOptions) => AsyncIterable<FirmwareEvent>;

export class RecordingError extends FirmwareError {
  /** From 1 on. */
  readonly line: number;

  constructor(line: number, message: string, hint: string, options?: ErrorOptions) {
    super('invalid_file', `line ${line}: ${message}`, hint, options);
    this.name = 'RecordingError';
    this.line = line;
  }

  /** The same of a file beside the one that was named. */
  in(file: string): this {
    this.message = `${file}, ${this.message}`;
    return this;
  }
}
