/** What must be true of a grant when it is made, and of a lease that is taken back: laws 2 and 3, by sums and words of their own. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { isWeaker } from '../../agent/core/binding/assurance.ts';
import { freeOf, isWithin } from '../../agent/core/donors/capacity.ts';
import { expectedProgressMs } from '../../agent/core/dwell/stay.ts';
import { runTimeOf } from '../../agent/core/feasible/expected-run.ts';
import { neededBy } from '../../agent/core/waiting/line.ts';
import type { Settings } from '../../agent/core/settings.ts';
import type { Donor, Instance, Lease, Task } from '../../agent/core/state.ts';
import { instanceOf } from '../../agent/core/tasks/open-task.ts';
import { priorityOf } from '../../agent/core/tasks/priority.ts';
import { QUORUM_MAX, vehicleIdOf } from '@plugpool/proto';
import type { Capacity, DownBody, InstanceId, VehicleId } from '@plugpool/proto';
import { isAsAsked, isTrusted, OF_DONOR, OF_REQUEST } from './meanings.ts';
import type { Observed } from './observed.ts';
import type { SentBody } from './simulated-pile.ts';

type Offer = Extract<DownBody, { kind: 'offer' }>;

/** The offers among what a step sent. */
export function checkGrants(pile: Observed, sent: readonly SentBody[]): void {
  grantsAreVerified(pile, sent);
  grantsAreWanted(pile, sent);
  grantsFitTheStation(pile, sent);
}

const NOBODY: ReadonlySet<string> = new Set();

export function vehiclesGranted(sent: readonly SentBody[]): ReadonlySet<string> {
  let granted: Set<string> | undefined;
  for (const { clientId, body } of sent)
    if (body.kind === 'offer') (granted ??= new Set()).add(vehicleIdOf(clientId));
  return granted ?? NOBODY;
}

export function leasesFitOf({ state }: Observed, vehicleId: string, granted: ReadonlySet<string>): void {
  const donor = state.donors.get(vehicleId as VehicleId);
  if (donor !== undefined) leasesFitOn(donor, granted.has(vehicleId));
}

/** Law 2. */
export function leasesFit(pile: Observed, granted: ReadonlySet<string>): void {
  for (const donor of pile.state.donors.values()) leasesFitOn(donor, granted.has(donor.vehicleId));
}

function leasesFitOn(donor: Donor, wasGranted: boolean): void {
  const leases: Lease[] = [];
  for (const { lease } of donor.leased.values()) if (lease !== undefined) leases.push(lease);
  const free = freeOf(donor.lendable, leases);
  if (!isSameCapacity(donor.free, free))
    assert.deepEqual(donor.free, free, `law 2: ${donor.vehicleId}'s free capacity`);
  if (wasGranted) {
    assert.ok(isWithin(donor.free), `law 2: a grant overdraws ${donor.vehicleId}`);
    assert.deepEqual(overdrawn(donor.lendable, leases), [], `law 2: a grant overdraws ${donor.vehicleId}`);
  }
  if (donor.clientId === undefined || donor.report === undefined) return;
  if (isWithin(free)) return;
  const kept = leases.filter((lease) => lease.phase !== 'revoking');
  assert.ok(isWithin(freeOf(donor.lendable, kept)), `law 2: ${donor.vehicleId} is overdrawn and not revoked`);
}

/** Almost always; where not, what differs is told by a comparison that takes much longer. */
function isSameCapacity(a: Capacity, b: Capacity): boolean {
  return (
    a.cpuMillicores === b.cpuMillicores &&
    a.memoryMib === b.memoryMib &&
    a.gpus.length === b.gpus.length &&
    a.gpus.every((gpu, i) => gpu === b.gpus[i] || isDeepStrictEqual(gpu, b.gpus[i]))
  );
}

/** By sums of its own, and not by the arithmetic of the core. A device that is named twice is there once. */
function overdrawn(lendable: Capacity, leases: readonly Lease[]): string[] {
  const sum = (of: (lease: Lease) => number): number => leases.reduce((total, each) => total + of(each), 0);
  const over: string[] = [];
  if (sum(({ demand }) => demand.cpuMillicores) > lendable.cpuMillicores) over.push('cpu');
  if (sum(({ demand }) => demand.memoryMib) > lendable.memoryMib) over.push('memory');
  for (const deviceId of new Set(leases.flatMap((lease) => lease.gpuDeviceId ?? []))) {
    const device = lendable.gpus.find((gpu) => gpu.deviceId === deviceId);
    const taken = (of: 'shareMillis' | 'vramMib'): number =>
      sum((lease) => (lease.gpuDeviceId === deviceId ? (lease.demand.gpu?.[of] ?? 0) : 0));
    for (const { demand } of leases.filter((lease) => lease.gpuDeviceId === deviceId))
      if ((demand.gpu?.model ?? device?.model) !== device?.model) over.push(`model of ${deviceId}`);
    if (taken('shareMillis') > (device?.shareMillis ?? 0)) over.push(`share of ${deviceId}`);
    if (taken('vramMib') > (device?.vramMib ?? 0)) over.push(`memory of ${deviceId}`);
  }
  return over;
}

/** Law 3, by what the firmware said and not by what the core makes of it. */
function grantsAreVerified(pile: Observed, sent: readonly SentBody[]): void {
  for (const { clientId, body } of sent) {
    if (body.kind !== 'offer') continue;
    const vehicleId = vehicleIdOf(clientId);
    const connectorId = pile.state.connectorOf.get(vehicleId);
    const session = connectorId === undefined ? undefined : pile.state.sessions.get(connectorId);
    assert.equal(
      session?.identity?.vehicleId,
      vehicleId,
      `law 3: a grant to ${clientId}, which is not there`,
    );
    assert.notEqual(session.disputed, true, `law 3: a grant to ${clientId}, where another was named too`);
    const isKnown = !isWeaker(session.identity.assurance, pile.settings.identityAssurance);
    assert.ok(isKnown, `law 3: a grant to ${clientId}, known by ${session.identity.assurance} alone`);
    const { sources, state } = session;
    // Another may tell of its meter: that a vehicle is there is said by one.
    const [witness, ...others] = sources.filter(({ says }) => says === 'plugged');
    assert.ok(
      witness && others.length === 0,
      `law 3: a grant to ${clientId}, of whom nobody says that it is there`,
    );
    const { link, staleAfterMs, heardMonoMs } = witness;
    assert.equal(link, 'up', `law 3: a grant to ${clientId}, whose connector is not heard`);
    const isFresh = staleAfterMs === 0 || pile.nowMs - heardMonoMs <= staleAfterMs;
    assert.ok(isFresh, `law 3: a grant to ${clientId}, whose last sample is old`);
    const { report } = pile.state.donors.get(vehicleId) ?? {};
    assert.ok(report?.lending, `law 3: a grant to ${clientId}, whose owner does not lend`);
    const lends = state === 'charging' || (state === 'suspendedEV' && !report.chargingOnly);
    assert.ok(lends, `law 3: a grant to ${clientId}, which is ${state}`);
    const epoch = pile.state.clients.get(clientId)?.epoch ?? 0;
    assert.ok(epoch > 0, `law 3: a grant to ${clientId}, which was not welcomed`);
  }
}

/** Law 3, with what requester and owner said: by what the words mean, and not by the core's own verdicts. */
function grantsAreWanted(pile: Observed, sent: readonly SentBody[]): void {
  for (const { clientId, body } of sent) {
    if (body.kind !== 'offer') continue;
    const vehicleId = vehicleIdOf(clientId);
    const donor = pile.state.donors.get(vehicleId);
    const task = pile.state.tasks.get(body.taskId);
    const way = `law 3: ${body.lease.instanceId} to ${vehicleId}`;
    assert.ok(donor?.report && task, way);
    const { record } = task;
    const { constraint } = record.wants ?? {};
    const { allowedAlgorithms, constraint: owners } = donor.report;
    assert.notEqual(record.vehicleId, vehicleId, `${way}, which asks`);
    assert.ok(isTrusted(record, vehicleId), `${way}, which is not trusted`);
    assert.ok(constraint === undefined || OF_DONOR[constraint]?.(donor), `${way} against ${constraint}`);
    assert.ok(owners === undefined || OF_REQUEST[owners]?.(record, body.demand), `${way} against ${owners}`);
    assert.ok(
      allowedAlgorithms.length === 0 || allowedAlgorithms.includes(body.algorithmId),
      `${way}, whose owner does not allow it`,
    );
    assert.ok(isAsAsked(record, body.demand), `${way} with another demand than it asked for`);
    replicasAreOfDifferentOwners(pile, task, vehicleId, way);
    quorumCanBeMet(pile, task, body.lease.instanceId, way);
    staysLongEnough(pile, donor, task, body, way);
  }
}

/** A reading of power says nothing after this. */
const READING_MS = 6 * 60_000;

/** A run that began this long before a reading is in it. */
const IN_READING_MS = 10_000;

/** The limit of the station, by sums of its own: what connectors draw, or can, and the computing that is in no reading of it. */
function grantsFitTheStation({ state, settings, nowMs }: Observed, sent: readonly SentBody[]): void {
  const { stationLimitMw, connectorMaxMw } = settings.power;
  if (stationLimitMw === undefined || !sent.some(({ body }) => body.kind === 'offer')) return;
  let sumMw = 0;
  for (const {
    connectorId,
    powerMw,
    powerMonoMs = -Infinity,
    state: is,
    sources,
  } of state.sessions.values()) {
    const isRead = powerMw !== undefined && nowMs - powerMonoMs <= READING_MS;
    const mayDraw = is === 'charging' || sources.every(({ link }) => link === 'lost');
    if (isRead) sumMw += powerMw;
    else if (mayDraw) {
      assert.ok(
        connectorMaxMw !== undefined,
        `${connectorId} draws what nobody knows, and something is granted`,
      );
      sumMw += connectorMaxMw;
    }
    for (const { leased } of state.donors.values())
      for (const { lease } of leased.values()) {
        if (lease?.connectorId !== connectorId) continue;
        if (isRead ? powerMonoMs - lease.grantedMonoMs >= IN_READING_MS : mayDraw) continue;
        const { cpuMillicores, gpu } = lease.demand;
        sumMw +=
          (cpuMillicores * settings.coreDrawsMw + (gpu?.shareMillis ?? 0) * settings.gpuDrawsMw) / 1000;
      }
  }
  assert.ok(sumMw <= stationLimitMw, `a grant takes the station to ${sumMw} mW, above its ${stationLimitMw}`);
}

/** Of one part nobody has two replicas, and there are never more than may have to agree. */
function replicasAreOfDifferentOwners(pile: Observed, task: Task, vehicleId: VehicleId, way: string): void {
  for (let part = 0; part < task.parts; part += 1) {
    const replicas = task.instances.filter(({ index }) => index === part);
    assert.ok(replicas.length <= QUORUM_MAX, `${way}, one of ${replicas.length} replicas`);
    const owners = ownersOf(pile, replicas);
    const own = ownerIn(pile.settings, vehicleId);
    assert.ok(owners.filter((owner) => owner === own).length <= 1, `${way}, which has another replica`);
  }
}

/** Whose vehicles run them or returned their results. */
function ownersOf({ settings }: Observed, replicas: readonly Instance[]): string[] {
  const holders = replicas.flatMap(({ lease, result }) => lease?.vehicleId ?? result?.donor ?? []);
  return holders.map((id) => ownerIn(settings, id));
}

/** Nothing is computed that would wait for owners whom nobody knows; who answered for that part is known for it over a restart. */
function quorumCanBeMet(pile: Observed, { record, instances }: Task, granted: InstanceId, way: string): void {
  const { state, settings } = pile;
  const { quorum = 1 } = record.wants ?? {};
  if (quorum === 1) return;
  const part = instances.find(({ instanceId }) => instanceId === granted)?.index;
  const owners = ownersOf(
    pile,
    instances.filter(({ index }) => index === part),
  );
  const known = [...state.donors.values()].filter(
    ({ hardware, vehicleId }) => hardware !== undefined && vehicleId !== record.vehicleId,
  );
  const all = new Set([...known.map(({ vehicleId }) => ownerIn(settings, vehicleId)), ...owners]);
  assert.ok(all.size >= quorum, `${way}: ${all.size} owners are known, and ${quorum} must agree`);
}

function ownerIn({ vehicles }: Settings, vehicleId: VehicleId): string {
  const rule = vehicles.byId.get(vehicleId);
  return rule === undefined || rule.fleet === '' ? vehicleId : `the fleet ${rule.fleet}`;
}

/** The bar of its priority, and its deadline. */
function staysLongEnough(pile: Observed, donor: Donor, task: Task, offer: Offer, way: string): void {
  const { state, settings } = pile;
  const { nowMs } = pile;
  // Each part by itself: one that was checkpointed has less left.
  const instance = task.instances.find(({ instanceId }) => instanceId === offer.lease.instanceId);
  assert.ok(instance);
  const run = neededBy(state, instance).ways.find(
    ({ algorithm, demand }) =>
      algorithm.id === offer.algorithmId &&
      algorithm.version === offer.algorithmVersion &&
      demand.cpuMillicores === offer.demand.cpuMillicores &&
      demand.gpu?.shareMillis === offer.demand.gpu?.shareMillis,
  );
  assert.ok(run, `${way} by none of its ways`);
  const { quantilesMs, medianMs } = runTimeOf(state, run, donor);
  const transferMs = donor.cachedImages.has(offer.image.digest)
    ? 0
    : offer.image.sizeBytes / settings.transferBytesPerMs;
  assert.ok(nowMs + medianMs + transferMs <= task.deadlineMonoMs, `${way}, too late for its deadline`);
  const { reviewedMonoMs, residual } = donor.stay;
  const p = quantilesMs.map((ms) => residual.survives(nowMs - reviewedMonoMs + transferMs + ms));
  const mean = p.reduce((sum, each) => sum + each, 0) / p.length;
  const bar = settings.stayBarMillis[priorityOf(task.record.wants, settings)] / 1000;
  // A run that keeps its state need not end there: it must get on.
  const getsOnMs = run.checkpoints ? expectedProgressMs(donor.stay, medianMs, transferMs, pile.now()) : 0;
  if (run.checkpoints && getsOnMs >= settings.progressMinMs) return;
  assert.ok(mean >= bar - 1e-9, `${way}, which stays with P = ${mean} < ${bar}`);
}

/** Only for the latency priority, from a lower one, after the minimum time, and once. */
export function preemptsWithReason(pile: Observed, sent: readonly SentBody[]): void {
  const { state, settings } = pile;
  for (const { body } of sent) {
    if (body.kind !== 'revoke' || body.reason !== 'preempted') continue;
    const { instanceId, fencingToken } = body.lease;
    const heldMs = pile.heldMs(fencingToken);
    assert.ok(heldMs >= settings.preemptAfterMs, `${instanceId} is pre-empted after ${heldMs} ms`);
    assert.ok(!pile.preempted.has(instanceId), `${instanceId} is pre-empted twice`);
    pile.preempted.add(instanceId);
    const victim = instanceOf(state, instanceId);
    const quick = victim?.lease?.revokedFor?.task.record.wants?.latencyMs ?? Infinity;
    assert.ok(quick <= settings.latencyClassesMs[0], `${instanceId} is pre-empted for ${quick} ms`);
    assert.ok(priorityOf(victim?.task.record.wants, settings) < 3, `${instanceId} is as urgent`);
  }
}
