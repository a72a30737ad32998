/** One timer for many things that are due at some time: it goes off at the soonest, and is then planned anew. */
import type { Clock } from './ports.ts';

export class SoonestTimer {
  readonly #clock: Clock;
  readonly #goOff: () => void;
  #planned: { readonly atMonoMs: number; readonly cancel: () => void } | undefined;

  constructor(clock: Clock, goOff: () => void) {
    this.#clock = clock;
    this.#goOff = goOff;
  }

  /** Nothing changes where it goes off sooner already. */
  noLaterThan(atMonoMs: number): void {
    if (this.#planned !== undefined && this.#planned.atMonoMs <= atMonoMs) return;
    this.cancel();
    const cancel = this.#clock.setTimer(atMonoMs - this.#clock.monoMs(), () => {
      this.#planned = undefined;
      this.#goOff();
    });
    this.#planned = { atMonoMs, cancel };
  }

  cancel(): void {
    this.#planned?.cancel();
    this.#planned = undefined;
  }
}
