/** What a task's end says whose deadline came before as many owners as must agree. */
import type { Task } from '../state.ts';
import { partsOf, replicasOf } from './replicas-of.ts';

/** Empty where nothing but others' word was missing of no part. */
export function shortOfQuorum(task: Task): string {
  for (const first of partsOf(task)) {
    const quorum = Math.max(first.quorum, task.record.wants?.quorum ?? 1);
    const results = replicasOf(first).filter(({ result }) => result !== undefined).length;
    if (quorum === 1 || results === 0 || first.settled) continue;
    const here = results === 1 ? '1 result is here' : `${results} results are here`;
    return `${here}, and ${quorum} vehicles of different owners must give the same`;
  }
  return '';
}
