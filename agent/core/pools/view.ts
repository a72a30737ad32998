/** What an operator sees of the sub-pools, as plain data; docs/cli-json.md is the contract. */
import type { Now } from '@plugpool/proto';
import type { AlgorithmClass } from '../algorithms/feature.ts';
import { classOfAlgorithm } from '../algorithms/profile.ts';
import type { State } from '../state.ts';
import { expectedDemand } from './forecast.ts';
import type { Level } from './monitor.ts';
import { borrowedBy, lentBy, reservePpm, reserveSize, type PoolCause, type SubPool } from './pools.ts';
import { mapVector, useOf, type Vector } from './vector.ts';

/** Millionths of the whole. */
export interface SharesView {
  readonly cpuPpm: number;
  readonly memoryPpm: number;
  readonly gpuPpm: number;
  readonly vramPpm: number;
}

export interface SubPoolView {
  readonly subPool: AlgorithmClass;
  /** Active algorithms of this class. */
  readonly algorithms: number;
  readonly shares: SharesView;
  readonly size: Readonly<Vector>;
  readonly used: Readonly<Vector>;
  /** The largest share of it in use, of all dimensions; null where it is used and has nothing. */
  readonly usePermille: number | null;
  readonly borrowed: Readonly<Vector>;
  readonly lent: Readonly<Vector>;
  /** What its class needs at once on average, from what was asked for. */
  readonly expected: Readonly<Vector>;
  readonly level: Level;
  readonly levelForMs: number;
  readonly byHand: boolean;
  /** It is used up and so is the reserve: it is served first. */
  readonly wantsMore: boolean;
}

export interface PoolsView {
  readonly enabled: boolean;
  readonly whole: Readonly<Vector>;
  readonly reserve: { readonly shares: SharesView; readonly size: Readonly<Vector> };
  readonly subPools: readonly SubPoolView[];
  /** Newest first. */
  readonly changes: readonly {
    readonly wallMs: number;
    readonly subPool: AlgorithmClass;
    readonly cause: PoolCause;
    readonly before: SharesView;
    readonly after: SharesView;
  }[];
}

export function poolsView(state: State, now: Now): PoolsView {
  const { pools, settings } = state;
  return {
    enabled: settings.subPools,
    whole: { ...pools.whole },
    reserve: { shares: sharesOf(reservePpm(pools)), size: reserveSize(pools) },
    subPools: [...pools.subPools.values()].map((pool) => subPoolView(state, pool, now)),
    changes: pools.changes.toReversed().map(({ wallMs, algorithmClass, cause, beforePpm, afterPpm }) => ({
      wallMs,
      subPool: algorithmClass,
      cause,
      before: sharesOf(beforePpm),
      after: sharesOf(afterPpm),
    })),
  };
}

export function subPoolView(state: State, pool: SubPool, now: Now): SubPoolView {
  const { pools, settings } = state;
  const { algorithmClass, size } = pool;
  const used = { ...pools.used[algorithmClass] };
  const use = useOf(used, size);
  const time = { nowMs: now.monoMs, halfLifeMs: settings.poolHalfLifeMs };
  const expected = expectedDemand(pools.forecast, time)[algorithmClass];
  return {
    subPool: algorithmClass,
    algorithms: activeOf(state, algorithmClass),
    shares: sharesOf(pool.ppm),
    size,
    used,
    usePermille: Number.isFinite(use) ? Math.round(use * 1000) : null,
    borrowed: borrowedBy(pools, algorithmClass),
    lent: lentBy(pools, algorithmClass),
    expected: mapVector((dimension) => Math.round(expected[dimension])),
    level: pool.level.at,
    levelForMs: Math.max(0, Math.round(now.monoMs - pool.level.sinceMs)),
    byHand: pool.byHand,
    wantsMore: pool.hungrySinceMs !== undefined,
  };
}

function activeOf(state: State, algorithmClass: AlgorithmClass): number {
  let count = 0;
  for (const algorithm of state.algorithms.values())
    if (algorithm.state === 'active' && classOfAlgorithm(state, algorithm) === algorithmClass) count += 1;
  return count;
}

function sharesOf({ cpuMillicores, memoryMib, gpuMillis, vramMib }: Readonly<Vector>): SharesView {
  return { cpuPpm: cpuMillicores, memoryPpm: memoryMib, gpuPpm: gpuMillis, vramPpm: vramMib };
}
