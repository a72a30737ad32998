/**
 * What the machine takes while it does next to nothing: the least that it took in any of the latest stretches at rest.
 *
 * A stretch in which something computed may lower the floor, and never takes the place of one at rest: under a load that lasts
 * the floor would otherwise rise to the load. Buckets of time let a floor go that is no longer true (a cold morning, a screen
 * that was off).
 */

/** Shorter ones say more of the counter's steps than of the machine. */
const FLOOR_STRETCH_MIN_MS = 250;
const BUCKET_MS = 300_000;
/** An hour at rest. */
const FLOOR_BUCKETS_MAX = 12;

interface Bucket {
  readonly beganMonoMs: number;
  leastMw: number;
}

export interface PowerStretch {
  readonly endedMonoMs: number;
  readonly lengthMs: number;
  readonly powerMw: number;
  /** Next to nothing computed, ours or the owner's. */
  readonly isAtRest: boolean;
}

export class IdleFloor {
  #buckets: readonly Bucket[] = [];

  /** Undefined until the machine was seen at rest. */
  get powerMw(): number | undefined {
    return this.#buckets.length === 0 ? undefined : Math.min(...this.#buckets.map(({ leastMw }) => leastMw));
  }

  saw({ endedMonoMs, lengthMs, powerMw, isAtRest }: PowerStretch): void {
    if (lengthMs < FLOOR_STRETCH_MIN_MS) return;
    const latest = this.#buckets.at(-1);
    if (latest !== undefined && (!isAtRest || endedMonoMs - latest.beganMonoMs < BUCKET_MS)) {
      latest.leastMw = Math.min(latest.leastMw, powerMw);
    } else if (isAtRest) {
      const bucket = { beganMonoMs: endedMonoMs, leastMw: powerMw };
      this.#buckets = [...this.#buckets, bucket].slice(-FLOOR_BUCKETS_MAX);
    }
  }
}
