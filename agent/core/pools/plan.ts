/**
 * The planner: which part of the whole each sub-pool is, dimension by dimension. Pure.
 *
 *   expected demand of each class ──► its share of what all expect ──► millionths of the whole, the reserve is what remains
 *
 * A plan is fractions and no sizes: sizes follow the whole as vehicles come and go, and always add up to it.
 */
import type { AlgorithmClass } from '../algorithms/feature.ts';
import { DIMENSIONS, mapVector, type Dimension, type Vector } from './vector.ts';

/** All of a dimension. */
export const WHOLE_PPM = 1_000_000;

export interface PlanInput {
  /** What each class that has active algorithms is expected to need at once. */
  readonly expected: ReadonlyMap<AlgorithmClass, Readonly<Vector>>;
  /** Fractions that stay as they are, in millionths: an operator's. */
  readonly kept: ReadonlyMap<AlgorithmClass, Readonly<Vector>>;
  readonly reserveMillis: number;
  readonly minimumMillis: number;
}

/** The fractions of each class, in millionths of the whole. Their sum leaves the reserve what it is due. */
export function planPools(input: PlanInput): Map<AlgorithmClass, Vector> {
  const shares = new Map(DIMENSIONS.map((dimension) => [dimension, shareOut(input, dimension)]));
  const planned = new Map<AlgorithmClass, Vector>();
  for (const one of input.expected.keys()) {
    const kept = input.kept.get(one);
    planned.set(
      one,
      kept === undefined ? mapVector((dimension) => shares.get(dimension)?.get(one) ?? 0) : { ...kept },
    );
  }
  return planned;
}

/** Everybody who needs any gets the minimum, the rest goes by demand. */
function shareOut(input: PlanInput, dimension: Dimension): Map<AlgorithmClass, number> {
  const needs = new Map<AlgorithmClass, number>();
  let total = 0;
  let keptPpm = 0;
  for (const [one, demand] of input.expected) {
    const kept = input.kept.get(one);
    if (kept !== undefined) keptPpm += kept[dimension];
    else if (demand[dimension] > 0) {
      needs.set(one, demand[dimension]);
      total += demand[dimension];
    }
  }
  const freePpm = Math.max(0, WHOLE_PPM - input.reserveMillis * 1000 - keptPpm);
  const minimumPpm = Math.min(input.minimumMillis * 1000, freePpm / Math.max(1, needs.size));
  const restPpm = freePpm - minimumPpm * needs.size;
  return new Map([...needs].map(([one, need]) => [one, Math.floor(minimumPpm + (restPpm * need) / total)]));
}

/** What a fraction comes to of the whole as it is now. */
export function sizeOf(ppm: Readonly<Vector>, whole: Readonly<Vector>): Vector {
  return mapVector((dimension) => partOf(ppm[dimension], whole[dimension]));
}

/** Rounded down, and exact: the product alone would pass what a double holds. */
function partOf(ppm: number, whole: number): number {
  const rest = whole % WHOLE_PPM;
  return ppm * ((whole - rest) / WHOLE_PPM) + Math.floor((ppm * rest) / WHOLE_PPM);
}

/** What remains of the whole beside `parts`; of fractions, with the whole in millionths. */
export function remainder(whole: Readonly<Vector>, parts: Iterable<Readonly<Vector>>): Vector {
  const left = { ...whole };
  for (const part of parts) for (const dimension of DIMENSIONS) left[dimension] -= part[dimension];
  return left;
}

export const ALL_PPM: Readonly<Vector> = mapVector(() => WHOLE_PPM);
