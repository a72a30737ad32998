/**
 * How old the store is, in milliseconds of a clock that nobody sets: what deadlines and retention are reckoned by over a restart.
 * Within one boot of the machine it is its monotonic clock, whatever became of the wall clock. Over a boot only the wall clock tells
 * how long the machine was off: it is believed forwards, never backwards, and never for less than the machine is up again.
 */
import { readFileSync } from 'node:fs';

/** As the machine tells it at one instant. */
export interface MachineTime {
  /** Undefined where the system has none: then every start is taken for a boot. */
  readonly bootId: string | undefined;
  /** Of the monotonic clock, which begins at the boot. */
  readonly bootMs: number;
  readonly wallMs: number;
}

/** A machine's time, and what the age was then. */
export interface Anchor extends MachineTime {
  readonly ageMs: number;
}

/** For as long as the machine is up it is the same. */
const BOOT_ID = readBootId('/proc/sys/kernel/random/boot_id');
const NS_PER_MS = 1_000_000n;

function readBootId(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return undefined;
  }
}

export function readMachineTime(): MachineTime {
  const bootMs = Number(process.hrtime.bigint() / NS_PER_MS);
  return { bootId: BOOT_ID, bootMs, wallMs: Date.now() };
}

/** Pure. */
export function ageAt(anchor: Anchor | undefined, now: MachineTime): number {
  if (anchor === undefined) return 0;
  if (now.bootId !== undefined && now.bootId === anchor.bootId)
    return anchor.ageMs + Math.max(0, now.bootMs - anchor.bootMs);
  return anchor.ageMs + Math.max(now.bootMs, now.wallMs - anchor.wallMs);
}

/** The age while the store is open. */
export class PileAge {
  readonly #readTime: () => MachineTime;
  readonly #opened: Anchor;

  constructor(last: Anchor | undefined, readTime: () => MachineTime = readMachineTime) {
    this.#readTime = readTime;
    const now = readTime();
    this.#opened = { ...now, ageMs: ageAt(last, now) };
  }

  ms(): number {
    return this.anchor().ageMs;
  }

  anchor(): Anchor {
    const now = this.#readTime();
    return { ...now, ageMs: this.#opened.ageMs + Math.max(0, now.bootMs - this.#opened.bootMs) };
  }
}
