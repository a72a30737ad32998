/**
 * The monitor's decisions about one sub-pool: whether its use is low or high, and what it then gives back or draws. Pure.
 *
 *        low (< 5 %)                 even                    high (> 95 %)
 *   for a whole window:                                 for a whole window:
 *   gives back until half         nothing moves         draws until 80 % is used
 *   of it is used                                       (as far as the reserve reaches)
 *
 * What gave back is used by half and what drew by four fifths at least where the reserve reached: both are even, so a steady
 * use moves a sub-pool once and never back.
 */
import { WHOLE_PPM } from './plan.ts';
import { DIMENSIONS, mapVector, useOf, type Dimension, type Vector } from './vector.ts';

export type Level = 'low' | 'even' | 'high';

export interface Thresholds {
  readonly poolLowMillis: number;
  readonly poolHighMillis: number;
  readonly poolMinimumMillis: number;
}

export interface Measured {
  /** Of the whole, in millionths. */
  readonly ppm: Readonly<Vector>;
  readonly size: Readonly<Vector>;
  readonly used: Readonly<Vector>;
  readonly whole: Readonly<Vector>;
}

const USE_AFTER_GIVING = 0.5;
const USE_AFTER_DRAWING = 0.8;

export function levelOf({ used, size, whole }: Measured, thresholds: Thresholds): Level {
  // Without any vehicle there is nothing to be used and nothing to be said of it.
  if (DIMENSIONS.every((dimension) => whole[dimension] === 0)) return 'even';
  const useMillis = useOf(used, size) * 1000;
  if (useMillis < thresholds.poolLowMillis) return 'low';
  return useMillis > thresholds.poolHighMillis ? 'high' : 'even';
}

/** The fractions after it gave back what it does not need; never below the minimum. */
export function afterGiving(measured: Measured, { poolMinimumMillis }: Thresholds): Vector {
  return mapVector((dimension) => {
    const needed = ppmFor(measured, dimension, USE_AFTER_GIVING);
    return Math.min(measured.ppm[dimension], Math.max(needed, poolMinimumMillis * 1000));
  });
}

/** The fractions that it would have if the reserve were endless: larger in the dimensions that are nearly used up. */
export function wanted(measured: Measured, { poolHighMillis }: Thresholds): Vector {
  const { ppm, size, used } = measured;
  return mapVector((dimension) => {
    const isHigh = used[dimension] * 1000 > size[dimension] * poolHighMillis;
    return isHigh ? Math.max(ppm[dimension], ppmFor(measured, dimension, USE_AFTER_DRAWING)) : ppm[dimension];
  });
}

/** As much of what it wants as the reserve has. */
export function afterDrawing(
  ppm: Readonly<Vector>,
  want: Readonly<Vector>,
  reservePpm: Readonly<Vector>,
): Vector {
  return mapVector(
    (dimension) => ppm[dimension] + Math.min(want[dimension] - ppm[dimension], reservePpm[dimension]),
  );
}

/** The fraction of which `used` is the share `use`; what cannot be had of this whole, as the whole. */
function ppmFor({ used, whole }: Measured, dimension: Dimension, use: number): number {
  if (used[dimension] <= 0) return 0;
  if (whole[dimension] <= 0) return WHOLE_PPM;
  return Math.min(WHOLE_PPM, Math.ceil((Math.ceil(used[dimension] / use) / whole[dimension]) * WHOLE_PPM));
}
