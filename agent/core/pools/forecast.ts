/** What each class will need, from what was asked: the mean number of everything in use at once, older requests counting less. */
import type { Demand } from '@plugpool/proto';
import { ALGORITHM_CLASSES, type AlgorithmClass } from '../algorithms/feature.ts';
import { addDemand, mapVector, zero, type Vector } from './vector.ts';

/** Sums of demand × run time, as they weigh at `atMs`: halved with each half-life that passes. */
export interface OfferedLoad {
  work: Vector;
  atMs: number;
}

export type Forecast = Readonly<Record<AlgorithmClass, OfferedLoad>>;

export function noForecast(): Forecast {
  const none = (): OfferedLoad => ({ work: zero(), atMs: 0 });
  return { cpu: none(), gpu: none(), memory: none() };
}

/** One more instance was asked for, which takes `demand` for `runMs`. */
export function offer(
  load: OfferedLoad,
  asked: { readonly demand: Demand; readonly runMs: number },
  time: { readonly nowMs: number; readonly halfLifeMs: number },
): void {
  if (!(asked.runMs > 0) || !Number.isFinite(asked.runMs)) return;
  decay(load, time);
  const once = zero();
  addDemand(once, asked.demand, 1);
  const before = load.work;
  load.work = mapVector((dimension) => before[dimension] + once[dimension] * asked.runMs);
}

function decay(load: OfferedLoad, time: { readonly nowMs: number; readonly halfLifeMs: number }): void {
  const passedMs = Math.max(0, time.nowMs - load.atMs);
  const weight = 2 ** (-passedMs / time.halfLifeMs);
  const { work } = load;
  load.work = mapVector((dimension) => work[dimension] * weight);
  load.atMs = Math.max(load.atMs, time.nowMs);
}

/** What each class needs at once, on average. A steady load is forecast as what it is. */
export function expectedDemand(
  forecast: Forecast,
  time: { readonly nowMs: number; readonly halfLifeMs: number },
): Record<AlgorithmClass, Vector> {
  const demand = { cpu: zero(), gpu: zero(), memory: zero() };
  for (const one of ALGORITHM_CLASSES) {
    const load = { ...forecast[one] };
    decay(load, time);
    demand[one] = mapVector((dimension) => (load.work[dimension] * Math.LN2) / time.halfLifeMs);
  }
  return demand;
}
