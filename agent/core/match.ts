/**
 * Who runs where, decided at the end of each step, in both directions.
 *
 *   a donor that changed  ──► chooses the target requester among all who wait, until nothing more fits it
 *   the target, or a request that is new ──► takes the best donor for it
 *
 * Nothing else can have become possible since the last step: a request that waited already and a donor that did not change
 * were tried against each other before. So a step costs what changed, not what waits.
 */
import { candidates } from './catalogue.ts';
import { whyNotEligible } from './donor.ts';
import { choose, donorObstacle } from './feasible.ts';
import { grant } from './lease.ts';
import { compareDonors, compareRequests, rankRequest, type RankedDonor, type RankedRequest } from './rank.ts';
import type { AlgorithmRecord } from './records.ts';
import type { Donor, Instance } from './state.ts';
import { dominantShare } from './capacity.ts';
import { headOf } from './waiting.ts';
import type { Turn } from './turn.ts';

export function match(turn: Turn): void {
  if (turn.state.stopping || turn.state.waiting.size === 0) return;
  for (const donor of turn.changedDonors) fillDonor(turn, donor);
  const meant = new Map<string, readonly AlgorithmRecord[]>();
  for (const instance of turn.newcomers) placeInstance(turn, instance, meant);
}

/** Grants to the target requester until nothing that waits fits any more. */
function fillDonor(turn: Turn, donor: Donor): void {
  const { state, now } = turn;
  if (whyNotEligible(state, donor, now) !== undefined) return;
  const shares = sharesInUse(turn);
  // Each round grants one instance, so it ends with the line or with the capacity.
  for (;;) {
    const target = chooseTargetRequester(turn, donor, shares);
    if (target === undefined) return;
    const algorithms = candidates(state, target.instance.task.record.selector);
    const best = bestDonorFor(turn, target.instance, algorithms) ?? { donor, choice: target.choice };
    grant(turn, target.instance, best.donor, best.choice.algorithm, best.choice.placement);
    const { vehicleId } = target.instance.task.record;
    const added = dominantShare(best.choice.placement.demand, best.donor.lendable);
    shares.set(vehicleId, (shares.get(vehicleId) ?? 0) + added);
  }
}

/** The one among all who wait that the donor's idle capacity should serve next. */
export function chooseTargetRequester(
  turn: Turn,
  donor: Donor,
  shares: ReadonlyMap<string, number>,
): RankedRequest | undefined {
  const { state, now } = turn;
  let best: RankedRequest | undefined;
  for (const group of state.waiting.groups()) {
    const instance = headOf(group);
    if (donorObstacle(state, instance, donor, now) !== undefined) continue;
    const choice = choose(candidates(state, group.selector), donor, now);
    if (choice === undefined) continue;
    const ranked = rankRequest(state, instance, donor, choice, shares, now);
    if (best === undefined || compareRequests(ranked, best) < 0) best = ranked;
  }
  return best;
}

function placeInstance(turn: Turn, instance: Instance, meant: Map<string, readonly AlgorithmRecord[]>): void {
  const { state } = turn;
  if (!state.waiting.has(instance)) return;
  const { selector } = instance.task.record;
  const key = selector.by === 'type' ? selector.type : `=${selector.algorithmId}@${selector.version ?? ''}`;
  let algorithms = meant.get(key);
  if (algorithms === undefined) meant.set(key, (algorithms = candidates(state, selector)));
  const best = bestDonorFor(turn, instance, algorithms);
  if (best !== undefined) grant(turn, instance, best.donor, best.choice.algorithm, best.choice.placement);
}

function bestDonorFor(
  turn: Turn,
  instance: Instance,
  algorithms: readonly AlgorithmRecord[],
): RankedDonor | undefined {
  const { state, now } = turn;
  let best: RankedDonor | undefined;
  for (const donor of state.donors.values()) {
    if (donorObstacle(state, instance, donor, now) !== undefined) continue;
    const choice = choose(algorithms, donor, now);
    if (choice === undefined) continue;
    const ranked = { donor, choice };
    if (best === undefined || compareDonors(ranked, best) < 0) best = ranked;
  }
  return best;
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
