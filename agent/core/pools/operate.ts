/** What an operator may do to sub-pools: give one another size by hand, or plan all of them anew. */
import { deployAnew } from './deploy.ts';
import type { OperatorAnswer, OperatorCommand } from '../events.ts';
import type { AlgorithmClass } from '../algorithms/feature.ts';
import { write, type Turn } from '../turn.ts';
import { poolsToJson, POOLS_NAME } from './pools-json.ts';
import { change, reservePpm, type Pools, type SubPool } from './pools.ts';
import { planAnew } from './replan.ts';
import { DIMENSIONS, mapVector, type Dimension, type Vector } from './vector.ts';
import { subPoolView } from './view.ts';
import { serveHungry } from './watch.ts';

type SetPool = Extract<OperatorCommand, { verb: 'setPool' }>;

export function setPool(turn: Turn, { algorithmClass, shareMillis }: SetPool): OperatorAnswer {
  const { pools, settings } = turn.state;
  if (!settings.subPools) return off();
  const pool = pools.subPools.get(algorithmClass);
  if (pool === undefined) return classMissing(pools, algorithmClass);
  const afterPpm = mapVector((dimension) => {
    const millis = shareMillis[dimension];
    return millis === undefined ? pool.ppm[dimension] : millis * 1000;
  });
  const tooMuch = beyondReserve(pools, pool, afterPpm);
  if (tooMuch.length > 0) return reserveTooSmall(pool, tooMuch);
  change(pools, pool, { wallMs: turn.now.wallMs, cause: 'by_hand', afterPpm });
  pool.byHand = true;
  pool.hungrySinceMs = undefined;
  pool.restUntilMs = turn.now.monoMs + settings.poolCooldownMs;
  serveHungry(turn);
  deployAnew(turn.state);
  promise(turn);
  return { ok: true, value: subPoolView(turn.state, pool, turn.now) };
}

export function planPoolsAnew(turn: Turn): OperatorAnswer {
  const { pools, settings } = turn.state;
  if (!settings.subPools) return off();
  planAnew(turn);
  promise(turn);
  return {
    ok: true,
    value: [...pools.subPools.values()].map((pool) => subPoolView(turn.state, pool, turn.now)),
  };
}

/** The operator is told that it is done: it must be on disk then. */
function promise(turn: Turn): void {
  write(turn, { change: 'putLearned', name: POOLS_NAME, value: poolsToJson(turn.state.pools, turn.now) });
}

interface TooMuch {
  readonly dimension: Dimension;
  /** The most that it could be. */
  readonly mostPpm: number;
}

function beyondReserve(pools: Pools, pool: SubPool, afterPpm: Readonly<Vector>): TooMuch[] {
  const reserve = reservePpm(pools);
  return DIMENSIONS.flatMap((dimension) => {
    const mostPpm = pool.ppm[dimension] + reserve[dimension];
    return afterPpm[dimension] > mostPpm ? [{ dimension, mostPpm }] : [];
  });
}

const NAMES: Readonly<Record<Dimension, string>> = {
  cpuMillicores: 'cpu',
  memoryMib: 'memory',
  gpuMillis: 'gpu',
  vramMib: 'vram',
};

function reserveTooSmall({ algorithmClass }: SubPool, tooMuch: readonly TooMuch[]): OperatorAnswer {
  const most = tooMuch
    .map(({ dimension, mostPpm }) => `${NAMES[dimension]} at most ${Math.floor(mostPpm / 1000) / 10} %`)
    .join(', ');
  return {
    ok: false,
    code: 'reserve_too_small',
    detail: `the reserve does not have that much for the sub-pool ${algorithmClass}: ${most}`,
    hint: 'ask for no more than that, or make another sub-pool smaller first',
  };
}

function classMissing(pools: Pools, algorithmClass: AlgorithmClass): OperatorAnswer {
  const there = [...pools.subPools.keys()].join(', ');
  return {
    ok: false,
    code: 'class_unknown',
    detail: `no active algorithm is of the class ${algorithmClass}, so it has no sub-pool`,
    hint: there === '' ? 'catalogue an algorithm first' : `there are sub-pools of ${there}`,
  };
}

function off(): OperatorAnswer {
  return {
    ok: false,
    code: 'sub_pools_off',
    detail: 'this agent plans no sub-pools',
    hint: 'set pools.enabled to true in its configuration and start it again',
  };
}
