/** The plan, the forecast and the last changes as JSON, and back; whatever is damaged is no plan. */
import type { Now } from '@plugpool/proto';
import { ALGORITHM_CLASSES, type AlgorithmClass, type LearnedUse } from '../algorithms/feature.ts';
import { POOL_CHANGES_MAX } from '../limits.ts';
import { noForecast } from './forecast.ts';
import { ALL_PPM, remainder, WHOLE_PPM } from './plan.ts';
import { newSubPool, type PoolCause, type PoolChange, type Pools } from './pools.ts';
import { DIMENSIONS, mapVector, type Vector } from './vector.ts';

export const POOLS_NAME = 'pools';

export function poolsToJson(pools: Pools, now: Now): unknown {
  return {
    subPools: [...pools.subPools.values()].map(({ algorithmClass, ppm, byHand }) => ({
      algorithmClass,
      ppm,
      byHand,
    })),
    forecast: ALGORITHM_CLASSES.map((algorithmClass) => {
      const { work, atMs } = pools.forecast[algorithmClass];
      return { algorithmClass, work, agoMs: Math.max(0, now.monoMs - atMs) };
    }),
    writtenWallMs: now.wallMs,
    changes: pools.changes,
  };
}

/** Fills `pools` with what was written; false, and nothing filled, where that is damaged. */
export function poolsFromJson(pools: Pools, value: unknown, now: Now): boolean {
  const parsed = parse(value, now);
  if (parsed === undefined) return false;
  for (const { algorithmClass, ppm, byHand } of parsed.subPools)
    pools.subPools.set(algorithmClass, { ...newSubPool(algorithmClass), ppm, byHand });
  pools.forecast = parsed.forecast;
  pools.changes.push(...parsed.changes.slice(-POOL_CHANGES_MAX));
  return true;
}

interface Parsed {
  readonly subPools: readonly {
    readonly algorithmClass: AlgorithmClass;
    readonly ppm: Vector;
    readonly byHand: boolean;
  }[];
  readonly forecast: Pools['forecast'];
  readonly changes: readonly PoolChange[];
}

function parse(value: unknown, now: Now): Parsed | undefined {
  const { subPools, forecast, changes, writtenWallMs } = fieldsOf(value);
  const parsedPools = each(subPools, subPoolOf);
  const parsedForecast = forecastOf(forecast, now, isCount(writtenWallMs) ? writtenWallMs : now.wallMs);
  const parsedChanges = each(changes, changeOf);
  if (parsedPools === undefined || parsedForecast === undefined || parsedChanges === undefined)
    return undefined;
  const classes = new Set(parsedPools.map(({ algorithmClass }) => algorithmClass));
  const reserve = remainder(
    ALL_PPM,
    parsedPools.map(({ ppm }) => ppm),
  );
  if (classes.size !== parsedPools.length || DIMENSIONS.some((dimension) => reserve[dimension] < 0))
    return undefined;
  return { subPools: parsedPools, forecast: parsedForecast, changes: parsedChanges };
}

function subPoolOf(value: unknown): Parsed['subPools'][number] | undefined {
  const { algorithmClass, ppm, byHand } = fieldsOf(value);
  const vector = vectorFrom(ppm, (part) => Number.isSafeInteger(part) && part <= WHOLE_PPM);
  if (!isClass(algorithmClass) || vector === undefined || typeof byHand !== 'boolean') return undefined;
  return { algorithmClass, ppm: vector, byHand };
}

/** What was asked for counts less by the time that passed since, the time without an agent included. */
function forecastOf(value: unknown, now: Now, writtenWallMs: number): Pools['forecast'] | undefined {
  const loads = each(value, (one) => {
    const { algorithmClass, work, agoMs } = fieldsOf(one);
    const vector = vectorFrom(work, Number.isFinite);
    if (!isClass(algorithmClass) || vector === undefined || !isCount(agoMs)) return undefined;
    const awayMs = Math.max(0, now.wallMs - writtenWallMs);
    return { algorithmClass, load: { work: vector, atMs: now.monoMs - agoMs - awayMs } };
  });
  if (loads === undefined) return undefined;
  const forecast = noForecast();
  for (const { algorithmClass, load } of loads) Object.assign(forecast[algorithmClass], load);
  return forecast;
}

const CAUSES: Readonly<Record<PoolCause, true>> = {
  planned: true,
  classes_changed: true,
  by_hand: true,
  low: true,
  high: true,
  served_first: true,
  reserve_empty: true,
};

function changeOf(value: unknown): PoolChange | undefined {
  const { wallMs, algorithmClass, cause, beforePpm, afterPpm } = fieldsOf(value);
  const before = vectorFrom(beforePpm, Number.isFinite);
  const after = vectorFrom(afterPpm, Number.isFinite);
  if (typeof cause !== 'string' || !Object.hasOwn(CAUSES, cause)) return undefined;
  if (!isCount(wallMs) || !isClass(algorithmClass) || before === undefined || after === undefined)
    return undefined;
  return { wallMs, algorithmClass, cause: cause as PoolCause, beforePpm: before, afterPpm: after };
}

/** Of one algorithm, as profile.ts writes it. */
export function useFromJson(
  value: unknown,
): { readonly learned: LearnedUse; readonly algorithmClass: AlgorithmClass } | undefined {
  const { learned, algorithmClass } = fieldsOf(value);
  const { runs, cpuMillicores, memoryMib, gpuMillis } = fieldsOf(learned);
  if (!isCount(runs) || !isCount(cpuMillicores) || !isCount(memoryMib) || !isCount(gpuMillis))
    return undefined;
  if (!isClass(algorithmClass)) return undefined;
  return { learned: { runs, cpuMillicores, memoryMib, gpuMillis }, algorithmClass };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Every entry, or undefined where one is damaged. */
function each<Item>(value: unknown, parseOne: (one: unknown) => Item | undefined): Item[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: Item[] = [];
  for (const one of value) {
    const item = parseOne(one);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function vectorFrom(value: unknown, isGood: (part: number) => boolean): Vector | undefined {
  const fields = fieldsOf(value);
  const isVector = DIMENSIONS.every((dimension) => {
    const part = fields[dimension];
    return isCount(part) && isGood(part);
  });
  return isVector ? mapVector((dimension) => fields[dimension] as number) : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isClass(value: unknown): value is AlgorithmClass {
  return (ALGORITHM_CLASSES as readonly unknown[]).includes(value);
}
