/** A clock that stands still until it is advanced: what tests and simulations give to an adapter. */
import { TIMER_MS_MAX } from './clock.ts';
import type { FirmwareClock } from './clock.ts';

interface Timer {
  readonly atMonoMs: number;
  readonly fire: () => void;
}

export class SteppedClock implements FirmwareClock {
  #monoMs = 0;
  #wallMs: number;
  #timers: Timer[] = [];

  constructor(startWallMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = startWallMs;
  }

  nowWallMs(): number {
    return this.#wallMs;
  }

  nowMonoMs(): number {
    return this.#monoMs;
  }

  setTimer(delayMs: number, fire: () => void): () => void {
    if (!(delayMs <= TIMER_MS_MAX))
      throw new RangeError(`a timer of ${delayMs} ms is longer than ${TIMER_MS_MAX} ms`);
    const timer = { atMonoMs: this.#monoMs + Math.max(0, delayMs), fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers that are still to fire. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Sets the wall clock, as an operator or NTP would; timers do not notice. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** Fires every timer that falls due within `byMs`, in order, each at its own time. */
  advance(byMs: number): void {
    const untilMonoMs = this.#monoMs + byMs;
    for (let timer = this.#takeDue(untilMonoMs); timer !== undefined; timer = this.#takeDue(untilMonoMs)) {
      this.#moveTo(timer.atMonoMs);
      timer.fire();
    }
    this.#moveTo(untilMonoMs);
  }

  /** Goes from timer to timer until none is left; throws after `firesMax`, for a source that never ends. */
  drain(firesMax = 1_000_000): void {
    for (let fires = 0; this.#timers.length > 0; fires++) {
      if (fires >= firesMax) throw new Error(`timers were still being set after ${firesMax} had fired`);
      const next = Math.min(...this.#timers.map((timer) => timer.atMonoMs));
      this.advance(Math.max(0, next - this.#monoMs));
    }
  }

  #takeDue(untilMonoMs: number): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMonoMs <= untilMonoMs && (earliest === undefined || timer.atMonoMs < earliest.atMonoMs)) {
        earliest = timer;
      }
    }
    if (earliest !== undefined) this.#timers = this.#timers.filter((other) => other !== earliest);
    return earliest;
  }

  #moveTo(monoMs: number): void {
    const byMs = Math.max(0, monoMs - this.#monoMs);
    this.#monoMs += byMs;
    this.#wallMs += byMs;
  }
}
