/**
 * Watches the use of each sub-pool: at the end of every step where something moved, and when a window is over.
 *
 * A level counts from the step in which it began; a step that leaves it begins again. The timer `pool:<class>` falls due when
 * it has lasted for the window and the sub-pool has rested from its last change.
 */
import { deployAnew } from './deploy.ts';
import type { AlgorithmClass } from '../algorithms/feature.ts';
import { log, type Turn } from '../turn.ts';
import { afterDrawing, afterGiving, levelOf, wanted, type Measured } from './monitor.ts';
import { change, remember, reservePpm, type PoolCause, type Pools, type SubPool } from './pools.ts';
import { keepPools } from './replan.ts';
import { DIMENSIONS, isSame, type Vector } from './vector.ts';

/** The end of a step: O(1), whatever there are of donors and leases. */
export function watchPools(turn: Turn): void {
  const { pools } = turn.state;
  if (!pools.moved) return;
  pools.moved = false;
  for (const pool of pools.subPools.values()) watch(turn, pool);
}

function watch({ state, now }: Turn, pool: SubPool): void {
  const at = levelOf(measured(state.pools, pool), state.settings);
  if (at === pool.level.at) return;
  pool.level = { at, sinceMs: now.monoMs };
  if (at !== 'high') pool.hungrySinceMs = undefined;
  const timer = `pool:${pool.algorithmClass}` as const;
  if (at === 'even') return state.timers.clear(timer);
  state.timers.set(timer, Math.max(now.monoMs + state.settings.poolWindowMs, pool.restUntilMs));
}

function measured(pools: Pools, { ppm, size, algorithmClass }: SubPool): Measured {
  return { ppm, size, used: pools.used[algorithmClass], whole: pools.whole };
}

/** The level has lasted for the window. While it lasts it is looked at once a window: the whole may have changed meanwhile. */
export function onPoolTimer(turn: Turn, algorithmClass: AlgorithmClass): void {
  const { state, now } = turn;
  const pool = state.pools.subPools.get(algorithmClass);
  if (pool === undefined) return;
  // Events that fell due before this one may have ended the level in this very step.
  watch(turn, pool);
  const { at, sinceMs } = pool.level;
  if (at === 'even') return;
  const dueMs = Math.max(sinceMs + state.settings.poolWindowMs, pool.restUntilMs);
  if (now.monoMs < dueMs) return state.timers.set(`pool:${algorithmClass}`, dueMs);
  state.timers.set(`pool:${algorithmClass}`, now.monoMs + state.settings.poolWindowMs);
  if (at === 'low') giveBack(turn, pool);
  else draw(turn, pool, 'high');
}

function giveBack(turn: Turn, pool: SubPool): void {
  const { pools, settings } = turn.state;
  // What an operator chose is a floor.
  if (pool.byHand) return;
  const afterPpm = afterGiving(measured(pools, pool), settings);
  if (isSame(afterPpm, pool.ppm)) return;
  apply(turn, pool, 'low', afterPpm);
  serveHungry(turn);
}

function draw(turn: Turn, pool: SubPool, cause: PoolCause): void {
  const { pools, settings } = turn.state;
  const want = wanted(measured(pools, pool), settings);
  const afterPpm = afterDrawing(pool.ppm, want, reservePpm(pools));
  if (!isSame(afterPpm, pool.ppm)) apply(turn, pool, cause, afterPpm);
  if (isSame(afterPpm, want)) pool.hungrySinceMs = undefined;
  else sayEmpty(turn, pool, want);
}

/** Once while it lasts. */
function sayEmpty(turn: Turn, pool: SubPool, want: Readonly<Vector>): void {
  if (pool.hungrySinceMs !== undefined) return;
  const { now, state } = turn;
  const { algorithmClass, ppm } = pool;
  pool.hungrySinceMs = now.monoMs;
  remember(state.pools, {
    wallMs: now.wallMs,
    algorithmClass,
    cause: 'reserve_empty',
    beforePpm: ppm,
    afterPpm: ppm,
  });
  const lacks = DIMENSIONS.filter((dimension) => want[dimension] > ppm[dimension]);
  log(turn, 'warn', 'the reserve is empty', { subPool: algorithmClass, lacks });
  keepPools(turn);
}

/** Who has wanted for longest first. */
export function serveHungry(turn: Turn): void {
  const hungry = [...turn.state.pools.subPools.values()]
    .filter(({ hungrySinceMs }) => hungrySinceMs !== undefined)
    .sort((a, b) => (a.hungrySinceMs ?? 0) - (b.hungrySinceMs ?? 0));
  for (const pool of hungry) draw(turn, pool, 'served_first');
}

function apply(turn: Turn, pool: SubPool, cause: PoolCause, afterPpm: Readonly<Vector>): void {
  const { state, now } = turn;
  change(state.pools, pool, { wallMs: now.wallMs, cause, afterPpm });
  pool.restUntilMs = now.monoMs + state.settings.poolCooldownMs;
  log(turn, 'info', 'sub-pool changed', {
    subPool: pool.algorithmClass,
    cause,
    size: pool.size,
    reservePpm: reservePpm(state.pools),
  });
  // What was extended is of use only where its images are.
  deployAnew(state);
  keepPools(turn);
}
