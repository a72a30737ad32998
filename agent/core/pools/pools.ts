/**
 * The sub-pools of a pile: how large each is, what its class has in use, and whether one more grant is within its guarantee.
 *
 * Sub-pools are guarantees and no walls: a grant never asks whose capacity it takes. A class inside its sub-pool goes before
 * one that borrows; what nobody wants anybody may have.
 */
import type { Capacity, Demand, VehicleId } from '@plugpool/proto';
import { ALGORITHM_CLASSES, type AlgorithmClass } from '../algorithms/feature.ts';
import { POOL_CHANGES_MAX } from '../limits.ts';
import { noForecast, type Forecast } from './forecast.ts';
import type { Level } from './monitor.ts';
import { ALL_PPM, remainder, sizeOf } from './plan.ts';
import { addCapacity, addDemand, DIMENSIONS, zero, type Vector } from './vector.ts';

export interface SubPool {
  readonly algorithmClass: AlgorithmClass;
  /** Its part of the whole, in millionths. */
  ppm: Readonly<Vector>;
  /** What that comes to of the whole as it is. */
  size: Readonly<Vector>;
  /** An operator chose it: the monitor takes nothing away, and a plan that nobody asked for leaves it. */
  byHand: boolean;
  level: { readonly at: Level; readonly sinceMs: number };
  /** The monitor leaves it alone until then. */
  restUntilMs: number;
  /** Since when it wants more than the reserve had; it is served first when something comes back. */
  hungrySinceMs: number | undefined;
}

export type PoolCause =
  /** Somebody asked for a new plan. */
  | 'planned'
  /** The catalogue has a class more or less than before. */
  | 'classes_changed'
  | 'by_hand'
  | 'low'
  | 'high'
  /** It wanted more when the reserve was empty, and something came back. */
  | 'served_first'
  /** It is used up, and so is the reserve: nothing changed. */
  | 'reserve_empty';

export interface PoolChange {
  readonly wallMs: number;
  readonly algorithmClass: AlgorithmClass;
  readonly cause: PoolCause;
  readonly beforePpm: Readonly<Vector>;
  readonly afterPpm: Readonly<Vector>;
}

export interface Pools {
  /** All that eligible donors lend. */
  readonly whole: Vector;
  /** What each of them adds to it. */
  readonly counted: Map<VehicleId, Capacity>;
  /** What the leases of each class take. */
  readonly used: Readonly<Record<AlgorithmClass, Vector>>;
  /** Of the classes that have active algorithms. */
  readonly subPools: Map<AlgorithmClass, SubPool>;
  forecast: Forecast;
  /** Newest last. */
  readonly changes: PoolChange[];
  /** Something was taken, given back, plugged in or resized since the levels were last looked at. */
  moved: boolean;
}

export function emptyPools(): Pools {
  return {
    whole: zero(),
    counted: new Map(),
    used: { cpu: zero(), gpu: zero(), memory: zero() },
    subPools: new Map(),
    forecast: noForecast(),
    changes: [],
    moved: false,
  };
}

/** What a donor adds to the whole: its lendable capacity while it is eligible, undefined while not. */
export function countDonor(pools: Pools, vehicleId: VehicleId, capacity: Capacity | undefined): void {
  const before = pools.counted.get(vehicleId);
  if (before === capacity) return;
  if (capacity === undefined) pools.counted.delete(vehicleId);
  else pools.counted.set(vehicleId, capacity);
  if (before !== undefined) addCapacity(pools.whole, before, -1);
  if (capacity !== undefined) addCapacity(pools.whole, capacity, 1);
  resize(pools);
}

/** Sizes follow the whole; what no sub-pool has is the reserve. */
export function resize(pools: Pools): void {
  for (const pool of pools.subPools.values()) pool.size = sizeOf(pool.ppm, pools.whole);
  pools.moved = true;
}

/** A lease of that class began (1) or is over (-1). */
export function countLease(pools: Pools, algorithmClass: AlgorithmClass, demand: Demand, sign: 1 | -1): void {
  addDemand(pools.used[algorithmClass], demand, sign);
  pools.moved = true;
}

/** Whether the class would still be inside its sub-pool with one more grant of `demand`; `within` where there are none. */
export function standing(
  pools: Pools,
  algorithmClass: AlgorithmClass,
  demand: Demand,
): 'within' | 'borrowing' {
  if (pools.subPools.size === 0) return 'within';
  const size = pools.subPools.get(algorithmClass)?.size;
  if (size === undefined) return 'borrowing';
  const used = pools.used[algorithmClass];
  const { gpu } = demand;
  const isWithin =
    used.cpuMillicores + demand.cpuMillicores <= size.cpuMillicores &&
    used.memoryMib + demand.memoryMib <= size.memoryMib &&
    (gpu === undefined ||
      (used.gpuMillis + gpu.shareMillis <= size.gpuMillis && used.vramMib + gpu.vramMib <= size.vramMib));
  return isWithin ? 'within' : 'borrowing';
}

export function reservePpm(pools: Pools): Vector {
  return remainder(ALL_PPM, ppmOf(pools));
}

export function reserveSize(pools: Pools): Vector {
  return remainder(pools.whole, sizesOf(pools));
}

function ppmOf(pools: Pools): Readonly<Vector>[] {
  return [...pools.subPools.values()].map(({ ppm }) => ppm);
}

function sizesOf(pools: Pools): Readonly<Vector>[] {
  return [...pools.subPools.values()].map(({ size }) => size);
}

/** What a class has in use beyond its own. */
export function borrowedBy(pools: Pools, algorithmClass: AlgorithmClass): Vector {
  const size = pools.subPools.get(algorithmClass)?.size ?? zero();
  return positive(pools.used[algorithmClass], size);
}

/**
 * What others use of a sub-pool that its own class leaves idle. Borrowers take from the reserve first: it is nobody's; what
 * they take beyond it comes from the sub-pools, from each in proportion to what it has idle.
 */
export function lentBy(pools: Pools, algorithmClass: AlgorithmClass): Vector {
  const lent = zero();
  const pool = pools.subPools.get(algorithmClass);
  if (pool === undefined) return lent;
  const idle = positive(pool.size, pools.used[algorithmClass]);
  const reserve = reserveSize(pools);
  for (const dimension of DIMENSIONS) {
    const borrowed = ALGORITHM_CLASSES.reduce((sum, one) => sum + borrowedBy(pools, one)[dimension], 0);
    const idleOfAll = [...pools.subPools.values()].reduce(
      (sum, each) => sum + positive(each.size, pools.used[each.algorithmClass])[dimension],
      0,
    );
    const beyondReserve = Math.min(idleOfAll, Math.max(0, borrowed - reserve[dimension]));
    lent[dimension] = idleOfAll === 0 ? 0 : Math.round((idle[dimension] / idleOfAll) * beyondReserve);
  }
  return lent;
}

function positive(a: Readonly<Vector>, b: Readonly<Vector>): Vector {
  const left = remainder(a, [b]);
  for (const dimension of DIMENSIONS) left[dimension] = Math.max(0, left[dimension]);
  return left;
}

/** Gives a sub-pool another part of the whole, and remembers why. */
export function change(
  pools: Pools,
  pool: SubPool,
  entry: Omit<PoolChange, 'algorithmClass' | 'beforePpm'>,
): void {
  remember(pools, { ...entry, algorithmClass: pool.algorithmClass, beforePpm: pool.ppm });
  pool.ppm = entry.afterPpm;
  pool.size = sizeOf(pool.ppm, pools.whole);
  pools.moved = true;
}

export function remember(pools: Pools, entry: PoolChange): void {
  pools.changes.push(entry);
  if (pools.changes.length > POOL_CHANGES_MAX) pools.changes.shift();
}

export function newSubPool(algorithmClass: AlgorithmClass): SubPool {
  return {
    algorithmClass,
    ppm: zero(),
    size: zero(),
    byHand: false,
    level: { at: 'even', sinceMs: 0 },
    restUntilMs: 0,
    hungrySinceMs: undefined,
  };
}
