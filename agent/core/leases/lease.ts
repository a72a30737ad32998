/**
 * The right of a donor to run one attempt.
 *
 *   granted ──► held ──► revoking ──► released
 *      └──────────┴─────────┴───────► expired
 *
 * `granted` the offer is the grant; `held` it was renewed at least once, so the attempt runs; `revoking` it ends at the
 * grace, a result that comes before still counts; `released` and `expired` leases are no more: the fencing token is void.
 * Renewals live in memory. What becomes of an instance that lost its lease is in lost-lease.ts.
 */
import type { FencingToken, RevokeReason } from '@plugpool/proto';
import { noteGranted } from '../credits/open-credit.ts';
import { freeOf } from '../donors/capacity.ts';
import { checkpointEveryMs, graceMsOf } from './checkpoint-interval.ts';
import type { Choice } from '../feasible/feasible.ts';
import { learnFromGrant } from '../learned/learn.ts';
import { offerFor } from './offer.ts';
import { nextNumber } from '../numbers.ts';
import { beginMetered } from '../ledger/metered-energy.ts';
import { bookKept } from '../ledger/bookings.ts';
import { owedMncs } from '../ledger/owed.ts';
import { countLease } from '../pools/pools.ts';
import type { Priority } from '../tasks/priority.ts';
import { classOfAlgorithm } from '../algorithms/profile.ts';
import type { AttemptOutcome } from '../records.ts';
import { quorumAtGrant, replicate } from '../replicas/at-grant.ts';
import { keepsState } from '../replicas/keeps-state.ts';
import { isAskedFor, isReplicated } from '../replicas/replicas-of.ts';
import type { Donor, Instance, Lease, State, Task } from '../state.ts';
import { log, send, write, type Turn } from '../turn.ts';

/** In which way, and where on the donor. */
type Granted = Pick<Choice, 'way' | 'placement'>;

/** Of a plan that has taken the donor's capacity, and that of the sub-pool, and the instance from the line already. */
export function grant(
  turn: Turn,
  instance: Instance,
  donor: Donor,
  choice: Granted,
  priority: Priority,
): void {
  const { state, now } = turn;
  const connectorId = state.connectorOf.get(donor.vehicleId);
  const clientId = donor.clientId;
  if (connectorId === undefined || clientId === undefined)
    throw new Error(`grant to ${donor.vehicleId}, which is not plugged in and connected`);
  const quorum = quorumAtGrant(turn, instance, donor, choice.way);
  const everyMs = everyMsOf(turn, instance, donor, choice.way);
  const fencingToken = nextNumber(turn) as FencingToken;
  const lease: Lease = {
    vehicleId: donor.vehicleId,
    connectorId,
    ...termsOf(state, instance, choice),
    priority,
    ...(everyMs === undefined ? {} : { checkpointEveryMs: everyMs }),
    fencingToken,
    grantedWallMs: now.wallMs,
    grantedMonoMs: now.monoMs,
    phase: 'granted',
    progressPermille: 0,
    ...beginMetered(turn, { vehicleId: donor.vehicleId, connectorId }, fencingToken),
  };
  instance.lease = lease;
  learnFromGrant(turn, instance, lease);
  noteGranted(turn, lease);
  instance.attempts += 1;
  instance.passedOver = 0;
  donor.leased.set(instance.instanceId, instance);
  state.roomMadeFor.delete(instance);
  state.timers.set(`lease:${instance.instanceId}`, now.monoMs + state.settings.leaseMs);
  state.grantCounter += 1;
  state.counters.granted += 1;
  turn.changedInstances.set(instance.instanceId, instance);
  if (quorum > 1) replicate(turn, instance, quorum, choice.way);
  send(turn, clientId, offerFor(turn, instance, lease));
  log(turn, 'debug', 'lease granted', {
    instanceId: instance.instanceId,
    vehicleId: donor.vehicleId,
    attempt: instance.attempts,
    algorithm: choice.way.algorithm.id,
  });
}

/** A replica that the pile alone wants is told to keep its state like any other run: else its donor would know that it is checked. */
function everyMsOf(
  { state, now }: Turn,
  instance: Instance,
  donor: Donor,
  granted: Granted['way'],
): number | undefined {
  const { checkpoints } = granted.algorithm;
  const isSecret = isReplicated(instance) && !isAskedFor(instance);
  const way = isSecret
    ? { ...granted, checkpoints: state.settings.checkpoints && checkpoints === true }
    : granted;
  if (isAskedFor(instance) || !keepsState(state, way, donor, now)) return undefined;
  return checkpointEveryMs(state.settings, way, donor, now.monoMs);
}

function termsOf(state: State, instance: Instance, { way, placement }: Granted): Terms {
  const { task, checkpoint } = instance;
  return {
    algorithm: way.algorithm,
    ...placement,
    pool: classOfAlgorithm(state, way.algorithm),
    workMncs: way.workMncs,
    ...budgetOf(task, owedMncs(instance)),
    beganAtMncs: checkpoint?.doneMncs ?? 0,
  };
}

type Terms = Pick<
  Lease,
  'algorithm' | 'demand' | 'gpuDeviceId' | 'pool' | 'workMncs' | 'budgetMncs' | 'beganAtMncs'
>;

/** Each part may take its share of what the request may cost, less what its attempts before are owed. */
export function budgetOf({ record: { wants } }: Task, spentMncs: number): Pick<Lease, 'budgetMncs'> {
  // Not by the instances that are there: while a start loads them, there are none yet.
  const { budgetMncs, instances = 1 } = wants ?? {};
  if (budgetMncs === undefined) return {};
  return { budgetMncs: Math.max(0, Math.floor(budgetMncs / instances) - spentMncs) };
}

/** The donor says that the attempt runs. */
export function renew(turn: Turn, instance: Instance, lease: Lease): void {
  // A renewal does not prolong what is being taken away.
  if (lease.phase === 'revoking') return;
  lease.phase = 'held';
  turn.state.usage.settle(instance.task.payer, turn.now);
  turn.state.timers.set(`lease:${instance.instanceId}`, turn.now.monoMs + turn.state.settings.leaseMs);
}

/** Tells the donor to stop; the lease is void when the grace is over (time.ts). */
export function revoke(turn: Turn, instance: Instance, reason: RevokeReason): void {
  const { state, now } = turn;
  const { lease } = instance;
  if (lease === undefined) return;
  const graceMs = graceMsOf(state.settings, lease);
  lease.phase = 'revoking';
  lease.revocation = { outcome: 'departed', reason };
  state.timers.set(`revoke:${instance.instanceId}`, now.monoMs + graceMs);
  sayRevoked(turn, instance, lease, reason, graceMs);
}

/** Tells the donor to stop, and voids the lease in the same step: nothing that the donor says now could count. */
export function revokeAtOnce(
  turn: Turn,
  instance: Instance,
  reason: RevokeReason,
  outcome: AttemptOutcome,
): void {
  const { lease } = instance;
  if (lease === undefined) return;
  sayRevoked(turn, instance, lease, reason, 0);
  closeLease(turn, instance, outcome, reason);
}

function sayRevoked(
  turn: Turn,
  instance: Instance,
  lease: Lease,
  reason: RevokeReason,
  graceMs: number,
): void {
  const { instanceId } = instance;
  const { vehicleId, fencingToken } = lease;
  const clientId = turn.state.donors.get(vehicleId)?.clientId;
  if (clientId !== undefined)
    send(turn, clientId, { kind: 'revoke', lease: { instanceId, fencingToken }, reason, graceMs });
  log(turn, 'info', 'lease revoked', { instanceId, vehicleId, reason, graceMs });
}

/** The attempt is over: its fencing token is void, the donor's capacity is free, its history is written. */
export function closeLease(turn: Turn, instance: Instance, outcome: AttemptOutcome, reason: string): Lease {
  const { state, now } = turn;
  const { lease } = instance;
  if (lease === undefined) throw new Error(`${instance.instanceId} has no lease to close`);
  if (outcome !== 'completed') bookKept(turn, instance, lease);
  instance.lease = undefined;
  state.usage.stop(instance.task.payer, lease.demand, now);
  state.timers.clear(`lease:${instance.instanceId}`);
  state.timers.clear(`revoke:${instance.instanceId}`);
  write(turn, {
    change: 'insertAttempt',
    attempt: {
      instanceId: instance.instanceId,
      taskId: instance.task.record.taskId,
      attempt: instance.attempts,
      fencingToken: lease.fencingToken,
      vehicleId: lease.vehicleId,
      algorithmId: lease.algorithm.id,
      algorithmVersion: lease.algorithm.version,
      startedWallMs: lease.grantedWallMs,
      endedWallMs: now.wallMs,
      outcome,
      reason,
      ...(lease.handedIn === true ? { handedIn: true } : {}),
    },
  });
  turn.changedInstances.set(instance.instanceId, instance);
  countLease(state.pools, lease.pool, lease.demand, -1);
  const donor = state.donors.get(lease.vehicleId);
  if (donor !== undefined) {
    donor.leased.delete(instance.instanceId);
    donor.free = freeOf(donor.lendable, leasesOf(donor));
    turn.changedDonors.add(donor);
    turn.touchedDonors.add(donor);
  }
  forgetRoomFor(state, lease.revokedFor);
  return lease;
}

/** What was taken back for it is free: where it still waits, room may be made for it again. */
function forgetRoomFor(state: State, instance: Instance | undefined): void {
  const left = instance === undefined ? undefined : state.roomMadeFor.get(instance);
  if (instance === undefined || left === undefined) return;
  if (left > 1) state.roomMadeFor.set(instance, left - 1);
  else state.roomMadeFor.delete(instance);
}

/** Those being revoked among them: they take what they take until they are void. */
export function leasesOf(donor: Donor): Lease[] {
  const leases: Lease[] = [];
  for (const { lease } of donor.leased.values()) if (lease !== undefined) leases.push(lease);
  return leases;
}
