/** What becomes of an instance whose attempt came to nothing: back into the line, or given up where a bound is reached. */
import type { RevokeReason, VehicleId } from '@plugpool/proto';
import { dropCheck } from '../checks/judge-check.ts';
import { closeLease } from './lease.ts';
import { AVOIDED_DONORS_MAX } from '../limits.ts';
import type { AttemptOutcome } from '../records.ts';
import type { Instance, Lease, State } from '../state.ts';
import { endOrphan, endTask } from '../tasks/task-end.ts';
import { tellRequester } from '../tasks/task-news.ts';
import { takeUnconfirmed, wakeSiblings } from '../replicas/patience.ts';
import { firstOf, replicasOf } from '../replicas/replicas-of.ts';
import { queue, type Turn } from '../turn.ts';
import { programsOf } from '../waiting/need.ts';

const SESSION_REASONS: ReadonlySet<string> = new Set<RevokeReason>([
  'unplugged',
  'session_not_lending',
  'session_unverified',
  'draining',
  'ready_by',
  'station_power',
]);

const OPERATORS_DOING: ReadonlySet<string> = new Set<RevokeReason>(['draining', 'station_power']);

/** Departures and crashes are counted apart: a donor that leaves says nothing about the program. */
export function loseLease(turn: Turn, instance: Instance, outcome: AttemptOutcome, reason: string): void {
  const { state } = turn;
  // Of several that are lost together, one may have ended the task, and with it the others.
  if (instance.lease === undefined) return;
  const lease = closeLease(turn, instance, outcome, reason);
  if (instance.task.end !== undefined) return;
  if (instance.task.check !== undefined) return dropCheck(turn, instance);
  state.counters.savedMncs += Math.max(0, (instance.checkpoint?.doneMncs ?? 0) - lease.beganAtMncs);
  if (lease.revocation?.reason === 'preempted') instance.preempted = true;
  // The operator's doing, and no donor's.
  else if (OPERATORS_DOING.has(lease.revocation?.reason ?? '')) state.counters.departures += 1;
  else if (outcome === 'departed' || outcome === 'expired') {
    // A donor that left what it had done behind cost the task nothing.
    if ((instance.checkpoint?.doneMncs ?? 0) <= lease.beganAtMncs) instance.departures += 1;
    state.counters.departures += 1;
  }
  if (outcome === 'crashed') instance.crashes += 1;
  const bound = exhausted(turn, instance);
  if (bound !== undefined && !anotherRuns(instance)) {
    if (takeUnconfirmed(turn, instance)) return;
    const failure = { code: bound, detail: `last: ${reason}`, stderrTail: '' };
    return endTask(turn, instance.task, { state: 'dead', failure, donor: lease.vehicleId });
  }
  if (programsOf(turn.state, instance).length === 0) return endOrphan(turn, instance.task);
  if (shouldRest(instance, lease, outcome)) avoid(turn, instance, lease.vehicleId);
  instance.lastReason = reason;
  queue(turn, instance);
  wakeSiblings(turn, instance);
  tellRequester(turn, instance.task, { state: 'queued', attempt: instance.attempts, reason });
}

/**
 * What the firmware ended may begin again where the vehicle comes back, and so may what was lost once, by a vehicle that was
 * started anew. A donor that stays and loses it again would lose it without end.
 */
function shouldRest(instance: Instance, { revocation }: Lease, outcome: AttemptOutcome): boolean {
  if (outcome === 'crashed' || outcome === 'declined') return true;
  if (revocation?.reason === 'preempted') return false;
  const wasSession = revocation !== undefined && SESSION_REASONS.has(revocation.reason);
  return !wasSession && instance.departures > 1;
}

/** Its part may still come to something: who breaks one replica again and again must not end what others run. */
function anotherRuns(instance: Instance): boolean {
  return replicasOf(firstOf(instance)).some((other) => other !== instance && other.lease !== undefined);
}

function exhausted(turn: Turn, instance: Instance): 'donors_left' | 'donors_crashed' | undefined {
  if (instance.departures >= turn.state.settings.departuresMax) return 'donors_left';
  if (instance.crashes >= turn.state.settings.crashesMax) return 'donors_crashed';
  return undefined;
}

export function avoid(turn: Turn, instance: Instance, vehicleId: VehicleId): void {
  const { state, now } = turn;
  const avoided = (instance.avoided ??= new Map<VehicleId, number>());
  if (avoided.size >= AVOIDED_DONORS_MAX) avoided.clear();
  avoided.set(vehicleId, now.monoMs + state.settings.restMs);
  wakeAfterRest(state, instance);
}

/** At the end of the first rest: that donor may be the only one that fits. */
export function wakeAfterRest(state: State, instance: Instance): void {
  const name = `rest:${instance.instanceId}` as const;
  const { avoided } = instance;
  if (avoided === undefined || avoided.size === 0) state.timers.clear(name);
  else state.timers.set(name, Math.min(...avoided.values()));
}
