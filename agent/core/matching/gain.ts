/**
 * What it is worth to start a run on a donor now, so that a freed donor takes the run by which most is gained: pure.
 *
 *   expected net   R·S(R) is gained if the donor stays to the end, else what was done until it leaves is lost
 *   ─────────── =  2·R·S(R) ÷ E[min(R, residual)] − 1  of the time that the run is expected to hold: from −1 to 1
 *   expected hold
 *
 * Short runs lose little when their donor leaves, long ones keep to those that stay: a high power of it tells them apart.
 */
import { dominantShare } from '../donors/capacity.ts';
import type { Choice } from '../feasible/feasible.ts';
import type { Donor, Instance } from '../state.ts';
import type { Now } from '@plugpool/proto';

/** Measured on real sessions (docs/harvest.md): 1 starts too many long runs where donors leave, 6 too few. */
const SHARPNESS = 3;

export function gainOf(instance: Instance, donor: Donor, choice: Choice, now: Now): number {
  const { runMs, placement } = choice;
  const ofDonor = dominantShare(placement.demand, donor.lendable);
  const slackMs = Math.max(0, instance.task.deadlineMonoMs - now.monoMs - runMs);
  // Who can wait for many of its run times will find another donor.
  const urgency = 1 / (slackMs / Math.max(1, runMs) + 1);
  return ofDonor * urgency * nearlyDone(instance, choice) * cubed(netPerHold(donor, choice));
}

/** A sure run that is occupied for all its length gives 1; where nothing is known to be gained, less than 0. */
function netPerHold({ stay }: Donor, { runMs, finishes }: Choice): number {
  const heldMs = Math.max(1, stay.residual.meanUntilMs(runMs));
  return (2 * runMs * finishes) / heldMs - 1;
}

/** What earlier attempts did is lost if this one never ends: the less is left, the more each moment of it saves. */
function nearlyDone({ checkpoint }: Instance, { way }: Choice): number {
  const left = Math.max(1, way.workMncs);
  return (((checkpoint?.doneMncs ?? 0) + left) / left) ** 2;
}

function cubed(net: number): number {
  return Math.sign(net) * Math.abs(net) ** SHARPNESS;
}
