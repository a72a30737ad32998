/** Each obstacle as a sentence for the operator, with its numbers. */
import { assertNever } from '../assert-never.ts';
import type { Obstacle } from '../feasible/feasible.ts';
import type { Donor } from '../state.ts';
import { barInWords, counted, lengthInWords, probability, thousands, watts } from './figures.ts';
import type { Told } from './obstacles.ts';

/** `session`: the state of its charging session, as the firmware says. */
export function toldInWords(told: Told, donor: Donor, session: string): string {
  const words = inWords(told, donor, session);
  return told.way === undefined ? words : `${told.way}: ${words}`;
}

function inWords(obstacle: Obstacle, donor: Donor, session: string): string {
  switch (obstacle.test) {
    case 'not_connected':
      return 'its client is not connected';
    case 'not_plugged':
      return 'the firmware does not say that it is plugged in';
    case 'session_unverified':
      return 'the firmware of its connector is not heard';
    case 'session_not_lending':
      return `its charging session is ${session}, which does not lend`;
    case 'identity_too_weak':
      return 'it is not known surely enough that it is the vehicle that is plugged in';
    case 'identity_disputed':
      return 'another vehicle was named at its connector in the same stay';
    case 'policy_not_lending':
      return policyInWords(donor);
    case 'capacity_stale':
      return donor.report === undefined
        ? 'it has not said yet what it lends'
        : 'its last capacity report is too old';
    case 'overdrawn':
      return 'it lends less than before, and runs are being taken back';
    case 'ready_by':
      return 'computing would keep its battery from being charged when its driver leaves';
    case 'settling':
      return 'it was plugged in and out again and again, and is left in peace for a while';
    case 'draining':
      return 'the operator drains it, or the whole pile';
    case 'agent_stopping':
      return 'the agent is stopping';
    case 'own_request':
      return 'it is the vehicle that asks';
    case 'same_owner':
      return 'its owner has another replica of it, and cannot confirm its own result';
    case 'too_few_owners':
      return `${obstacle.need} owners must agree, and vehicles of ${obstacle.have} are known here: nothing is computed before`;
    case 'resting':
      return `the task failed there, it is tried again in ${lengthInWords(obstacle.forMs)}`;
    case 'algorithm_not_allowed':
      return `its owner does not allow ${obstacle.algorithm}`;
    case 'runtime_missing':
      return `it has no ${obstacle.runtime} runtime`;
    case 'leaving_too_soon':
      return `leaving too soon: P = ${probability(obstacle.millis)} < ${barInWords(obstacle.barMillis)} that it stays for the ${lengthInWords(obstacle.needMs)} of the run`;
    case 'too_little_progress':
      return `leaving too soon: it is expected to get on by ${lengthInWords(obstacle.expectMs, Math.floor)} of run before it leaves, and ${lengthInWords(obstacle.needMs)} are worth a start`;
    case 'deadline_too_close':
      return `the run takes ${lengthInWords(obstacle.needMs)} there, ${deadlineInWords(obstacle)}`;
    case 'kept_for_another':
      return `what fits is kept for a request whose turn came first, which is expected to start ${startInWords(obstacle.forMs)}`;
    case 'station_power':
      return `power: needs ${watts(obstacle.needMw)}, and the limit of the station leaves ${watts(obstacle.haveMw, Math.floor)}`;
    case 'station_power_unknown':
      return `power: the station has a limit, and what ${counted(obstacle.connectors, 'connector')} draw is not known`;
    case 'waits_for_all':
      return `this part would fit, but all ${obstacle.need} start together, and ${obstacle.have} would fit now`;
    case 'not_trusted':
      return 'the requester does not trust it with its data';
    case 'constraint_not_met':
      return `the requester's constraint does not hold: ${obstacle.constraint}`;
    case 'owner_constraint_not_met':
      return `its owner's constraint does not hold: ${obstacle.constraint}`;
    case 'donor_resting':
      return `it failed or was slow where others were not, and rests for ${lengthInWords(obstacle.forMs)}`;
    case 'cpu':
      return `cpu: needs ${thousands(Number(obstacle.need))} millicores, ${freeInWords(obstacle.have, donor.lendable.cpuMillicores)}`;
    case 'memory':
      return `memory: needs ${thousands(Number(obstacle.need))} MiB, ${freeInWords(obstacle.have, donor.lendable.memoryMib)}`;
    case 'gpu_share':
      return `gpu: needs ${thousands(Number(obstacle.need))} thousandths, ${gpuFreeInWords(obstacle.have, donor, (gpu) => gpu.shareMillis)}`;
    case 'vram':
      return `gpu memory: needs ${thousands(Number(obstacle.need))} MiB, ${gpuFreeInWords(obstacle.have, donor, (gpu) => gpu.vramMib)}`;
    case 'gpu_model':
      return `gpu: needs the model ${obstacle.need}, it has ${obstacle.have}`;
    default:
      return assertNever(obstacle);
  }
}

function startInWords(forMs: number): string {
  return forMs === 0 ? 'as soon as runs there are through' : `in ${lengthInWords(forMs)}`;
}

function policyInWords({ report }: Donor): string {
  if (report?.lending === true) return 'its owner lends only while it charges';
  const reason = report?.reason ?? '';
  return `its owner does not lend now${reason === '' ? '' : `: ${reason}`}`;
}

/** A run that checkpoints may be through in time there, and late where it has to go on elsewhere. */
function deadlineInWords({ needMs, haveMs }: { readonly needMs: number; readonly haveMs: number }): string {
  if (haveMs <= 0) return 'the deadline is over';
  const words = `the deadline is in ${lengthInWords(haveMs, Math.floor)}`;
  return needMs <= haveMs ? `${words}, too soon to go on elsewhere if this one leaves` : words;
}

/** Less than nothing is free where runs are being taken back. */
function freeInWords(free: number | string, lent: number): string {
  return `${thousands(Math.max(0, Number(free)))} free of ${thousands(lent)} lent`;
}

/** Of several devices the best is told: a demand is met by one of them. */
function gpuFreeInWords(
  free: number | string,
  { lendable: { gpus } }: Donor,
  of: (gpu: Donor['lendable']['gpus'][number]) => number,
): string {
  if (gpus.length === 0) return 'it lends no GPU';
  const on = gpus.length === 1 ? '' : ` on the best of ${gpus.length} devices`;
  return `${thousands(Math.max(0, Number(free)))} free of ${thousands(Math.max(...gpus.map(of)))}${on}`;
}
