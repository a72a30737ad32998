/** Reads a recording of `candump -L` into the events that the adapter would have told; its interfaces are EVSE 1, 2 … as they first speak. */
import type { ConnectorId } from '@plugpool/proto';
import { parseConnectorId } from '../connector-id.ts';
import type { FirmwareFact } from '../firmware-fact.ts';
import type { FirmwareEvent } from '../port.ts';
import { RecordingError } from '../recording.ts';
import type { ReadRecording, RecordingOptions } from '../recording.ts';
import { recordingLines } from '../recording-lines.ts';
import { LINE_CHARS_MAX, parseCandumpLine } from './candump-line.ts';
import type { CanFrame } from './candump-line.ts';
import { Gbt27930Decoder } from './decoder.ts';
import { Gbt27930Story } from './story.ts';

/** More than any station has outlets; each holds one unfinished message of either side. */
const BUSES_MAX = 64;

/** The bus is silent after the last frame of the file: the last event is `linkLost`. */
export const readGbt27930Recording: ReadRecording = async function* (file, options) {
  const recording = new Recording(options);
  for await (const { number: line, text } of recordingLines(file, LINE_CHARS_MAX)) {
    const parsed = parseCandumpLine(text);
    if (parsed.kind === 'unreadable') {
      throw new RecordingError(
        line,
        parsed.why,
        'Record with candump -L (the log form): (seconds) interface identifier#data',
      );
    }
    if (parsed.kind === 'frame') yield* recording.hear(parsed.frame, line);
  }
  yield* recording.end();
};

interface Bus {
  readonly decoder: Gbt27930Decoder;
  readonly story: Gbt27930Story;
}

class Recording {
  readonly #options: RecordingOptions;
  readonly #buses = new Map<string, Bus>();
  /** Of the latest frame: time goes on alike on every bus, and never back. */
  #nowMs = 0;

  constructor(options: RecordingOptions) {
    this.#options = options;
  }

  *hear(frame: CanFrame, line: number): Generator<FirmwareEvent> {
    this.#nowMs = Math.max(this.#nowMs, frame.atMs);
    for (const { story } of this.#buses.values()) yield* untilDue(story, this.#nowMs);
    const { decoder, story } = this.#busOf(frame.bus, line);
    const heard = decoder.take(frame, this.#nowMs);
    if (heard !== undefined) yield* stamped(story.hear(heard, this.#nowMs), this.#nowMs);
  }

  *end(): Generator<FirmwareEvent> {
    for (const { story } of this.#buses.values()) yield* untilDue(story, Infinity);
  }

  #busOf(name: string, line: number): Bus {
    const known = this.#buses.get(name);
    if (known !== undefined) return known;
    if (this.#buses.size >= BUSES_MAX) {
      throw new RecordingError(
        line,
        `there are more than ${BUSES_MAX} interfaces`,
        'Record those of one station',
      );
    }
    const connectorId: ConnectorId = parseConnectorId(String(this.#buses.size + 1), this.#options.station);
    const bus = {
      decoder: new Gbt27930Decoder(this.#options.pseudonymize),
      story: new Gbt27930Story({ connectorId }),
    };
    this.#buses.set(name, bus);
    return bus;
  }
}

/** What silence has come to mean by `nowMs`, each at its own time. */
function* untilDue(story: Gbt27930Story, nowMs: number): Generator<FirmwareEvent> {
  for (let dueMs = story.nextDueMs(); dueMs !== undefined && dueMs <= nowMs; dueMs = story.nextDueMs()) {
    yield* stamped(story.pass(dueMs), dueMs);
  }
}

function* stamped(facts: readonly FirmwareFact[], atMs: number): Generator<FirmwareEvent> {
  for (const fact of facts) yield { ...fact, at: { sourceWallMs: atMs, receivedWallMs: atMs } };
}
