/** What a task's end says whose deadline came before as many owners as must agree. */
import type { Instance, State, Task } from '../state.ts';
import { ownersShort } from './owners-to-be-had.ts';
import { partsOf, replicasOf } from './replicas-of.ts';

/** Empty where nothing but others' word was missing of no part. */
export function shortOfQuorum(state: State, task: Task): string {
  for (const first of partsOf(task)) {
    const words = first.settled ? '' : shortInWords(state, first);
    if (words !== '') return words;
  }
  return '';
}

function shortInWords(state: State, first: Instance): string {
  const quorum = Math.max(first.quorum, first.task.record.wants?.quorum ?? 1);
  const results = replicasOf(first).filter(({ result }) => result !== undefined).length;
  if (quorum === 1) return '';
  const short = results === 0 ? ownersShort(state, first) : undefined;
  if (short !== undefined)
    return `${short.need} vehicles of different owners must give the same, and vehicles of ${short.have} were known`;
  if (results === 0) return '';
  const here = results === 1 ? '1 result is here' : `${results} results are here`;
  return `${here}, and ${quorum} vehicles of different owners must give the same`;
}
