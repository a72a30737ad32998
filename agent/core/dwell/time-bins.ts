/** Bins of time that grow with it: minutes matter after minutes, hours after hours. */

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** A longer stay is a car that was left, or an end that was missed: nothing is learned from it. */
export const STAY_MAX_MS = 14 * DAY_MS;

/** From 0 on, each bin `growth` times the one before, up to the widest allowed where it begins. */
export function growingEdges(
  firstMs: number,
  growth: number,
  widestMs: (atMs: number) => number,
  untilMs: number,
): Float64Array {
  const edges = [0];
  for (let atMs = 0, widthMs = firstMs; atMs < untilMs; widthMs *= growth) {
    atMs += Math.min(widthMs, widestMs(atMs));
    edges.push(atMs);
  }
  return Float64Array.from(edges);
}

export function wholeMinutes(edgesMs: Float64Array): Float64Array {
  return edgesMs.map((ms) => Math.round(ms / MINUTE_MS) * MINUTE_MS);
}

/** Finds the bin of a duration by looking up its minute. */
export class TimeBins {
  readonly count: number;
  readonly #ofMinute: Uint8Array;

  /** `edgesMs` begins with 0 and has at most 255 edges, each of whole minutes; what lies beyond is in the last. */
  constructor(edgesMs: ArrayLike<number>) {
    this.count = edgesMs.length;
    this.#ofMinute = new Uint8Array(Math.ceil((edgesMs[edgesMs.length - 1] ?? 0) / MINUTE_MS) + 1);
    for (let bin = 0; bin < edgesMs.length; bin += 1)
      this.#ofMinute.fill(bin, Math.round((edgesMs[bin] ?? 0) / MINUTE_MS));
  }

  of(ms: number): number {
    if (!(ms > 0)) return 0;
    return this.#ofMinute[Math.min(this.#ofMinute.length - 1, Math.floor(ms / MINUTE_MS))] ?? 0;
  }
}
