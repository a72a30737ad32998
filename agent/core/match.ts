/**
 * Who runs where, decided at the end of each step, in both directions.
 *
 *   a donor that changed  ──► chooses the target requester among all who wait, until nothing more fits it
 *   the target, or a request that is new ──► takes the best donor for it
 *
 * Nothing else can have become possible since the last step: a request that waited already and a donor that did not change
 * were tried against each other before. So a step costs what changed, not what waits.
 */
import type { Selector } from '@plugpool/proto';
import { candidates } from './catalogue.ts';
import { whyNotEligible } from './donor.ts';
import { choose, pairObstacle, type Choice } from './feasible.ts';
import { grant } from './lease.ts';
import { compareDonors, compareRequests, rankRequest, type RankedDonor, type RankedRequest } from './rank.ts';
import type { AlgorithmRecord } from './records.ts';
import type { Donor, Instance } from './state.ts';
import { dominantShare } from './capacity.ts';
import { groupKey, headOf } from './waiting.ts';
import type { Turn } from './turn.ts';

/** What does not change while a step matches, looked up once. */
interface Matching {
  readonly turn: Turn;
  /** A grant takes no more than what is free: nobody stops being eligible meanwhile. */
  readonly eligible: ReadonlySet<Donor>;
  /** What each selector means. */
  readonly meant: Map<string, readonly AlgorithmRecord[]>;
}

export function match(turn: Turn): void {
  const { state, changedDonors, newcomers } = turn;
  if (state.stopping || state.waiting.size === 0) return;
  if (changedDonors.size === 0 && newcomers.size === 0) return;
  const matching: Matching = { turn, eligible: eligibleDonors(turn), meant: new Map() };
  fillChangedDonors(matching);
  placeNewcomers(matching);
}

function eligibleDonors({ state, now }: Turn): ReadonlySet<Donor> {
  const eligible = new Set<Donor>();
  for (const donor of state.donors.values())
    if (whyNotEligible(state, donor, now) === undefined) eligible.add(donor);
  return eligible;
}

function fillChangedDonors(matching: Matching): void {
  const { turn, eligible } = matching;
  const fillable = [...turn.changedDonors].filter((donor) => eligible.has(donor));
  if (fillable.length === 0) return;
  const shares = sharesInUse(turn);
  for (const donor of fillable) fillDonor(matching, donor, shares);
}

/** Grants to the target requester until nothing that waits fits any more. */
function fillDonor(matching: Matching, donor: Donor, shares: Map<string, number>): void {
  // Each round grants one instance, so it ends with the line or with the capacity.
  for (;;) {
    const target = chooseTargetRequester(matching, donor, shares);
    if (target === undefined) return;
    const best = bestDonorFor(matching, target.instance) ?? { donor, choice: target.choice };
    grant(matching.turn, target.instance, best.donor, best.choice.algorithm, best.choice.placement);
    const { vehicleId } = target.instance.task.record;
    const added = dominantShare(best.choice.placement.demand, best.donor.lendable);
    shares.set(vehicleId, (shares.get(vehicleId) ?? 0) + added);
  }
}

/** The one among all who wait that the donor's idle capacity should serve next. */
function chooseTargetRequester(
  matching: Matching,
  donor: Donor,
  shares: ReadonlyMap<string, number>,
): RankedRequest | undefined {
  const { state, now } = matching.turn;
  /** Who asks makes no difference to how a program would run here. */
  const choices = new Map<readonly AlgorithmRecord[], Choice | undefined>();
  let best: RankedRequest | undefined;
  for (const group of state.waiting.groups()) {
    const instance = headOf(group);
    if (pairObstacle(instance, donor, now) !== undefined) continue;
    const algorithms = meantBy(matching, group.selector);
    if (!choices.has(algorithms)) choices.set(algorithms, choose(algorithms, donor, now));
    const choice = choices.get(algorithms);
    if (choice === undefined) continue;
    const ranked = rankRequest(state, instance, donor, choice, shares, now);
    if (best === undefined || compareRequests(ranked, best) < 0) best = ranked;
  }
  return best;
}

function placeNewcomers(matching: Matching): void {
  const { turn } = matching;
  /** Capacity only falls while a step grants: what did not fit for one does not fit for its equals. */
  const hopeless = new Set<string>();
  for (const instance of turn.newcomers) {
    const key = groupKey(instance);
    if (hopeless.has(key) || !turn.state.waiting.has(instance)) continue;
    const best = bestDonorFor(matching, instance);
    if (best === undefined) hopeless.add(key);
    else grant(turn, instance, best.donor, best.choice.algorithm, best.choice.placement);
  }
}

function bestDonorFor(matching: Matching, instance: Instance): RankedDonor | undefined {
  const { now } = matching.turn;
  const algorithms = meantBy(matching, instance.task.record.selector);
  let best: RankedDonor | undefined;
  for (const donor of matching.eligible) {
    if (pairObstacle(instance, donor, now) !== undefined) continue;
    const choice = choose(algorithms, donor, now);
    if (choice === undefined) continue;
    const ranked = { donor, choice };
    if (best === undefined || compareDonors(ranked, best) < 0) best = ranked;
  }
  return best;
}

function meantBy({ turn, meant }: Matching, selector: Selector): readonly AlgorithmRecord[] {
  const key = selector.by === 'type' ? selector.type : `=${selector.algorithmId}@${selector.version ?? ''}`;
  let algorithms = meant.get(key);
  if (algorithms === undefined) meant.set(key, (algorithms = candidates(turn.state, selector)));
  return algorithms;
}

/** For each requester, the sum of its leases' dominant shares of their donors. */
function sharesInUse(turn: Turn): Map<string, number> {
  const shares = new Map<string, number>();
  for (const donor of turn.state.donors.values())
    for (const { lease, task } of donor.leased.values()) {
      if (lease === undefined) continue;
      const { vehicleId } = task.record;
      shares.set(vehicleId, (shares.get(vehicleId) ?? 0) + dominantShare(lease.demand, donor.lendable));
    }
  return shares;
}
