/** A token bucket: how often something may happen, with a burst; time is handed in. */

export interface TokenBucketOptions {
  readonly burst: number;
  readonly perSecond: number;
}

export class TokenBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #level: number;
  #filledAtMs: number;

  constructor(options: TokenBucketOptions, nowMs: number) {
    this.#burst = options.burst;
    this.#perMs = options.perSecond / 1000;
    this.#level = options.burst;
    this.#filledAtMs = nowMs;
  }

  /** Fills up to now; returns the tokens there are. */
  fill(nowMs: number): number {
    this.#level = Math.min(this.#burst, this.#level + (nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = nowMs;
    return this.#level;
  }

  /** Takes one token of those that the last `fill` left. */
  take(): boolean {
    if (this.#level < 1) return false;
    this.#level -= 1;
    return true;
  }
}
