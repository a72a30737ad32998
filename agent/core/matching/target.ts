/**
 * Whom a donor with idle capacity serves: the target requester among all who wait, by the order of rank.ts; or who is owed the
 * grant, since it was passed over as often as may be (dues.ts).
 */
import { DonorSearch } from './donor-search.ts';
import { isOwed } from '../waiting/dues.ts';
import { choose, type Choice } from '../feasible/feasible.ts';
import { frontOf, type FrontOrder } from '../waiting/front.ts';
import { isKept } from './keep.ts';
import type { Matching } from './plan.ts';
import type { Priority } from '../tasks/priority.ts';
import { compareRequests, rankRequest, type RankedRequest } from './rank.ts';
import { compareTurns } from '../waiting/turn-queue.ts';
import type { Donor, Instance } from '../state.ts';
import type { Turn } from '../turn.ts';
import type { WaitingGroup } from '../waiting/waiting.ts';

/** Whom a donor may choose now. */
export interface Among {
  readonly priorityAbove: Priority | -1;
  /** Beside those, whoever is owed a turn that was not later than this. */
  readonly owedUntilMonoMs: number;
}

export const ALL: Among = { priorityAbove: -1, owedUntilMonoMs: Infinity };

/** Plans for the target requester until nothing that waits fits any more. */
export function fillDonor(matching: Matching, donor: Donor, among: Among): void {
  // Each round places one instance, so it ends with the line or with the capacity.
  for (;;) {
    const target = chooseTargetRequester(matching.turn, donor, among);
    if (target === undefined) return;
    placeTarget(matching, donor, target, among);
  }
}

/** On the best donor for it; but where one that changed would choose another, the target does not go before that one there. */
function placeTarget({ turn, plan }: Matching, donor: Donor, target: Target, among: Among): void {
  const { instance, need, choice } = target.chosen;
  const best = new DonorSearch(turn, instance, need).run() ?? { donor, choice };
  const isOther = best.donor !== donor && turn.changedDonors.has(best.donor);
  const there = isOther ? chooseTargetRequester(turn, best.donor, among) : target;
  const goesThere = there?.chosen.instance === instance;
  const passedOver = goesThere ? there.passedOver : target.passedOver;
  if (passedOver !== undefined) passedOver.passedOver += 1;
  plan.place({ instance, need, ...(goesThere ? best : { donor, choice }) });
}

interface Target {
  readonly chosen: RankedRequest;
  /** Who was due, and has to wait for it. */
  readonly passedOver: Instance | undefined;
}

/** The one among those who wait that the donor's idle capacity should serve next. */
function chooseTargetRequester(turn: Turn, donor: Donor, among: Among): Target | undefined {
  const { best, due } = candidatesFor(turn, donor, among);
  if (due !== undefined && due.instance.turnMonoMs <= among.owedUntilMonoMs)
    if (isOwed(turn.state, due.instance, turn.now)) return { chosen: due, passedOver: undefined };
  if (best === undefined) return undefined;
  return { chosen: best, passedOver: best.instance === due?.instance ? undefined : due?.instance };
}

/** Of those who are due and could run there, the one whose turn is first. */
export function dueOn(turn: Turn, donor: Donor): Instance | undefined {
  return candidatesFor(turn, donor, ALL).due?.instance;
}

interface Candidates {
  readonly best: RankedRequest | undefined;
  /** Of those who are due, the one whose turn is first. */
  readonly due: RankedRequest | undefined;
}

function candidatesFor(turn: Turn, donor: Donor, { priorityAbove }: Among): Candidates {
  const { state } = turn;
  let best: RankedRequest | undefined;
  let due: RankedRequest | undefined;
  for (const group of state.waiting.groups()) {
    if (group.need.isForGangs) continue;
    const choice = choose(state, group.need, donor, turn.now);
    if (choice === undefined) continue;
    const ranked = rankFront(turn, group, 'fair', donor, choice);
    if (ranked === undefined && !isKept(state, donor)) continue;
    const mayBeChosen = ranked !== undefined && group.need.priority > priorityAbove;
    if (mayBeChosen && (best === undefined || compareRequests(ranked, best) < 0)) best = ranked;
    const first = rankFront(turn, group, 'due', donor, choice);
    if (first?.isDue !== true) continue;
    if (due === undefined || compareTurns(first.instance, due.instance) < 0) due = first;
  }
  return { best, due };
}

function rankFront(
  turn: Turn,
  group: WaitingGroup,
  order: FrontOrder,
  donor: Donor,
  choice: Choice,
): RankedRequest | undefined {
  const front = frontOf(turn, group, order, donor, choice);
  return front && rankRequest(turn.state, front, donor, group.need, turn.now);
}
