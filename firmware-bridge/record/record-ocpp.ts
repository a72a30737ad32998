/** Writes down the frames of piles that speak OCPP, as the relay's tap tells them, in the form that `read-recording.ts` reads. */
import type { Duplex } from 'node:stream';
import { systemClock, type FirmwareClock } from '../clock.ts';
import { CALL, CALL_ERROR, CALL_RESULT, CALL_RESULT_ERROR, SEND } from '../ocpp/frame.ts';
import { TapLink } from '../ocpp/tap-link.ts';
import type { OcppSubprotocol, TapLine } from '../ocpp/tap.ts';
import { createMask, type MaskValue } from './mask-values.ts';
import { aborted, type Recorder, type RecordSink } from './recorder.ts';

export interface RecordOcppOptions {
  readonly tapPath: string;
  /** Frames of piles that speak another version are left out. */
  readonly subprotocols: readonly OcppSubprotocol[];
  readonly connect?: ((path: string) => Duplex) | undefined;
  readonly clock?: FirmwareClock | undefined;
  readonly mask?: MaskValue | undefined;
}

/** What the relay remembers of before is written first, in the order of its times: at most as much as it keeps. */
const RECALLED_MAX = 100_000;

export function createOcppRecorder(options: RecordOcppOptions): Recorder {
  return {
    async run(sink, signal) {
      const written = new WrittenTap(sink, options.subprotocols, options.mask ?? createMask());
      const link = new TapLink({
        path: options.tapPath,
        connect: options.connect,
        clock: options.clock ?? systemClock,
        onLine: (line) => written.take(line),
        onLost: (why) => written.lost(why),
      });
      link.start();
      const end = await aborted(signal);
      await link.stop();
      return end;
    },
  };
}

type Frame = Extract<TapLine, { t: 'frame' }>;
type Pile = Extract<TapLine, { t: 'pile' }>;

class WrittenTap {
  readonly #sink: RecordSink;
  readonly #subprotocols: readonly OcppSubprotocol[];
  readonly #mask: MaskValue;
  readonly #piles = new Map<string, { readonly isWanted: boolean; readonly link: 'up' | 'down' }>();
  #recalled: (Frame | Pile)[] = [];
  #isLive = false;
  #lastWallMs = 0;

  constructor(sink: RecordSink, subprotocols: readonly OcppSubprotocol[], mask: MaskValue) {
    this.#sink = sink;
    this.#subprotocols = subprotocols;
    this.#mask = mask;
  }

  take(line: TapLine): void {
    if (line.t === 'recalledAll') return this.#endRecall();
    if (line.t !== 'frame' && line.t !== 'pile') return;
    if (this.#isLive && line.t === 'frame' && line.recalled === true) return;
    if (this.#isLive) return this.#write(line);
    if (this.#recalled.length < RECALLED_MAX) this.#recalled.push(line);
  }

  /** What was written stays; what the relay recalls when it is back was written already. */
  lost(why: string): void {
    this.#sink.problem(`the relay is not reached: ${why}`);
  }

  #endRecall(): void {
    const recalled = this.#recalled;
    this.#recalled = [];
    this.#isLive = true;
    for (const pile of recalled)
      if (pile.t === 'pile') this.#write({ ...pile, atWallMs: pile.upSinceWallMs ?? 0 });
    for (const line of recalled.filter(isFrame).sort((a, b) => a.atWallMs - b.atWallMs)) this.#write(line);
  }

  #write(line: Frame | Pile): void {
    if (line.t === 'pile') this.#writeLink(line);
    else if (this.#piles.get(line.pile)?.isWanted === true) this.#writeFrame(line);
  }

  #writeLink({ pile, link, subprotocol, atWallMs }: Pile): void {
    const isWanted = this.#subprotocols.includes(subprotocol);
    const before = this.#piles.get(pile);
    this.#piles.set(pile, { isWanted, link });
    if (!isWanted) return this.#sink.problem(`${pile} speaks ${subprotocol}`);
    // The relay says a pile again when its way to the CSMS changed.
    if (before?.link === link || (before === undefined && link === 'down')) return;
    const at = new Date(atWallMs).toISOString();
    this.#sink.link(JSON.stringify({ at, pile, event: link === 'up' ? 'open' : 'cut' }));
  }

  #writeFrame({ pile, from, text, atWallMs }: Frame): void {
    const frame = this.#maskedFrame(text);
    if (frame === undefined) return this.#sink.problem('a message is no frame of OCPP');
    // Two piles' frames may cross on their way; the form has them in order.
    this.#lastWallMs = Math.max(this.#lastWallMs, atWallMs);
    const at = new Date(this.#lastWallMs).toISOString();
    this.#sink.line(JSON.stringify({ at, pile, from, frame }));
  }

  /** Of a frame the id and the action stay; what an error says in words does not. */
  #maskedFrame(text: string): readonly unknown[] | undefined {
    const frame = parsed(text);
    if (!Array.isArray(frame) || frame.length < 3) return undefined;
    const [type, id, third, fourth, fifth] = frame as readonly unknown[];
    switch (type) {
      case CALL:
      case SEND:
        return [type, id, third, this.#mask(fourth)];
      case CALL_RESULT:
        return [type, id, this.#mask(third)];
      case CALL_ERROR:
      case CALL_RESULT_ERROR:
        return [type, id, third, '', this.#mask(fifth ?? {})];
      default:
        return undefined;
    }
  }
}

function isFrame(line: Frame | Pile): line is Frame {
  return line.t === 'frame';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
