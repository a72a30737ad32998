/**
 * Which statements of a departure are statements. In one public set a third of them are exactly 8 hours, what the form says
 * where nobody changes it; other forms have other defaults, and give themselves away by being said too often.
 */
import { DWELL_STATED_DURATIONS_MAX } from '../limits.ts';
import { HOUR_MS, MINUTE_MS } from './time-bins.ts';

const FORM_DEFAULT_MIN = (8 * HOUR_MS) / MINUTE_MS;
/** Before so many statements were heard, no value is said too often. */
const HEARD_MIN = 20;
/** Of the statements heard, in which one value is a default: people who think of their own day agree less. */
const SHARE_MAX = 0.2;

export class StatedDurations {
  /** How often each was stated, in whole minutes from plugging in. */
  readonly #times = new Map<number, number>();
  #heard = 0;

  learn(statedMs: number): void {
    const minutes = Math.round(statedMs / MINUTE_MS);
    const times = this.#times.get(minutes) ?? 0;
    // Which is the rarest is not kept: whatever is said often comes again after the others are forgotten.
    if (times === 0 && this.#times.size >= DWELL_STATED_DURATIONS_MAX) this.#forgetRare();
    this.#times.set(minutes, times + 1);
    this.#heard += 1;
  }

  /** The statement, from plugging in, or undefined where it is a default or not after plugging in. */
  believed(statedMs: number | undefined): number | undefined {
    if (statedMs === undefined || !(statedMs > 0) || this.#isDefault(statedMs)) return undefined;
    return statedMs;
  }

  #isDefault(statedMs: number): boolean {
    const minutes = Math.round(statedMs / MINUTE_MS);
    if (minutes === FORM_DEFAULT_MIN) return true;
    return this.#heard >= HEARD_MIN && (this.#times.get(minutes) ?? 0) > SHARE_MAX * this.#heard;
  }

  #forgetRare(): void {
    const often = [...this.#times].filter(([, times]) => times > SHARE_MAX * 0.1 * this.#heard);
    this.#times.clear();
    for (const [minutes, times] of often) this.#times.set(minutes, times);
  }
}
