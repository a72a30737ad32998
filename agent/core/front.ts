/**
 * Who stands in front of those who need the same: of the payers furthest below their fair share, the one whose turn is first;
 * or whose turn is first of all.
 */
import { isPossible } from './donor-search.ts';
import type { Choice } from './feasible.ts';
import { gangOf } from './gang.ts';
import { compareTurns } from './rank.ts';
import type { Donor, Instance } from './state.ts';
import type { Turn } from './turn.ts';
import type { WaitingGroup } from './waiting.ts';

/** `fair`: by fair share, then by turn; `due`: by turn alone. */
export type FrontOrder = 'fair' | 'due';

export interface Front {
  readonly instance: Instance;
  /** How far its payer is above its fair share. */
  readonly band: number;
}

/** Queues stand in the order of their first turns, so that few are looked at. */
export function frontOf(
  turn: Turn,
  group: WaitingGroup,
  order: FrontOrder,
  donor: Donor,
  choice: Choice,
): Front | undefined {
  const endMonoMs = turn.now.monoMs + choice.runMs;
  const suits = (instance: Instance): boolean =>
    instance.task.deadlineMonoMs >= endMonoMs &&
    gangOf(instance) === undefined &&
    isPossible(turn, instance, donor, choice);
  let best: Front | undefined;
  for (const queue of group.inTurn) {
    const comesLater = best !== undefined && compareTurns(queue.first(), best.instance) > 0;
    if (comesLater && best?.band === 0) break;
    const band = order === 'due' ? 0 : turn.state.usage.band(queue.payer, turn.now);
    if (best !== undefined && (band > best.band || (comesLater && band === best.band))) continue;
    const instance = queue.find(suits);
    if (instance === undefined) continue;
    if (best === undefined || band < best.band || compareTurns(instance, best.instance) < 0)
      best = { instance, band };
  }
  return best;
}
