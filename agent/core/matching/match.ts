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
import { whyNotEligible } from '../donors/donor.ts';
import { DonorSearch } from './donor-search.ts';
import { gangsToTry, passOver, placeGang, type Gang } from './gang.ts';
import type { Need } from '../waiting/need.ts';
import { releaseStarted, reviewKept } from './keep-review.ts';
import { keepForOneThatIsDue } from './keep-search.ts';
import { countPasses, settle } from './passes.ts';
import { Plan, type Matching } from './plan.ts';
import { preempt } from './preempt.ts';
import { compareTurns } from '../waiting/turn-queue.ts';
import { wakeForOwners } from '../replicas/owners-to-be-had.ts';
import { replan } from './replan.ts';
import type { Instance } from '../state.ts';
import { ALL, fillDonor, type Among } from './target.ts';
import type { Turn } from '../turn.ts';
import type { WaitingGroup } from '../waiting/waiting.ts';
import { worthOf } from './worth.ts';

export function match(turn: Turn): void {
  const { state, changedDonors, changedGroups, newcomers } = turn;
  reindex(turn);
  reviewKept(turn);
  if (state.stopping || state.waiting.size === 0) return;
  wakeForOwners(turn);
  if (changedDonors.size + changedGroups.size + newcomers.size === 0) return;
  const matching: Matching = { turn, plan: new Plan(turn) };
  placeGangs(matching);
  fillChangedDonors(matching, ALL);
  for (const group of changedGroups) placeGroup(matching, group);
  placeNewcomers(matching);
  const replanned = replan(matching);
  for (const donor of settle(matching, replanned)) fillDonor(matching, donor, ALL);
  for (const donor of releaseStarted(turn)) fillDonor(matching, donor, ALL);
  matching.plan.carryOut();
  placeReplicas(turn);
  preempt(matching);
  keepForOneThatIsDue(turn);
}

/** What was granted to a donor that is not believed alone runs elsewhere too, from the same step on where it can. */
function placeReplicas(turn: Turn): void {
  if (turn.newReplicas.length === 0) return;
  const plan = new Plan(turn);
  for (const instance of turn.newReplicas) {
    const need = instance.waitsIn?.need;
    const best = need && new DonorSearch(turn, instance, need).run();
    if (need !== undefined && best !== undefined) plan.place({ instance, need, ...best });
  }
  plan.carryOut();
}

/** Donors of which anything changed stand where they belong now, or nowhere while they may not be granted anything. */
function reindex({ state, touchedDonors, now }: Turn): void {
  for (const donor of touchedDonors)
    if (whyNotEligible(state, donor, now) === undefined) state.index.put(donor);
    else state.index.remove(donor);
}

/** A gang comes before those of its priority, since it fits more rarely; after those who are of a higher one, or owed. */
function placeGangs(matching: Matching): void {
  const { turn, plan } = matching;
  if (turn.state.gangs.size === 0) return;
  const left: Gang[] = [];
  let filledAbove: Among['priorityAbove'] | undefined;
  for (const gang of gangsToTry(turn)) {
    const { isOwed, need, first } = gang;
    if (isOwed) fillChangedDonors(matching, { priorityAbove: 3, owedUntilMonoMs: first.turnMonoMs });
    // Capacity only falls while a step plans: who was served nothing before one gang is served nothing before the next.
    else if (filledAbove !== need.priority) {
      filledAbove = need.priority;
      fillChangedDonors(matching, { priorityAbove: need.priority, owedUntilMonoMs: Infinity });
    }
    const placed = placeGang(matching, gang);
    if (placed === undefined) left.push(gang);
    else countPasses(matching, placed);
  }
  if (plan.size > 0) for (const gang of left) passOver(matching, gang);
}

function fillChangedDonors(matching: Matching, among: Among): void {
  const { turn } = matching;
  for (const donor of turn.changedDonors) if (turn.state.index.has(donor)) fillDonor(matching, donor, among);
}

/** Largest first, since small ones still find a place when the large ones have theirs. */
function placeNewcomers({ turn, plan }: Matching): void {
  const { state } = turn;
  /** Capacity only falls while a step plans: what did not fit for one does not fit for its equals. */
  const hopeless = new Set<Need>();
  for (const { instance, need } of inOrder(turn)) {
    if (need.isForGangs || hopeless.has(need) || !state.waiting.has(instance)) continue;
    const search = new DonorSearch(turn, instance, need);
    const best = search.run();
    if (best !== undefined) plan.place({ instance, need, ...best });
    else if (!search.metPersonalObstacle) hopeless.add(need);
  }
}

/** The first is found at once, and mostly tells of all: the others are put in order only where it does not. */
function* inTurnsOf(inTurn: WaitingGroup['inTurn']): Generator<Instance> {
  const first = inTurn[0]?.first();
  if (first === undefined) return;
  const others = (): Instance[] => inTurn.flatMap((queue) => [...queue]).filter((each) => each !== first);
  yield first;
  yield* others().sort(compareTurns);
}

/** Those of a group in the order of their turns, until one fits nowhere that the others could not fit on either. */
function placeGroup({ turn, plan }: Matching, { need, inTurn }: WaitingGroup): void {
  if (need.isForGangs) return;
  for (const instance of inTurnsOf(inTurn)) {
    const search = new DonorSearch(turn, instance, need);
    const best = search.run();
    if (best !== undefined) plan.place({ instance, need, ...best });
    else if (!search.metPersonalObstacle) return;
  }
}

function inOrder({ state, newcomers }: Turn): { instance: Instance; need: Need; worth: number }[] {
  const all = [];
  for (const instance of newcomers) {
    const need = instance.waitsIn?.need;
    if (need !== undefined) all.push({ instance, need, worth: worthOf(state, need) });
  }
  return all.sort(
    (a, b) => b.need.priority - a.need.priority || b.worth - a.worth || compareTurns(a.instance, b.instance),
  );
}
