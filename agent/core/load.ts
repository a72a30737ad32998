/** The state that a start, or a failed commit, finds on disk; what was only observed is carried over from before. */
import type { Now } from '@plugpool/proto';
import type { AlgorithmRecord, InstanceRecord, LeaseRecord, StoredState } from './records.ts';
import { carryDonor } from './donors/known-donors.ts';
import { loadCredits } from './credits/load-credits.ts';
import { DRAINING_NAME, loadDraining } from './donors/draining.ts';
import { loadBindings } from './binding/bindings.ts';
import { loadRemembered, REMEMBERED_NAME } from './binding/remembered.ts';
import { countAsking } from './waiting/asked.ts';
import { keepLearned, loadLearned } from './learned/learn.ts';
import { carryNumbers } from './numbers.ts';
import { joinLine } from './waiting/line.ts';
import { watchGang } from './matching/gang.ts';
import { loadPools } from './pools/load-pools.ts';
import { countLease } from './pools/pools.ts';
import { CAPS_NAME, carryCaps, loadCaps } from './power/caps.ts';
import { priorityOf } from './tasks/priority.ts';
import { classOfAlgorithm } from './algorithms/profile.ts';
import { newInstance, numberOf, openTask } from './tasks/open-task.ts';
import type { Settings } from './settings.ts';
import { algorithmKey } from './algorithms/algorithm-key.ts';
import { emptyState, type Instance, type Lease, type State, type Task } from './state.ts';
import { countInline, forgetPayloads } from './payloads/inline-bytes.ts';
import { donorOf } from './turn.ts';
import { freeOf } from './donors/capacity.ts';
import { watchSettling } from './donors/restless.ts';
import { watchSession } from './sessions/firmware.ts';
import { loadSeedKey } from './leases/seed.ts';
import { everyMsAfterRestart } from './leases/checkpoint-interval.ts';
import { budgetOf, leasesOf } from './leases/lease.ts';
import { loadMetered } from './ledger/metered-energy.ts';
import { owedMncs } from './ledger/owed.ts';
import { askedMncs } from './waiting/need.ts';

export function loadState(stored: StoredState, settings: Settings, now: Now, before?: State): State {
  const state = emptyState(settings, stored.generation);
  for (const algorithm of stored.algorithms)
    state.algorithms.set(algorithmKey(algorithm.id, algorithm.version), algorithm);
  loadPools(state, stored.learned, now);
  loadSeedKey(state, stored.learned);
  state.bindings = loadBindings(stored.bindings);
  if (!loadRemembered(state, stored.learned.get(REMEMBERED_NAME))) state.damaged.push(REMEMBERED_NAME);
  if (!loadDraining(state, stored.learned.get(DRAINING_NAME))) state.damaged.push(DRAINING_NAME);
  loadCredits(state, stored, now);
  if (!loadCaps(state, stored.learned.get(CAPS_NAME), now)) state.damaged.push(CAPS_NAME);
  for (const closed of stored.closedTasks) {
    const { vehicleId, requestId, taskId, bodyHash } = closed;
    const endedMonoMs = now.monoMs - endedAgo(closed, now);
    state.requests.close(vehicleId, requestId, { taskId, bodyHash, endedMonoMs });
  }
  if (before === undefined) loadLearned(state, stored, now);
  else carryOver(state, before, now);
  loadMetered(state, stored.learned, before);
  for (const open of stored.openTasks) loadTask(state, open, now);
  for (const donor of state.donors.values()) donor.free = freeOf(donor.lendable, leasesOf(donor));
  return state;
}

/** What the world said is true whatever became of our decisions: connections, sessions, what vehicles have and lend. */
function carryOver(state: State, before: State, now: Now): void {
  keepLearned(state, before, now);
  state.random = before.random;
  for (const [id, client] of before.clients) state.clients.set(id, client);
  for (const [id, session] of before.sessions) {
    state.sessions.set(id, session);
    watchSession(state, session, now);
  }
  carryCodes(state, before, now);
  for (const [vehicleId, connectorId] of before.connectorOf) state.connectorOf.set(vehicleId, connectorId);
  for (const donor of before.donors.values()) {
    carryDonor(state, { ...donor, leased: new Map(), free: donor.lendable });
    watchSettling(state, donor);
  }
  for (const [digest, awaited] of before.awaitedBlobs) {
    state.awaitedBlobs.set(digest, awaited);
    state.timers.set(`blob:${digest}`, awaited.untilMonoMs);
  }
  Object.assign(state.counters, before.counters);
  state.stopping = before.stopping;
  state.taskCounter = before.taskCounter;
  state.grantCounter = before.grantCounter;
  carryCaps(state, before, now);
  carryNumbers(state, before);
}

function loadTask(state: State, open: OpenTask, now: Now): void {
  const record = open.task;
  const task = openTask(state, record, now.monoMs + timeLeft(open, now));
  countInline(state, record, 1);
  countAsking(state, record, 1);
  if (open.end !== undefined) {
    task.end = open.end;
    task.endedMonoMs = now.monoMs - endedAgo({ ...open.end, ...open }, now);
    countAsking(state, record, -1);
    forgetPayloads(state, task);
    state.deadlines.drop();
  }
  task.instances = [...open.instances]
    .sort((one, other) => numberOf(one.instanceId) - numberOf(other.instanceId))
    .map((instance) => loadInstance(state, task, instance, timeSinceAccepted(open, now), now));
  if (task.instances.some(({ attempts }) => attempts > 0)) task.hasStarted = true;
  if (task.end !== undefined) return;
  watchGang(state, task);
  // Only now is it known whether they start together.
  for (const instance of task.instances)
    if (instance.lease === undefined && instance.result === undefined && !instance.settled)
      joinLine(state, instance);
}

/**
 * Of what the requester asked for. Where only wall times are known they are clamped: a clock that was set while we were away moves no
 * deadline further off.
 */
function timeLeft({ task, acceptedAgoMs }: OpenTask, now: Now): number {
  const askedMs = task.deadlineWallMs - task.acceptedWallMs;
  const agoMs = acceptedAgoMs ?? Math.max(0, now.wallMs - task.acceptedWallMs);
  return Math.max(0, askedMs - agoMs);
}

function endedAgo(ended: { endedWallMs: number; endedAgoMs?: number }, now: Now): number {
  return ended.endedAgoMs ?? now.wallMs - ended.endedWallMs;
}

type OpenTask = StoredState['openTasks'][number];

function loadInstance(
  state: State,
  task: Task,
  stored: InstanceRecord,
  acceptedAgoMs: number,
  now: Now,
): Instance {
  const instance = newInstance(
    state,
    task,
    { index: stored.index, number: numberOf(stored.instanceId), replica: stored.replica ?? 0 },
    now.monoMs - acceptedAgoMs,
  );
  instance.attempts = stored.attempts;
  instance.departures = stored.departures;
  instance.crashes = stored.crashes;
  instance.result = stored.result;
  instance.checkpoint = stored.checkpoint;
  instance.owed = stored.owed ?? [];
  instance.preempted = stored.preempted ?? false;
  instance.quorum = stored.quorum ?? 1;
  instance.program = stored.program;
  instance.settled = stored.settled ?? false;
  if (task.end !== undefined) return instance;
  if (stored.lease !== undefined) resumeLease(state, instance, stored.lease, acceptedAgoMs, now);
  return instance;
}

/** It goes on for one grace: the donor could not renew while we were away. */
function resumeLease(
  state: State,
  instance: Instance,
  lease: LeaseRecord,
  acceptedAgoMs: number,
  now: Now,
): void {
  const { task } = instance;
  const key = algorithmKey(lease.algorithmId, lease.algorithmVersion);
  const algorithm = state.algorithms.get(key) ?? goneAlgorithm(lease);
  const held: Lease = {
    ...lease,
    algorithm,
    // A clock that was set meanwhile makes it no older than its task.
    grantedMonoMs: now.monoMs - clamp(now.wallMs - lease.grantedWallMs, acceptedAgoMs),
    phase: 'held',
    workMncs: askedMncs(task, algorithm),
    ...budgetOf(task, owedMncs(instance) - (lease.booked?.cpuMncs ?? 0)),
    ...everyMsAfterRestart(state.settings, algorithm),
    beganAtMncs: instance.checkpoint?.doneMncs ?? 0,
    priority: priorityOf(task.record.wants, state.settings),
    pool: classOfAlgorithm(state, algorithm),
    progressPermille: 0,
    ...(lease.meterMwh === undefined ? {} : { meteredMwh: claimedMwh(lease) }),
  };
  instance.lease = held;
  countLease(state.pools, held.pool, held.demand, 1);
  state.usage.start(task.payer, held.demand, now);
  donorOf(state, lease.vehicleId).leased.set(instance.instanceId, instance);
  state.timers.set(`lease:${instance.instanceId}`, now.monoMs + state.settings.leaseMs);
}

/** By its checkpoints, booked or not. */
function claimedMwh({ booked, unbooked }: LeaseRecord): number {
  return (booked?.energyMwh ?? 0) + (unbooked?.energyMwh ?? 0);
}

/**
 * Since when a task waits: no longer than its deadline was away, so that a wall clock that jumped while
 * we were away loosens no bound of a booking further.
 */
function timeSinceAccepted({ task, acceptedAgoMs }: OpenTask, now: Now): number {
  const askedMs = task.deadlineWallMs - task.acceptedWallMs;
  return clamp(acceptedAgoMs ?? now.wallMs - task.acceptedWallMs, askedMs);
}

function clamp(ms: number, maxMs: number): number {
  return Math.min(maxMs, Math.max(0, ms));
}

/** A removed algorithm cannot have a lease; a store that was edited by hand may say so. */
function goneAlgorithm(lease: LeaseRecord): AlgorithmRecord {
  throw new Error(
    `the store holds a lease of ${lease.algorithmId}@${lease.algorithmVersion}, which is not in its catalogue`,
  );
}

/** A proof ends with the caps that it stood on, and no pattern is drawn twice. What is on the displays stays there; the timers are gone, so that it is shown again at once. */
function carryCodes(state: State, before: State, now: Now): void {
  state.codes = before.codes;
  state.presence.drawn = before.presence.drawn;
  for (const [connectorId, { code }] of before.codes.of)
    if (code !== undefined) state.timers.set(`code:${connectorId}`, now.monoMs);
}
