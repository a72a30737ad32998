/**
 * Who stands in front of those who need the same: of the payers least above their fair share, the one whose turn is first;
 * or whose turn is first of all.
 */
import { choiceFor, type Choice } from '../feasible/feasible.ts';
import { asIfNothingWereKept, isKeptForLater } from '../matching/keep.ts';
import { compareTurns } from './turn-queue.ts';
import type { Donor, Instance } from '../state.ts';
import type { Turn } from '../turn.ts';
import type { WaitingGroup } from './waiting.ts';

/** `fair`: by fair share, then by turn; `due`: by turn alone. */
export type FrontOrder = 'fair' | 'due';

export interface Front {
  readonly instance: Instance;
  readonly choice: Choice;
  /** How far its payer is above what is tolerated. */
  readonly excess: number;
}

/** Queues stand in the order of their first turns, so that few are looked at. */
export function frontOf(
  turn: Turn,
  group: WaitingGroup,
  order: FrontOrder,
  donor: Donor,
  choice: Choice,
): Front | undefined {
  const { state, now } = turn;
  const { need } = group;
  // In another way it may be through earlier.
  const endMonoMs = need.ways.length === 1 ? now.monoMs + choice.runMs : -Infinity;
  const choiceOf = (instance: Instance): Choice | undefined => {
    if (instance.task.deadlineMonoMs < endMonoMs) return undefined;
    // What is kept there for a later turn is granted to who is owed, and counted with who is due.
    if (order === 'due' && isKeptForLater(state, instance, donor))
      return asIfNothingWereKept(state, () => choiceFor(state, instance, need, donor, choice, now));
    return choiceFor(state, instance, need, donor, choice, now);
  };
  let best: Front | undefined;
  for (const queue of group.inTurn) {
    const comesLater = best !== undefined && compareTurns(queue.first(), best.instance) > 0;
    if (comesLater && best?.excess === 0) break;
    const excess = order === 'due' ? 0 : state.usage.excess(queue.payer, now);
    if (best !== undefined && (excess > best.excess || (comesLater && excess === best.excess))) continue;
    const instance = queue.find((each) => choiceOf(each) !== undefined);
    const own = instance && choiceOf(instance);
    if (instance === undefined || own === undefined) continue;
    if (best === undefined || excess < best.excess || compareTurns(instance, best.instance) < 0)
      best = { instance, choice: own, excess };
  }
  return best;
}
