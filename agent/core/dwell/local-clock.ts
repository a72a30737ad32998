/** The clock on the wall where the pile stands: people leave by it, and it is set twice a year. */
import { LOCAL_OFFSETS_MAX } from '../limits.ts';
import { HOUR_MS, MINUTE_MS } from './time-bins.ts';

/** Clocks are set at a quarter of an hour of UTC, wherever they are set. */
const QUARTER_MS = 15 * MINUTE_MS;
/** What a `Date` can say, less a day: beyond it there is no local time. */
const WALL_MS_MAX = 8_640_000_000_000_000 - 24 * HOUR_MS;
/** Longer ago offsets had seconds. */
const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::\d\d)?)?$/;

export class LocalClock {
  readonly #format: Intl.DateTimeFormat | undefined;
  /** By quarter of an hour: asking costs more than all the rest of a question. */
  readonly #offsetsMs = new Map<number, number>();

  /** An IANA name, or an offset such as `+09:00`. */
  constructor(timeZone: string) {
    if (timeZone === 'UTC') return;
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  }

  /** So many milliseconds as if the clock on the wall were UTC. */
  localMs(wallMs: number): number {
    return wallMs + this.#offsetMs(wallMs);
  }

  #offsetMs(wallMs: number): number {
    if (this.#format === undefined || !(Math.abs(wallMs) <= WALL_MS_MAX)) return 0;
    const quarter = Math.floor(wallMs / QUARTER_MS);
    const known = this.#offsetsMs.get(quarter);
    if (known !== undefined) return known;
    const offsetMs = parseOffsetMs(this.#format.format(quarter * QUARTER_MS));
    this.#remember(quarter, offsetMs);
    return offsetMs;
  }

  #remember(quarter: number, offsetMs: number): void {
    const [oldest] = this.#offsetsMs.keys();
    if (oldest !== undefined && this.#offsetsMs.size >= LOCAL_OFFSETS_MAX) this.#offsetsMs.delete(oldest);
    this.#offsetsMs.set(quarter, offsetMs);
  }
}

function parseOffsetMs(text: string): number {
  const [, sign, hours = 0, minutes = 0] = OFFSET.exec(text) ?? [];
  const offsetMs = Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS;
  return sign === '-' ? -offsetMs : offsetMs;
}
