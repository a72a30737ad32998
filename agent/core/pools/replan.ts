/** When a plan is made: at the first algorithm, when the catalogue has a class more or less, and when an operator asks. */
import type { Demand } from '@plugpool/proto';
import { deployAnew } from './deploy.ts';
import { wallMsFor } from '../feasible/expected-run.ts';
import type { AlgorithmClass } from '../algorithms/feature.ts';
import { classOfAlgorithm } from '../algorithms/profile.ts';
import type { State } from '../state.ts';
import { log, writeLazily, type Turn } from '../turn.ts';
import { expectedDemand } from './forecast.ts';
import { poolsToJson, POOLS_NAME } from './pools-json.ts';
import { planPools } from './plan.ts';
import { change, newSubPool, resize, type PoolCause } from './pools.ts';
import { addDemand, DIMENSIONS, isSame, zero, type Vector } from './vector.ts';

/** Plans anew where the classes of the active algorithms are others than those of the plan. */
export function alignPools(turn: Turn): void {
  const { state } = turn;
  const present = presentClasses(state);
  const { subPools } = state.pools;
  const isAligned = present.size === subPools.size && [...present].every((one) => subPools.has(one));
  if (!isAligned) replan(turn, 'classes_changed', present);
}

/** From the forecast, with no regard to what an operator chose before. */
export function planAnew(turn: Turn): void {
  for (const pool of turn.state.pools.subPools.values()) pool.byHand = false;
  replan(turn, 'planned', presentClasses(turn.state));
}

function presentClasses(state: State): ReadonlySet<AlgorithmClass> {
  const present = new Set<AlgorithmClass>();
  if (!state.settings.subPools) return present;
  for (const algorithm of state.algorithms.values())
    if (algorithm.state === 'active') present.add(classOfAlgorithm(state, algorithm));
  return present;
}

function replan(turn: Turn, cause: PoolCause, present: ReadonlySet<AlgorithmClass>): void {
  const { state, now } = turn;
  const { pools, settings } = state;
  for (const [one] of pools.subPools) if (!present.has(one)) pools.subPools.delete(one);
  const kept = new Map<AlgorithmClass, Readonly<Vector>>();
  for (const [one, { byHand, ppm }] of pools.subPools) if (byHand) kept.set(one, ppm);
  const planned = planPools({
    expected: expectedOf(state, present, now.monoMs),
    kept,
    reserveMillis: settings.poolReserveMillis,
    minimumMillis: settings.poolMinimumMillis,
  });
  for (const [one, afterPpm] of planned) {
    const pool = pools.subPools.get(one) ?? newSubPool(one);
    pools.subPools.set(one, pool);
    pool.hungrySinceMs = undefined;
    pool.restUntilMs = now.monoMs + settings.poolCooldownMs;
    if (!isSame(pool.ppm, afterPpm)) change(pools, pool, { wallMs: now.wallMs, cause, afterPpm });
  }
  resize(pools);
  deployAnew(state);
  keepPools(turn);
  log(turn, 'info', 'capacity planned', { cause, subPools: [...planned.keys()] });
}

/** What was asked for, and each active algorithm once a half-life: what nobody asked for yet has its part too. */
function expectedOf(
  state: State,
  present: ReadonlySet<AlgorithmClass>,
  nowMs: number,
): Map<AlgorithmClass, Vector> {
  const { pools, settings } = state;
  const asked = expectedDemand(pools.forecast, { nowMs, halfLifeMs: settings.poolHalfLifeMs });
  const expected = new Map([...present].map((one) => [one, asked[one]]));
  for (const algorithm of state.algorithms.values()) {
    if (algorithm.state !== 'active') continue;
    const [demand] = algorithm.demands as readonly [Demand, ...Demand[]];
    const sum = expected.get(classOfAlgorithm(state, algorithm));
    if (sum === undefined) continue;
    const once = zero();
    addDemand(once, demand, 1);
    const weight = wallMsFor(algorithm.workCoreS * 1000, demand, 1000) / settings.poolHalfLifeMs;
    for (const dimension of DIMENSIONS) sum[dimension] += once[dimension] * weight;
  }
  return expected;
}

/** May be lost without breaking a promise: the next start would plan again. */
export function keepPools(turn: Turn): void {
  if (!turn.state.settings.subPools) return;
  writeLazily(turn, {
    change: 'putLearned',
    name: POOLS_NAME,
    value: poolsToJson(turn.state.pools, turn.now),
  });
}
