/** How many CAN frames a second become a session's story: text of candump in, events out, on one core. */
import type { ConnectorId } from '@plugpool/proto';
import { BoundedLines } from '../firmware-bridge/bounded-lines.ts';
import { LINE_CHARS_MAX, parseCandumpLine } from '../firmware-bridge/gbt27930/candump-line.ts';
import { Gbt27930Decoder } from '../firmware-bridge/gbt27930/decoder.ts';
import { Gbt27930Story } from '../firmware-bridge/gbt27930/story.ts';
import { createPseudonymizer } from '../firmware-bridge/index.ts';
import { Gbt27930Bus } from '../test/conformance/gbt27930-bus.ts';
import { numbersFrom } from './options.ts';

/** What a pipe hands over at once. */
const CHUNK_BYTES = 65_536;
const VIN = 'LSVAA49J132047371';
const WARM_UP_FRAMES = 300_000;

interface Figures {
  readonly frames: number;
  readonly events: number;
  readonly framesPerSec: number;
  readonly cpuUsPerFrame: number;
}

/** A whole session of ten minutes, as often as it takes. */
function session(): Buffer {
  const bus = new Gbt27930Bus('can0').handshake(VIN);
  for (let minute = 0; minute < 10; minute += 1)
    bus.charge(60_000, { socPct: 40 + minute, currentA: 100 - minute });
  return Buffer.from(bus.bst(0x01).cst(0x40).wait(250).bsd(50).csd(4_200).take());
}

class Listened {
  readonly #lines = new BoundedLines(LINE_CHARS_MAX);
  readonly #decoder = new Gbt27930Decoder(createPseudonymizer(new Uint8Array(16)));
  readonly #story = new Gbt27930Story({ connectorId: 'pile/1/1' as ConnectorId });
  /** The bus's own time goes back at each repetition; ours goes on. */
  #startMs = 0;
  frames = 0;
  events = 0;

  hear(text: Buffer): void {
    let atMs = 0;
    for (let start = 0; start < text.length; start += CHUNK_BYTES) {
      for (const line of this.#lines.push(text.subarray(start, start + CHUNK_BYTES))) {
        const parsed = parseCandumpLine(line);
        if (parsed.kind !== 'frame') continue;
        this.frames += 1;
        atMs = this.#startMs + parsed.frame.atMs;
        const heard = this.#decoder.take(parsed.frame, atMs);
        if (heard !== undefined) this.events += this.#story.hear(heard, atMs).length;
      }
    }
    this.#startMs = atMs;
  }
}

function measure(framesWanted: number): Figures {
  const text = session();
  const listened = new Listened();
  while (listened.frames < WARM_UP_FRAMES) listened.hear(text);
  const before = { frames: listened.frames, events: listened.events };
  const cpu = process.cpuUsage();
  const beganMs = performance.now();
  while (listened.frames - before.frames < framesWanted) listened.hear(text);
  const tookMs = performance.now() - beganMs;
  const { user, system } = process.cpuUsage(cpu);
  const frames = listened.frames - before.frames;
  return {
    frames,
    events: listened.events - before.events,
    framesPerSec: Math.round((frames / tookMs) * 1000),
    cpuUsPerFrame: (user + system) / frames,
  };
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { frames } = numbersFrom(args, { frames: 2_000_000 });
  const figures = measure(frames);
  if (json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  else {
    const { framesPerSec, cpuUsPerFrame, events } = figures;
    process.stdout.write(
      `${figures.frames} frames, ${events} events: ${framesPerSec} frames a second, ${cpuUsPerFrame.toFixed(2)} µs of CPU each\n`,
    );
  }
}
