/** Reads the password for a broker of firmware from the file that the configuration names. */
import { readFileSync } from 'node:fs';
import { FirmwareError } from '@plugpool/firmware-bridge';

/** Throws a `FirmwareError` where the file cannot be read. */
export function passwordIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FirmwareError('invalid_file', why, 'Check passwordFile of the EVerest firmware', {
      cause: error,
    });
  }
}
