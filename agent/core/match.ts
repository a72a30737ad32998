/**
 * Who runs where, decided at the end of each step, in both directions.
 *
 *   a donor that changed  ──► chooses the target requester among all who wait, until nothing more fits it
 *   the target, or a request that is new ──► takes the best donor for it
 *
 * Nothing else can have become possible since the last step: a request that waited already and a donor that did not change
 * were tried against each other before. So a step costs what changed, not what waits. What arrived together is planned
 * together: before anything is granted, what is placed moves, or steps back, where more is served by it (replan.ts).
 */
import { whyNotEligible } from './donor.ts';
import { DonorSearch } from './donor-search.ts';
import { frontOf, type FrontOrder } from './front.ts';
import { choose, type Choice } from './feasible.ts';
import { gangOf, placeGangs } from './gang.ts';
import type { Need } from './need.ts';
import { Plan, type Matching } from './plan.ts';
import { preempt } from './preempt.ts';
import { compareRequests, compareTurns, rankRequest, type RankedRequest } from './rank.ts';
import { replan } from './replan.ts';
import type { Donor, Instance } from './state.ts';
import type { Turn } from './turn.ts';
import type { WaitingGroup } from './waiting.ts';
import { worthOf } from './worth.ts';

export function match(turn: Turn): void {
  const { state, changedDonors, newcomers } = turn;
  reindex(turn);
  if (state.stopping || state.waiting.size === 0) return;
  if (changedDonors.size === 0 && newcomers.size === 0) return;
  const matching: Matching = { turn, plan: new Plan(turn) };
  placeGangs(matching);
  fillChangedDonors(matching);
  placeNewcomers(matching);
  for (const donor of replan(matching)) fillDonor(matching, donor);
  matching.plan.carryOut();
  preempt(matching);
}

/** Donors of which anything changed stand where they belong now, or nowhere while they may not be granted anything. */
function reindex({ state, touchedDonors, now }: Turn): void {
  for (const donor of touchedDonors)
    if (whyNotEligible(state, donor, now) === undefined) state.index.put(donor);
    else state.index.remove(donor);
}

function fillChangedDonors(matching: Matching): void {
  const { turn } = matching;
  for (const donor of turn.changedDonors) if (turn.state.index.has(donor)) fillDonor(matching, donor);
}

/** Plans for the target requester until nothing that waits fits any more. */
function fillDonor(matching: Matching, donor: Donor): void {
  const { turn, plan } = matching;
  // Each round places one instance, so it ends with the line or with the capacity.
  for (;;) {
    const target = chooseTargetRequester(turn, donor);
    if (target === undefined) return;
    const { instance, choice, need } = target;
    const best = new DonorSearch(turn, instance, need).run() ?? { donor, choice };
    plan.place({ instance, need, ...best });
  }
}

/** The one among all who wait that the donor's idle capacity should serve next. */
function chooseTargetRequester(turn: Turn, donor: Donor): RankedRequest | undefined {
  const { state } = turn;
  const isDuesTurn = state.grantsSinceDue + 1 >= state.settings.dueEvery;
  let best: RankedRequest | undefined;
  let due: RankedRequest | undefined;
  for (const group of state.waiting.groups()) {
    const choice = choose(state, group.need, donor, turn.now);
    if (choice === undefined) continue;
    const ranked = rankFront(turn, group, 'fair', donor, choice);
    if (ranked === undefined) continue;
    if (best === undefined || compareRequests(ranked, best) < 0) best = ranked;
    const first = rankFront(turn, group, 'due', donor, choice);
    if (first?.isDue !== true) continue;
    if (due === undefined || compareTurns(first.instance, due.instance) < 0) due = first;
  }
  const isFair = due === undefined || best?.instance === due.instance;
  if (!isFair) state.grantsSinceDue += 1;
  if (!isFair && !isDuesTurn) return best;
  state.grantsSinceDue = 0;
  return due ?? best;
}

function rankFront(
  turn: Turn,
  group: WaitingGroup,
  order: FrontOrder,
  donor: Donor,
  choice: Choice,
): RankedRequest | undefined {
  const front = frontOf(turn, group, order, donor, choice);
  return front && rankRequest(turn.state, front, donor, choice, group.need, turn.now);
}

/** Largest first, since small ones still find a place when the large ones have theirs. */
function placeNewcomers({ turn, plan }: Matching): void {
  const { state } = turn;
  /** Capacity only falls while a step plans: what did not fit for one does not fit for its equals. */
  const hopeless = new Set<Need>();
  for (const { instance, need } of inOrder(turn)) {
    if (hopeless.has(need) || !state.waiting.has(instance) || gangOf(instance) !== undefined) continue;
    const search = new DonorSearch(turn, instance, need);
    const best = search.run();
    if (best !== undefined) plan.place({ instance, need, ...best });
    else if (!search.metPersonalObstacle) hopeless.add(need);
  }
}

function inOrder({ state, newcomers }: Turn): { instance: Instance; need: Need; worth: number }[] {
  const all = [];
  for (const instance of newcomers) {
    const need = state.waiting.groupOf(instance)?.need;
    if (need !== undefined) all.push({ instance, need, worth: worthOf(state, need) });
  }
  return all.sort(
    (a, b) => b.need.priority - a.need.priority || b.worth - a.worth || compareTurns(a.instance, b.instance),
  );
}
