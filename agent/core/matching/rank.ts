/** The two orders of matching: of donors, as a request sees them, and of requests, as a freed donor sees them. Pure. */
import type { Now } from '@plugpool/proto';
import { dominantShare } from '../donors/capacity.ts';
import { isDue } from '../waiting/dues.ts';
import type { Choice } from '../feasible/feasible.ts';
import type { Front } from '../waiting/front.ts';
import type { Need } from '../waiting/need.ts';
import { standing } from '../pools/pools.ts';
import type { Donor, Instance, State } from '../state.ts';
import { gainOf } from './gain.ts';
import { compareTurns } from '../waiting/turn-queue.ts';

export interface RankedDonor {
  readonly donor: Donor;
  readonly choice: Choice;
}

const FINISH_CLASSES = 20;

/**
 * Negative where `a` is the better donor for the same request: the preferred demand; an image that is there already; no GPU
 * left idle under a demand that needs none; where it is likelier to finish, in steps of a twentieth; the shortest stay, so that
 * short runs fill the ends; the fullest, so that large gaps stay large; the vehicle id, so that one seed gives one order.
 */
export function compareDonors(a: RankedDonor, b: RankedDonor): number {
  return (
    a.choice.way.alternative - b.choice.way.alternative ||
    Number(b.choice.imageCached) - Number(a.choice.imageCached) ||
    Number(wastesGpu(a)) - Number(wastesGpu(b)) ||
    finishClassOf(b) - finishClassOf(a) ||
    stayClassOf(a.donor) - stayClassOf(b.donor) ||
    leftAfter(a) - leftAfter(b) ||
    (a.donor.vehicleId < b.donor.vehicleId ? -1 : 1)
  );
}

function wastesGpu({ donor, choice }: RankedDonor): boolean {
  return choice.placement.demand.gpu === undefined && donor.lendable.gpus.length > 0;
}

function finishClassOf({ choice: { finishes } }: RankedDonor): number {
  return Math.floor(finishes * FINISH_CLASSES);
}

function stayClassOf({ stay }: Donor): number {
  return Math.floor(Math.log2(Math.max(1, stay.mayStayMs)));
}

/** The share of the donor's scarcer dimension that is idle once the grant is made. */
function leftAfter({ donor, choice }: RankedDonor): number {
  const { demand } = choice.placement;
  const cpu = (donor.free.cpuMillicores - demand.cpuMillicores) / Math.max(1, donor.lendable.cpuMillicores);
  const memory = (donor.free.memoryMib - demand.memoryMib) / Math.max(1, donor.lendable.memoryMib);
  return Math.min(cpu, memory);
}

export interface RankedRequest {
  readonly instance: Instance;
  readonly choice: Choice;
  readonly need: Need;
  /** Its class is inside its sub-pool, also with this grant; 1: it borrows. */
  readonly borrows: 0 | 1;
  /** How far its payer is above what is tolerated. */
  readonly excess: number;
  /** It has waited for the bound. */
  readonly isDue: boolean;
  /** It goes on from a checkpoint: what it has done is lost if it comes too late, and its payer has paid for it already. */
  readonly resumes: boolean;
  /** What is gained by starting it here now. */
  readonly gain: number;
  /** How much of the donor's idle capacity it would use. */
  readonly fills: number;
}

/**
 * Negative where `a` is the target requester before `b`: the higher priority; whose class is within its sub-pool; what goes on from a
 * checkpoint; whose payer is less above its fair share; by whose start here more is gained (gain.ts); what fills more of the
 * donor; whose turn is earlier.
 */
export function compareRequests(a: RankedRequest, b: RankedRequest): number {
  return (
    b.need.priority - a.need.priority ||
    a.borrows - b.borrows ||
    Number(b.resumes) - Number(a.resumes) ||
    a.excess - b.excess ||
    b.gain - a.gain ||
    b.fills - a.fills ||
    compareTurns(a.instance, b.instance)
  );
}

export function rankRequest(
  state: State,
  { instance, choice, excess }: Front,
  donor: Donor,
  need: Need,
  now: Now,
): RankedRequest {
  return {
    instance,
    choice,
    need,
    borrows: standing(state.pools, choice.way.class, choice.placement.demand) === 'within' ? 0 : 1,
    excess,
    isDue: isDue(instance, now),
    resumes: instance.checkpoint !== undefined,
    gain: gainOf(instance, donor, choice, now),
    fills: dominantShare(choice.placement.demand, donor.free),
  };
}
