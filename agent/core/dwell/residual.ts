/** How long a stay still lasts, as a survival curve from now on. */
import { DAY_MS, growingEdges, HOUR_MS, MINUTE_MS, STAY_MAX_MS } from './time-bins.ts';

/** Immutable. */
export interface Residual {
  /** P(residual dwell ≥ ms): 1 at 0, never rises. */
  survives(ms: number): number;
  /** The largest ms with survives(ms) ≥ p; Infinity for p = 0. */
  longestMs(p: number): number;
  /** E[min(residual, ms)]: what a run of that length is expected to occupy. */
  meanUntilMs(ms: number): number;
  /** Departures a ms of those that are still there after ms. */
  hazardPerMs(ms: number): number;
}

function widestMs(atMs: number): number {
  if (atMs < 18 * HOUR_MS) return 15 * MINUTE_MS;
  if (atMs < 36 * HOUR_MS) return HOUR_MS;
  return atMs < 4 * DAY_MS ? 4 * HOUR_MS : DAY_MS;
}

/** From now on; the hazard between two of these is constant, and goes on after the last. */
export const LEAD_EDGES_MS = growingEdges(MINUTE_MS, 1.2, widestMs, STAY_MAX_MS);
const LAST = LEAD_EDGES_MS.length - 1;

/** Where the curve is given by its cumulative hazard at each of `LEAD_EDGES_MS`: S = exp(−H). */
export class CurveResidual implements Residual {
  /** In single precision: every donor keeps one, and no probability is known to seven digits. */
  readonly #cumulated: Float32Array;

  /** E[min(residual, edge)], once somebody asked. */
  #meansMs: Float64Array | undefined;

  /** `cumulated` begins with 0 and never falls. */
  constructor(cumulated: Float64Array) {
    this.#cumulated = new Float32Array(cumulated);
  }

  survives(ms: number): number {
    return Math.exp(-this.#cumulatedAt(ms));
  }

  longestMs(p: number): number {
    if (!(p > 0)) return Infinity;
    const bound = -Math.log(Math.min(1, p));
    const segment = lastNotAbove(this.#cumulated, bound);
    const slope = this.#slope(segment);
    // Where nobody leaves any more, the curve never falls to p.
    if (slope === 0) return segment >= LAST ? Infinity : edge(segment + 1);
    return edge(segment) + (bound - this.#at(segment)) / slope;
  }

  meanUntilMs(ms: number): number {
    if (!(ms > 0)) return 0;
    const segment = segmentOf(ms);
    this.#meansMs ??= this.#meansAtEdges();
    return (this.#meansMs[segment] ?? 0) + this.#meanWithin(segment, ms - edge(segment));
  }

  #meansAtEdges(): Float64Array {
    const means = new Float64Array(LEAD_EDGES_MS.length);
    for (let segment = 0; segment < LAST; segment += 1)
      means[segment + 1] =
        (means[segment] ?? 0) + this.#meanWithin(segment, edge(segment + 1) - edge(segment));
    return means;
  }

  #meanWithin(segment: number, durationMs: number): number {
    return meanOfSegment(Math.exp(-this.#at(segment)), this.#slope(segment), durationMs);
  }

  hazardPerMs(ms: number): number {
    return this.#slope(segmentOf(Math.max(0, ms)));
  }

  #cumulatedAt(ms: number): number {
    if (!(ms > 0)) return 0;
    const segment = segmentOf(ms);
    const slope = this.#slope(segment);
    return slope === 0 ? this.#at(segment) : this.#at(segment) + slope * (ms - edge(segment));
  }

  #at(index: number): number {
    return this.#cumulated[index] ?? 0;
  }

  #slope(segment: number): number {
    const from = Math.min(segment, LAST - 1);
    return (this.#at(from + 1) - this.#at(from)) / (edge(from + 1) - edge(from));
  }
}

/** ∫ alive·exp(−slope·t) from 0 to durationMs. */
function meanOfSegment(alive: number, slopePerMs: number, durationMs: number): number {
  const lost = slopePerMs * durationMs;
  return lost < 1e-9 ? alive * durationMs : (alive * -Math.expm1(-lost)) / slopePerMs;
}

function edge(index: number): number {
  return LEAD_EDGES_MS[index] ?? 0;
}

/** In which segment each minute begins. */
const SEGMENT_OF_MINUTE = Uint8Array.from({ length: Math.floor(edge(LAST) / MINUTE_MS) + 1 }, (_, minute) =>
  lastNotAbove(LEAD_EDGES_MS, minute * MINUTE_MS),
);

/** The last one that begins at `ms` or before. No segment is shorter than a minute: it is the next at most. */
function segmentOf(ms: number): number {
  const segment = SEGMENT_OF_MINUTE[Math.min(SEGMENT_OF_MINUTE.length - 1, Math.floor(ms / MINUTE_MS))] ?? 0;
  return segment < LAST && edge(segment + 1) <= ms ? segment + 1 : segment;
}

/** The last index whose value is at most `bound`; values never fall, and the first one is. */
function lastNotAbove(values: Float64Array | Float32Array, bound: number): number {
  let low = 0;
  for (let high = values.length - 1; low < high;) {
    const middle = (low + high + 1) >> 1;
    if ((values[middle] ?? 0) <= bound) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Where the departure is known: it stays until then, and is gone after. */
export class StepResidual implements Residual {
  readonly #departsInMs: number;

  constructor(departsInMs: number) {
    this.#departsInMs = Math.max(0, departsInMs);
  }

  survives(ms: number): number {
    return ms <= this.#departsInMs ? 1 : 0;
  }

  longestMs(p: number): number {
    return p > 0 ? this.#departsInMs : Infinity;
  }

  meanUntilMs(ms: number): number {
    return Math.max(0, Math.min(ms, this.#departsInMs));
  }

  hazardPerMs(ms: number): number {
    return ms < this.#departsInMs ? 0 : Infinity;
  }
}
