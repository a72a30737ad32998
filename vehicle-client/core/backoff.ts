/** How long to wait before the next try to connect: full jitter between two bounds, as a pure iterable. */

export interface BackoffBounds {
  readonly minMs: number;
  readonly maxMs: number;
}

export const RECONNECT_BACKOFF: BackoffBounds = { minMs: 200, maxMs: 30_000 };

/**
 * Delays without end. Each lies between `minMs` and a ceiling that doubles up to `maxMs`; where in between is left to
 * `random` (0 ≤ x < 1), so that fifty vehicles which lose one pile together do not come back together.
 */
export function* backoffDelaysMs(
  random: () => number,
  bounds: BackoffBounds = RECONNECT_BACKOFF,
): Generator<number, never> {
  let ceilingMs = Math.min(bounds.maxMs, bounds.minMs * 2);
  for (;;) {
    yield bounds.minMs + Math.floor(random() * (ceilingMs - bounds.minMs));
    ceilingMs = Math.min(bounds.maxMs, ceilingMs * 2);
  }
}
