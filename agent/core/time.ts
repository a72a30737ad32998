/** What happens when a timer falls due; the names of the timers say what each is for. */
import type { ConnectorId, Digest, InstanceId, VehicleId } from '@plugpool/proto';
import { refuseAwaited } from './payloads/blobs.ts';
import { onUnverifiedTooLong, refreshDonor } from './donors/donor.ts';
import { loseLease, wakeAfterRest } from './leases/lost-lease.ts';
import type { AlgorithmClass } from './algorithms/feature.ts';
import { onPoolTimer } from './pools/watch.ts';
import { instanceOf } from './tasks/requests.ts';
import type { Task, TimerName } from './state.ts';
import { endTask } from './tasks/task-end.ts';
import { log, queue, type Turn } from './turn.ts';

/** The result did not come in time. */
export function onDeadline(turn: Turn, task: Task): void {
  const detail = task.instances.find(({ lastReason }) => lastReason !== '')?.lastReason ?? '';
  endTask(turn, task, { state: 'expired', failure: { code: 'deadline_passed', detail, stderrTail: '' } });
}

export function onTimer(turn: Turn, name: TimerName): void {
  const { state, now } = turn;
  const colon = name.indexOf(':');
  const id = name.slice(colon + 1);
  switch (name.slice(0, colon) as TimerKind) {
    case 'lease': {
      const instance = instanceOf(state, id as InstanceId);
      if (instance?.lease === undefined) return;
      const { revocation, vehicleId } = instance.lease;
      log(turn, 'info', 'lease expired', { instanceId: id, vehicleId });
      return loseLease(
        turn,
        instance,
        revocation?.outcome ?? 'expired',
        revocation?.reason ?? 'lease_expired',
      );
    }
    case 'revoke': {
      const instance = instanceOf(state, id as InstanceId);
      const revocation = instance?.lease?.revocation;
      if (instance === undefined || revocation === undefined) return;
      return loseLease(turn, instance, revocation.outcome, revocation.reason);
    }
    case 'stale': {
      const vehicleId = state.sessions.get(id as ConnectorId)?.identity?.vehicleId;
      const donor = vehicleId === undefined ? undefined : state.donors.get(vehicleId);
      if (donor !== undefined) refreshDonor(turn, donor);
      return;
    }
    case 'rested':
    case 'report':
    case 'review': {
      // It may be tried again, its last report is too old now, or its stay is to be looked at again.
      const [vehicleId] = id.split('/');
      const donor = state.donors.get(vehicleId as VehicleId);
      if (donor !== undefined) refreshDonor(turn, donor);
      return;
    }
    case 'unverified': {
      const donor = state.donors.get(id as VehicleId);
      if (donor !== undefined) onUnverifiedTooLong(turn, donor);
      return;
    }
    case 'blob':
      // Also for bytes that still trickle in. What arrived is kept: asked for again, they go on from there.
      turn.effects.abandons.push({ digest: id as Digest, keep: true });
      return refuseAwaited(turn, id as Digest, {
        code: 'input_unavailable',
        detail: 'the bytes did not arrive in time',
      });
    case 'deploy':
      // The step that it wakes goes on with them at its end.
      return;
    case 'pool':
      return onPoolTimer(turn, id as AlgorithmClass);
    case 'rest': {
      const instance = instanceOf(state, id as InstanceId);
      if (instance === undefined) return;
      for (const [vehicleId, untilMs] of instance.avoided ?? [])
        if (untilMs <= now.monoMs) instance.avoided?.delete(vehicleId);
      wakeAfterRest(state, instance);
      if (!state.waiting.has(instance)) return;
      // It joins its equals again, and looks for a donor as if it were new.
      state.waiting.remove(instance);
      return queue(turn, instance);
    }
  }
}

type TimerKind = TimerName extends `${infer Kind}:${string}` ? Kind : never;
