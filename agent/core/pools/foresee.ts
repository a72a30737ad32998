/** An accepted request tells what its class will need: as its program is catalogued, with what the request states otherwise. */
import type { Demand } from '@plugpool/proto';
import { candidates } from '../algorithms/catalogue.ts';
import { wallMsFor } from '../feasible/expected-run.ts';
import { askedMncs, overridden } from '../waiting/need.ts';
import { classOfAlgorithm, countAsked } from '../algorithms/profile.ts';
import type { Task } from '../state.ts';
import type { Turn } from '../turn.ts';
import { offer } from './forecast.ts';

export function foresee({ state, now }: Turn, task: Task): void {
  const { record, instances } = task;
  // Of a type, the algorithm that is preferred: which one will run is not known yet.
  const [algorithm] = candidates(state, record.selector);
  if (algorithm === undefined) return;
  countAsked(state, algorithm, instances.length, now.monoMs);
  if (!state.settings.subPools) return;
  const [demand] = overridden(algorithm.demands, record.wants?.demand) as readonly [Demand, ...Demand[]];
  // No run goes on beyond its deadline: who states more work than fits before it moves no sub-pool by the rest.
  const longestMs = Math.max(0, record.deadlineWallMs - record.acceptedWallMs);
  const eachMs = Math.min(wallMsFor(askedMncs(task, algorithm), demand, 1000), longestMs);
  const runMs = eachMs * instances.length;
  const load = state.pools.forecast[classOfAlgorithm(state, algorithm)];
  offer(load, { demand, runMs }, { nowMs: now.monoMs, halfLifeMs: state.settings.poolHalfLifeMs });
}
