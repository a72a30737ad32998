/** How far a task is whose result so many owners must agree on: as data, and in words. */
import { isAskedFor, partsOf, replicasOf } from '../replicas/replicas-of.ts';
import { ownersNeeded, ownersToBeHad } from '../replicas/owners-to-be-had.ts';
import type { Instance, State, Task } from '../state.ts';

export interface QuorumView {
  /** Of several, the part that is told of: the first that is not decided. */
  readonly part: number;
  /** Owners who must agree. */
  readonly need: number;
  /** Owners whose vehicles returned a result. */
  readonly answered: number;
  /** Owners whose vehicles run it now. */
  readonly running: number;
  /** Owners whose vehicles have a replica of it, or should: after a dispute more than must agree. */
  readonly ownersNeeded: number;
  /** Owners whose vehicles could have one, as far as vehicles are known, here or gone. */
  readonly ownersKnown: number;
  /** Its requester asked for it: without so many owners there is no result. */
  readonly isAskedFor: boolean;
}

/** Null where one result will do, and of a task that has ended. */
export function quorumView(state: State, task: Task): QuorumView | null {
  const first = task.end === undefined ? partsOf(task).find(isOpen) : undefined;
  if (first === undefined) return null;
  const replicas = replicasOf(first);
  return {
    part: first.index,
    need: neededOf(first),
    answered: replicas.filter(({ result }) => result !== undefined).length,
    running: replicas.filter(({ lease }) => lease !== undefined).length,
    ownersNeeded: ownersNeeded(first),
    ownersKnown: ownersToBeHad(state, first),
    isAskedFor: isAskedFor(first),
  };
}

function isOpen(first: Instance): boolean {
  return !first.settled && neededOf(first) > 1;
}

function neededOf({ quorum, task }: Instance): number {
  return Math.max(quorum, task.record.wants?.quorum ?? 1);
}

/** Names no vehicle: a requester reads it too. */
export function quorumInWords(quorum: QuorumView): string {
  const { need, answered, running, ownersKnown, ownersNeeded: owners } = quorum;
  const answers = `${answered} of ${need} owners ${answered === 1 ? 'has' : 'have'} answered`;
  if (quorum.isAskedFor && ownersKnown < owners)
    return `${answers}; vehicles of ${ownersKnown} are known here, and nothing more is computed before there are ${owners}`;
  if (answered === 0 || answered + running >= owners) return answers;
  return `${answers}; waits for another owner’s vehicle`;
}
