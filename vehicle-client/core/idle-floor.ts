/**
 * What the machine takes while it does next to nothing: the least that it took in any of the latest stretches.
 *
 * A stretch in which runs computed may lower the floor, and never replaces what was seen without them: under a load that lasts
 * the floor would otherwise rise to the load. Buckets of time let a floor go that is no longer true (a cold morning, a screen
 * that was off).
 */

/** Shorter ones say more of the counter's steps than of the machine. */
export const FLOOR_STRETCH_MIN_MS = 250;
const BUCKET_MS = 300_000;
/** An hour in which nothing of ours computed. */
export const FLOOR_BUCKETS_MAX = 12;

interface Bucket {
  readonly beganMonoMs: number;
  leastMw: number;
}

export interface PowerStretch {
  readonly endedMonoMs: number;
  readonly lengthMs: number;
  readonly powerMw: number;
  /** Nothing of ours computed. */
  readonly isUndisturbed: boolean;
}

export class IdleFloor {
  #buckets: readonly Bucket[] = [];

  /** Undefined until the machine was seen without runs. */
  get powerMw(): number | undefined {
    return this.#buckets.length === 0 ? undefined : Math.min(...this.#buckets.map(({ leastMw }) => leastMw));
  }

  saw({ endedMonoMs, lengthMs, powerMw, isUndisturbed }: PowerStretch): void {
    if (lengthMs < FLOOR_STRETCH_MIN_MS) return;
    const latest = this.#buckets.at(-1);
    if (latest !== undefined && (!isUndisturbed || endedMonoMs - latest.beganMonoMs < BUCKET_MS)) {
      latest.leastMw = Math.min(latest.leastMw, powerMw);
    } else if (isUndisturbed) {
      const bucket = { beganMonoMs: endedMonoMs, leastMw: powerMw };
      this.#buckets = [...this.#buckets, bucket].slice(-FLOOR_BUCKETS_MAX);
    }
  }
}
