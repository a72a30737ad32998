/** The two orders of matching: of donors, as a request sees them, and of requests, as a freed donor sees them. Pure. */
import type { Now } from '@plugpool/proto';
import { dominantShare } from './capacity.ts';
import type { Choice } from './feasible.ts';
import type { Donor, Instance, State } from './state.ts';

export interface RankedDonor {
  readonly donor: Donor;
  readonly choice: Choice;
}

/**
 * Negative where `a` is the better donor for the same request: the preferred demand; an image that is there already; no GPU
 * left idle under a demand that needs none; the least loaded; the vehicle id, so that one seed always gives one order.
 */
export function compareDonors(a: RankedDonor, b: RankedDonor): number {
  return (
    a.choice.alternative - b.choice.alternative ||
    Number(b.choice.imageCached) - Number(a.choice.imageCached) ||
    Number(wastesGpu(a)) - Number(wastesGpu(b)) ||
    loadAfter(a) - loadAfter(b) ||
    (a.donor.vehicleId < b.donor.vehicleId ? -1 : 1)
  );
}

function wastesGpu({ donor, choice }: RankedDonor): boolean {
  return choice.placement.demand.gpu === undefined && donor.lendable.gpus.length > 0;
}

/** The share of the donor's scarcer dimension in use once the grant is made. */
function loadAfter({ donor, choice }: RankedDonor): number {
  const { demand } = choice.placement;
  const cpu =
    1 - (donor.free.cpuMillicores - demand.cpuMillicores) / Math.max(1, donor.lendable.cpuMillicores);
  const memory = 1 - (donor.free.memoryMib - demand.memoryMib) / Math.max(1, donor.lendable.memoryMib);
  return Math.max(cpu, memory);
}

export interface RankedRequest {
  readonly instance: Instance;
  readonly choice: Choice;
  /** Must start now to meet its deadline, or has waited longer than the bound: it goes before all fairness. */
  readonly pressing: boolean;
  /** Share of the pile that its requester holds already. */
  readonly requesterShare: number;
  /** How much of the donor's idle capacity it would use. */
  readonly fills: number;
}

export function rankRequest(
  state: State,
  instance: Instance,
  donor: Donor,
  choice: Choice,
  shares: ReadonlyMap<string, number>,
  now: Now,
): RankedRequest {
  const slackMs = instance.task.deadlineMonoMs - now.monoMs - choice.runMs;
  const waitedMs = now.monoMs - instance.queuedMonoMs;
  return {
    instance,
    choice,
    pressing: slackMs < choice.runMs || waitedMs >= state.settings.ageBoundMs,
    requesterShare: shares.get(instance.task.record.vehicleId) ?? 0,
    fills: dominantShare(choice.placement.demand, donor.free),
  };
}

/**
 * Negative where `a` is the target requester before `b`: pressing ones first, by age; then who holds less; then the demand
 * that fills more of what is idle; then who has waited longer.
 */
export function compareRequests(a: RankedRequest, b: RankedRequest): number {
  const byAge = a.instance.queuedMonoMs - b.instance.queuedMonoMs;
  if (a.pressing !== b.pressing) return a.pressing ? -1 : 1;
  if (a.pressing && byAge !== 0) return byAge;
  return (
    a.requesterShare - b.requesterShare ||
    b.fills - a.fills ||
    byAge ||
    (a.instance.instanceId < b.instance.instanceId ? -1 : 1)
  );
}
