/** An accepted request tells what its class will need: as its program is catalogued, with what the request states otherwise. */
import type { Demand } from '@plugpool/proto';
import { candidates } from '../algorithms/catalogue.ts';
import { wallMsFor } from '../feasible/expected-run.ts';
import { overridden } from '../waiting/need.ts';
import { classOfAlgorithm, countAsked } from '../algorithms/profile.ts';
import type { Task } from '../state.ts';
import type { Turn } from '../turn.ts';
import { offer } from './forecast.ts';

export function foresee({ state, now }: Turn, { record, instances }: Task): void {
  // Of a type, the algorithm that is preferred: which one will run is not known yet.
  const [algorithm] = candidates(state, record.selector);
  if (algorithm === undefined) return;
  countAsked(state, algorithm, instances.length, now.monoMs);
  if (!state.settings.subPools) return;
  const override = record.wants?.demand;
  const [demand] = overridden(algorithm.demands, override) as readonly [Demand, ...Demand[]];
  const workMncs = override?.workMncs ?? algorithm.workCoreS * 1000;
  // No run goes on beyond its deadline: who states more work than fits before it moves no sub-pool by the rest.
  const longestMs = Math.max(0, record.deadlineWallMs - record.acceptedWallMs);
  const runMs = Math.min(wallMsFor(workMncs, demand, 1000), longestMs) * instances.length;
  const load = state.pools.forecast[classOfAlgorithm(state, algorithm)];
  offer(load, { demand, runMs }, { nowMs: now.monoMs, halfLifeMs: state.settings.poolHalfLifeMs });
}
