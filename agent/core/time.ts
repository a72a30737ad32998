/** What happens when a timer falls due; the names of the timers say what each is for. */
import { showCode } from './binding/codes.ts';
import { onSlotOver } from './binding/presence-slots.ts';
import type { ConnectorId, Digest, InstanceId, VehicleId } from '@plugpool/proto';
import { assertNever } from './assert-never.ts';
import { onCheckDue } from './checks/issue-check.ts';
import { onCreditDue } from './credits/end-credit.ts';
import { onSendDue } from './credits/send-credit.ts';
import { refuseAwaited, vehiclesWaitingFor } from './payloads/blobs.ts';
import { onUnverifiedTooLong, refreshDonor } from './donors/donor.ts';
import { loseLease, wakeAfterRest } from './leases/lost-lease.ts';
import type { AlgorithmClass } from './algorithms/feature.ts';
import { onPatienceOver } from './replicas/patience.ts';
import { shortOfQuorum } from './replicas/short-of-quorum.ts';
import { onCapDue } from './power/caps.ts';
import { onBudgetOver } from './power/watch-budget.ts';
import type { CreditId } from './records.ts';
import { onPoolTimer } from './pools/watch.ts';
import { onStale } from './sessions/firmware.ts';
import { instanceOf } from './tasks/open-task.ts';
import type { Task } from './state.ts';
import type { TimerName } from './timer-name.ts';
import { endTask } from './tasks/task-end.ts';
import { log, queue, type Turn } from './turn.ts';

/** The result did not come in time. */
export function onDeadline(turn: Turn, task: Task): void {
  const lastReason = task.instances.find((instance) => instance.lastReason !== '')?.lastReason ?? '';
  const detail = shortOfQuorum(turn.state, task) || lastReason;
  endTask(turn, task, { state: 'expired', failure: { code: 'deadline_passed', detail, stderrTail: '' } });
}

export function onTimer(turn: Turn, name: TimerName): void {
  const colon = name.indexOf(':');
  const kind = name.slice(0, colon) as TimerKind;
  const id = name.slice(colon + 1);
  switch (kind) {
    case 'lease':
      return onLeaseExpired(turn, id as InstanceId);
    case 'revoke':
      return onRevokeGraceOver(turn, id as InstanceId);
    case 'stale':
      return onStale(turn, id as ConnectorId);
    case 'report':
    case 'review':
    case 'judge':
    case 'settled':
      return lookAtDonor(turn, id as VehicleId);
    case 'rested':
      return lookAtDonor(turn, id.slice(0, id.indexOf('/')) as VehicleId);
    case 'unverified': {
      const donor = turn.state.donors.get(id as VehicleId);
      if (donor !== undefined) onUnverifiedTooLong(turn, donor);
      return;
    }
    case 'blob':
      return onBlobLate(turn, id as Digest);
    case 'deploy':
      // The step that it wakes goes on with them at its end.
      return;
    case 'pool':
      return onPoolTimer(turn, id as AlgorithmClass);
    case 'check':
      return onCheckDue(turn, id as VehicleId);
    case 'budget':
      return onBudgetOver(turn);
    case 'presence':
      return onSlotOver(turn, id as ConnectorId);
    case 'code':
      return showCode(turn, id as ConnectorId);
    case 'credit':
      return onCreditDue(turn, Number(id) as CreditId);
    case 'send':
      return onSendDue(turn, Number(id) as CreditId);
    case 'cap':
      return onCapDue(turn, id as ConnectorId);
    case 'replica': {
      const first = instanceOf(turn.state, id as InstanceId);
      if (first !== undefined) onPatienceOver(turn, first);
      return;
    }
    case 'rest':
      return onRestOver(turn, id as InstanceId);
    default:
      return assertNever(kind);
  }
}

function onLeaseExpired(turn: Turn, instanceId: InstanceId): void {
  const instance = instanceOf(turn.state, instanceId);
  if (instance?.lease === undefined) return;
  const { revocation, vehicleId } = instance.lease;
  log(turn, 'info', 'lease expired', { instanceId, vehicleId });
  loseLease(turn, instance, revocation?.outcome ?? 'expired', revocation?.reason ?? 'lease_expired');
}

function onRevokeGraceOver(turn: Turn, instanceId: InstanceId): void {
  const instance = instanceOf(turn.state, instanceId);
  const revocation = instance?.lease?.revocation;
  if (instance === undefined || revocation === undefined) return;
  loseLease(turn, instance, revocation.outcome, revocation.reason);
}

/** Its report is not fresh any more, its stay is to be looked at again, or it may be tried again. */
function lookAtDonor(turn: Turn, vehicleId: VehicleId): void {
  const donor = turn.state.donors.get(vehicleId);
  if (donor !== undefined) refreshDonor(turn, donor);
}

/** Also for bytes that still trickle in. What arrived is kept: asked for again, they go on from there. */
function onBlobLate(turn: Turn, digest: Digest): void {
  const why = { code: 'input_unavailable', detail: 'the bytes did not arrive in time' } as const;
  for (const vehicleId of vehiclesWaitingFor(turn.state, digest)) {
    turn.effects.abandons.push({ digest, vehicleId, keep: true });
    refuseAwaited(turn, digest, vehicleId, why);
  }
}

/** It may be tried again on a donor that it failed on: it joins its equals again, and looks for a donor as if it were new. */
function onRestOver(turn: Turn, instanceId: InstanceId): void {
  const { state, now } = turn;
  const instance = instanceOf(state, instanceId);
  if (instance === undefined) return;
  for (const [vehicleId, untilMs] of instance.avoided ?? [])
    if (untilMs <= now.monoMs) instance.avoided?.delete(vehicleId);
  wakeAfterRest(state, instance);
  if (!state.waiting.has(instance)) return;
  state.waiting.remove(instance);
  queue(turn, instance);
}

type TimerKind = TimerName extends `${infer Kind}:${string}` ? Kind : never;
