/** The clocks of one machine of a simulated world: one that only runs on, and drifts, and one that somebody may set. */
import type { Agenda } from './agenda.ts';

export class MachineClock {
  readonly #agenda: Agenda;
  readonly #rate: number;
  readonly #bornMs: number;
  #wallOffsetMs: number;
  /** How far the wall clock was ever set, in all. */
  jumpedMs = 0;

  /** `driftPpm`: how much faster than true time it runs. */
  constructor(agenda: Agenda, driftPpm: number, wallMs: number) {
    this.#agenda = agenda;
    this.#rate = 1 + driftPpm / 1e6;
    this.#bornMs = agenda.nowMs;
    this.#wallOffsetMs = wallMs;
  }

  /** Since the machine was started. */
  monoMs(): number {
    return (this.#agenda.nowMs - this.#bornMs) * this.#rate;
  }

  /** Whole milliseconds, as `Date.now()` gives them. */
  wallMs(): number {
    return Math.floor(this.monoMs() + this.#wallOffsetMs);
  }

  now(): { readonly monoMs: number; readonly wallMs: number } {
    return { monoMs: this.monoMs(), wallMs: this.wallMs() };
  }

  /** What this machine's wall clock will show at a true time, as long as nobody sets it. */
  wallAt(trueMs: number): number {
    return (trueMs - this.#bornMs) * this.#rate + this.#wallOffsetMs;
  }

  jump(ms: number): void {
    this.#wallOffsetMs += ms;
    this.jumpedMs += Math.abs(ms);
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    // Never a moment early, as a timer of a real machine mostly is not.
    return this.#agenda.after(Math.max(0, delayMs) / this.#rate + 0.001, callback);
  }
}
