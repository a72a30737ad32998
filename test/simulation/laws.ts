/** The laws of the design, checked after a step of a simulated pile. Each throws an AssertionError that names its law. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { isWeaker } from '../../agent/core/binding/assurance.ts';
import { CHECKER } from '../../agent/core/checks/checker.ts';
import { freeOf, isWithin } from '../../agent/core/donors/capacity.ts';
import { explain, explainToRequester, obstaclesOf } from '../../agent/core/explain/explain.ts';
import { expectedProgressMs } from '../../agent/core/dwell/stay.ts';
import { runTimeOf } from '../../agent/core/feasible/expected-run.ts';
import type { Tariff } from '../../agent/core/ledger/tariffs.ts';
import { CPU, ENERGY, GPU, microsOf } from '../../agent/core/ledger/units.ts';
import type { BookingRecord, TaskRecord, Unit } from '../../agent/core/records.ts';
import { ALGORITHM_CLASSES } from '../../agent/core/algorithms/feature.ts';
import { neededBy } from '../../agent/core/waiting/line.ts';
import { reserveSize } from '../../agent/core/pools/pools.ts';
import { DIMENSIONS, mapVector, vectorOf, type Vector } from '../../agent/core/pools/vector.ts';
import type { Settings } from '../../agent/core/settings.ts';
import type { Donor, Lease, State, Task } from '../../agent/core/state.ts';
import { instanceOf } from '../../agent/core/tasks/open-task.ts';
import { priorityOf } from '../../agent/core/tasks/priority.ts';
import { QUORUM_MAX } from '@plugpool/proto';
import type { Capacity, ClientId, Demand, DownBody, Now, TaskId, VehicleId } from '@plugpool/proto';
import { isAsAsked, isTrusted, OF_DONOR, OF_REQUEST } from './meanings.ts';
import type { SentBody, SimulatedDisk } from './simulated-pile.ts';

/** A pile as the laws look at it: right after a step whose changes are on disk. */
export interface Observed {
  readonly state: State;
  readonly settings: Settings;
  readonly disk: SimulatedDisk;
  /** By the pile's monotonic clock. */
  readonly nowMs: number;
  now(): Now;
  /** The longest that a fencing token can have been held until now, by any clock; -Infinity of one that was never granted. */
  heldMs(fencingToken: number): number;
  /** Of the fastest core of any donor, in thousandths of the reference core. */
  readonly speedMillisMax: number;
  /** Instances that were pre-empted; kept here. */
  readonly preempted: Set<string>;
  /** Everything that was sent. */
  readonly sent: { readonly length: number };
}

type Offer = Extract<DownBody, { kind: 'offer' }>;

/** Everything, after a step whose changes are on disk. */
export function checkLaws(pile: Observed, sent: readonly SentBody[]): void {
  leasesFit(pile, vehiclesGranted(sent));
  grantsAreVerified(pile, sent);
  grantsAreWanted(pile, sent);
  grantsFitTheStation(pile, sent);
  preemptsWithReason(pile, sent);
  checkStanding(pile);
}

/** What must be true at any time, whatever was done last. */
export function checkStanding(pile: Observed): void {
  chargedAtMostOnce(pile);
  leasesFit(pile, new Set());
  subPoolsAddUp(pile);
  partsStartTogether(pile);
  debitsEqualCredits(pile);
  recordsSayWhatWasCredited(pile);
  whatIsUnsettledIsOwed(pile);
  bookingsFitTheirLeases(pile);
  overstayEarnsNothing(pile);
  whoSaidItPaysItsBudget(pile);
  everyInstanceStandsSomewhere(pile);
  everyWaitIsExplained(pile);
  explanationsAgree(pile);
  everythingIsBounded(pile);
  memorySaysWhatTheDiskSays(pile);
}

/**
 * What one step can have broken, at the price of what it changed: `heardOf` are the vehicles of whom something was heard in it.
 * Before its changes are on disk.
 */
export function checkStep(pile: Observed, sent: readonly SentBody[], heardOf: ReadonlySet<string>): void {
  const granted = vehiclesGranted(sent);
  for (const vehicleId of heardOf) leasesFitOf(pile, vehicleId, granted);
  for (const vehicleId of granted) if (!heardOf.has(vehicleId)) leasesFitOf(pile, vehicleId, granted);
  if (granted.size > 0) {
    grantsAreVerified(pile, sent);
    grantsAreWanted(pile, sent);
    grantsFitTheStation(pile, sent);
  }
  preemptsWithReason(pile, sent);
}

const NOBODY: ReadonlySet<string> = new Set();

function vehiclesGranted(sent: readonly SentBody[]): ReadonlySet<string> {
  let granted: Set<string> | undefined;
  for (const { clientId, body } of sent)
    if (body.kind === 'offer') (granted ??= new Set()).add(clientId.slice(0, clientId.indexOf('.')));
  return granted ?? NOBODY;
}

function leasesFitOf({ state }: Observed, vehicleId: string, granted: ReadonlySet<string>): void {
  const donor = state.donors.get(vehicleId as VehicleId);
  if (donor !== undefined) leasesFitOn(donor, granted.has(vehicleId));
}

/** Law 1. The disk refuses a second end of a task and a second booking of a segment. */
function chargedAtMostOnce(pile: Observed): void {
  const charged = new Map<string, number>();
  for (const { kind, taskId, instanceId, entries } of pile.disk.bookings.values()) {
    // Replicas beyond the first are charged to the operator.
    if (kind === 'checkpoint' || entries.some(({ account }) => account === 'operator:replication')) continue;
    const index = pile.disk.instances.get(instanceId)?.index;
    const part = index === undefined ? instanceId : `${taskId}_${index}`;
    charged.set(part, (charged.get(part) ?? 0) + 1);
  }
  for (const [part, times] of charged) assert.equal(times, 1, `law 1: ${part} is charged ${times} times`);
  for (const { task, end } of pile.disk.tasks.values())
    for (let part = 0; end?.state === 'completed' && part < (task.wants?.instances ?? 1); part += 1)
      assert.equal(
        charged.get(`${task.taskId}_${part}`),
        1,
        `law 1: part ${part} of ${task.taskId} completed and was not charged`,
      );
}

/** Law 2. */
function leasesFit(pile: Observed, granted: ReadonlySet<string>): void {
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

/** Law 2: sub-pools and reserve are the whole, the whole is what the donors that may be granted something lend. */
function subPoolsAddUp({ state }: Observed): void {
  const { pools } = state;
  const lent = [...state.index.donors()].map(({ lendable }) => vectorOf(lendable));
  assert.deepEqual(pools.whole, sumOf(lent), 'law 2: the whole is what eligible donors lend');
  const reserve = reserveSize(pools);
  const sizes = [...pools.subPools.values()].map(({ size }) => size);
  assert.deepEqual(sumOf([reserve, ...sizes]), pools.whole, 'law 2: sub-pools and reserve are the whole');
  for (const part of [reserve, ...sizes])
    for (const dimension of DIMENSIONS) assert.ok(part[dimension] >= 0, `law 2: less than no ${dimension}`);
  const leases = [...state.donors.values()].flatMap(({ leased }) =>
    [...leased.values()].flatMap(({ lease }) => lease ?? []),
  );
  for (const one of ALGORITHM_CLASSES) {
    const own = leases.filter(({ pool }) => pool === one).map(({ demand }) => demandVector(demand));
    assert.deepEqual(pools.used[one], sumOf(own), `law 2: what ${one} has in use`);
  }
}

/** By sums of their own, and not by the arithmetic of the core. */
function sumOf(vectors: readonly Vector[]): Vector {
  return mapVector((dimension) => vectors.reduce((sum, vector) => sum + vector[dimension], 0));
}

function demandVector({ cpuMillicores, memoryMib, gpu }: Demand): Vector {
  return { cpuMillicores, memoryMib, gpuMillis: gpu?.shareMillis ?? 0, vramMib: gpu?.vramMib ?? 0 };
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
    const vehicleId = clientId.slice(0, clientId.indexOf('.'));
    const connectorId = pile.state.connectorOf.get(vehicleId as VehicleId);
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
    assert.equal(sources.length, 1);
    const { link, staleAfterMs, heardMonoMs } = sources[0]!;
    assert.equal(link, 'up', `law 3: a grant to ${clientId}, whose connector is not heard`);
    const isFresh = staleAfterMs === 0 || pile.nowMs - heardMonoMs <= staleAfterMs;
    assert.ok(isFresh, `law 3: a grant to ${clientId}, whose last sample is old`);
    const { report } = pile.state.donors.get(vehicleId as VehicleId) ?? {};
    assert.ok(report?.lending, `law 3: a grant to ${clientId}, whose owner does not lend`);
    const lends = state === 'charging' || (state === 'suspendedEV' && !report.chargingOnly);
    assert.ok(lends, `law 3: a grant to ${clientId}, which is ${state}`);
    const epoch = pile.state.clients.get(clientId as ClientId)?.epoch ?? 0;
    assert.ok(epoch > 0, `law 3: a grant to ${clientId}, which was not welcomed`);
  }
}

/** Law 3, with what requester and owner said: by what the words mean, and not by the core's own verdicts. */
function grantsAreWanted(pile: Observed, sent: readonly SentBody[]): void {
  for (const { clientId, body } of sent) {
    if (body.kind !== 'offer') continue;
    const vehicleId = clientId.slice(0, clientId.indexOf('.')) as VehicleId;
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
    const holders = replicas.flatMap(({ lease, result }) => lease?.vehicleId ?? result?.donor ?? []);
    const owners = holders.map((id) => ownerIn(pile.settings, id));
    const own = ownerIn(pile.settings, vehicleId);
    assert.ok(owners.filter((owner) => owner === own).length <= 1, `${way}, which has another replica`);
    quorumCanBeMet(pile, task, owners, way);
  }
}

/** Nothing is computed that would wait for owners whom nobody knows. */
function quorumCanBeMet(
  { state, settings }: Observed,
  { record }: Task,
  owners: string[],
  way: string,
): void {
  const { quorum = 1 } = record.wants ?? {};
  if (quorum === 1) return;
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

/** Parts that are to start together: all of them were granted once, or none. */
function partsStartTogether({ state }: Observed): void {
  for (const { record, instances } of state.tasks.values()) {
    if (record.wants?.allAtOnce !== true) continue;
    const parts = instances.filter(({ replica }) => replica === 0);
    const started = parts.filter(({ attempts }) => attempts > 0).length;
    assert.ok(
      started === 0 || started === parts.length,
      `${started} of ${parts.length} parts of ${record.taskId} started`,
    );
  }
}

/** Only for the latency priority, from a lower one, after the minimum time, and once. */
function preemptsWithReason(pile: Observed, sent: readonly SentBody[]): void {
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

/** Law 5, with who pays and what it may cost. */
function whoSaidItPaysItsBudget(pile: Observed): void {
  const paidMncs = new Map<TaskId, number>();
  for (const { kind, taskId, entries } of pile.disk.bookings.values()) {
    const { task } = pile.disk.tasks.get(taskId) ?? {};
    if (task === undefined) continue;
    const account = payerOf(task);
    const [debit] = entries;
    if (debit === undefined) continue;
    assert.ok(mayPay(kind, account).includes(debit.account), `law 5: ${debit.account} pays ${taskId}`);
    if (debit.account === account && debit.unit === CPU)
      paidMncs.set(taskId, (paidMncs.get(taskId) ?? 0) - debit.amount);
  }
  for (const [taskId, mncs] of paidMncs) {
    const { budgetMncs = Infinity } = pile.disk.tasks.get(taskId)?.task.wants ?? {};
    assert.ok(mncs <= budgetMncs, `law 5: ${taskId} costs ${mncs}, more than its budget`);
  }
}

function payerOf({ vehicleId, wants }: TaskRecord): string {
  // What the pile asks itself to see whether somebody lies.
  if (vehicleId === CHECKER) return CHECKER;
  const { payer = vehicleId } = wants ?? {};
  return payer === vehicleId ? `vehicle:${payer}` : `fleet:${payer}`;
}

/** Of a booking's first entry, which is the debit. */
function mayPay(kind: BookingRecord['kind'], payer: string): readonly string[] {
  if (kind === 'checkpoint') return ['unsettled'];
  return kind === 'result' ? [payer, 'operator:replication'] : [payer, 'operator:failures'];
}

/** Law 5: what donors were credited for checkpoints is owed by somebody, to the last unit, until it is charged: at the end. */
function whatIsUnsettledIsOwed(pile: Observed): void {
  for (const { instanceId, taskId, owed = [] } of pile.disk.instances.values())
    if (pile.disk.tasks.get(taskId)?.end !== undefined)
      assert.deepEqual(owed, [], `law 5: ${instanceId} has ended, and what it owes is charged to nobody`);
  const rest = new Map<Unit, number>();
  const add = (unit: Unit, amount: number): void => {
    rest.set(unit, (rest.get(unit) ?? 0) + amount);
  };
  for (const { entries } of pile.disk.bookings.values())
    for (const { account, unit, amount } of entries) if (account === 'unsettled') add(unit, amount);
  for (const { owed = [] } of pile.disk.instances.values())
    for (const { unit, amount } of owed) add(unit, amount);
  for (const [unit, amount] of rest) assert.equal(amount, 0, `law 5: ${amount} ${unit} is owed by nobody`);
}

/** Law 5: the credit records of a vehicle, made or not, come to what its account was credited for work. */
function recordsSayWhatWasCredited({ disk, settings }: Observed): void {
  if (settings.credits === 'off') return;
  const rest = new Map<string, number>();
  const add = (vehicleId: string, unit: Unit, amount: number): void => {
    if (unit !== ENERGY) rest.set(`${vehicleId} ${unit}`, (rest.get(`${vehicleId} ${unit}`) ?? 0) + amount);
  };
  for (const { kind, entries } of disk.bookings.values())
    for (const { account, unit, amount } of entries)
      if (kind !== 'settlement' && amount > 0 && account.startsWith('vehicle:'))
        add(account.slice('vehicle:'.length), unit, amount);
  for (const { credit } of disk.credits.values())
    for (const { unit, amount } of credit.earned) add(credit.vehicleId, unit, -amount);
  for (const [name, amount] of rest)
    assert.equal(amount, 0, `law 5: the records of ${name} are ${amount} short of what was credited`);
}

/** Law 5. */
function debitsEqualCredits(pile: Observed): void {
  for (const booking of pile.disk.bookings.values()) {
    for (const [unit, entries] of Map.groupBy(booking.entries, (entry) => entry.unit)) {
      const sum = entries.reduce((total, { amount }) => total + amount, 0);
      assert.equal(sum, 0, `law 5: a booking of ${booking.taskId} adds up to ${sum} ${unit}`);
      for (const { amount } of entries) assert.ok(Number.isSafeInteger(amount));
    }
  }
}

/**
 * Law 5. The algorithms of the simulation have one thread, and a GPU of no known model counts as the reference GPU. What is booked
 * of an attempt, whoever it is credited to, is no more than its lease could hold.
 */
function bookingsFitTheirLeases(pile: Observed): void {
  const booked = new Map<string, number>();
  for (const { kind, instanceId, fencingToken, entries } of pile.disk.bookings.values()) {
    if (kind === 'settlement') continue;
    for (const { account, unit, amount } of entries) {
      if (amount <= 0 || account === 'unsettled' || account === 'charging-bill') continue;
      const name = `${instanceId}/${fencingToken} ${unit}`;
      const sum = (booked.get(name) ?? 0) + amount;
      booked.set(name, sum);
      const most = mostIn(unit, pile, pile.heldMs(fencingToken));
      assert.ok(sum <= most, `law 5: of ${name} ${sum} is booked where ${most} is the most`);
    }
  }
}

function mostIn(unit: Unit, { settings, speedMillisMax }: Observed, heldMs: number): number {
  if (unit === CPU) return (heldMs * speedMillisMax) / 1000;
  if (unit === GPU) return heldMs;
  if (unit === ENERGY) return (heldMs * settings.computingPowerMaxMw) / 3_600_000;
  const prices = settings.tariffs.filter(({ currency }) => microsOf(currency) === unit);
  const dearest = (of: (tariff: Tariff) => number): number => Math.max(0, ...prices.map(of));
  const cpuMicros = (heldMs * speedMillisMax * dearest((tariff) => tariff.cpuHourMicros)) / 1000;
  return (cpuMicros + heldMs * dearest((tariff) => tariff.gpuHourMicros)) / 3_600_000;
}

/** Law 5: a driver's energy is his own affair, and who overstays earns nothing. */
function overstayEarnsNothing(pile: Observed): void {
  for (const { overstay, instanceId, fencingToken, entries } of pile.disk.bookings.values()) {
    if (overstay !== true) continue;
    for (const { account, unit, amount } of entries)
      assert.ok(
        unit === ENERGY || amount <= 0 || !account.startsWith('vehicle:'),
        `law 5: ${account} earns by ${instanceId}/${fencingToken} although it overstays`,
      );
  }
}

/** An instance that has not ended waits or holds one lease, and a timer ends whatever else it waits for. Law 8's half. */
function everyInstanceStandsSomewhere({ state }: Observed): void {
  for (const task of state.tasks.values()) {
    if (task.end === undefined) assert.ok(state.deadlines.has(task), `${task.record.taskId} never ends`);
    for (const instance of task.instances) {
      const { instanceId, lease } = instance;
      const places = [
        state.waiting.has(instance),
        lease !== undefined,
        task.end !== undefined,
        instance.result !== undefined || (instance.settled && task.end === undefined),
      ];
      assert.equal(
        places.filter(Boolean).length,
        1,
        `${instanceId} waits, runs, has ended, its part is done: ${places.join()}`,
      );
      if (lease === undefined) continue;
      assert.equal(state.donors.get(lease.vehicleId)?.leased.get(instanceId), instance);
      assert.ok(state.timers.has(`lease:${instanceId}`), `${instanceId} has a lease that never ends`);
    }
  }
  for (const donor of state.donors.values())
    for (const instance of donor.leased.values()) assert.equal(instance.lease?.vehicleId, donor.vehicleId);
}

/** Law 6, and the promise of the matcher: nobody waits for a donor that could run it now. */
function everyWaitIsExplained(pile: Observed): void {
  for (const instance of pile.state.waiting.instances())
    for (const donor of pile.state.donors.values())
      assert.notEqual(
        obstaclesOf(pile.state, instance, donor, pile.now()).length,
        0,
        `law 6: ${instance.instanceId} waits although ${donor.vehicleId} could run it`,
      );
}

/** An explanation goes over all donors and all who wait: of so many tasks in each step, another few in each. */
const EXPLAINED_IN_EACH_STEP = 3;

/** Law 6: what a person is told agrees with it, of any task at any moment. */
function explanationsAgree(pile: Observed): void {
  const { state } = pile;
  const tasks = [...state.tasks.values()];
  const from = tasks.length === 0 ? 0 : pile.sent.length % tasks.length;
  for (const task of tasks.slice(from, from + EXPLAINED_IN_EACH_STEP)) {
    const { taskId } = task.record;
    const explanation = explain(state, taskId, pile.now());
    assert.ok(explanation !== undefined && explanation.summary !== '', `law 6: ${taskId} has no summary`);
    const waits = task.instances.some((instance) => state.waiting.has(instance));
    assert.equal(explanation.wait !== null, waits, `law 6: whether ${taskId} waits`);
    const told = explainToRequester(state, task, pile.now());
    assert.equal(told?.place, explanation.wait?.place, `law 6: the place of ${taskId}`);
    if (explanation.wait === null) continue;
    const { place, startInMs, wouldRun } = explanation.wait;
    assert.ok(place >= 1 && place <= state.waiting.size, `law 6: ${taskId} is at ${place}`);
    assert.ok(startInMs === null || (Number.isSafeInteger(startInMs) && startInMs >= 0), `law 6: ${taskId}`);
    assert.notEqual(wouldRun.length, 0, `law 6: nothing would make ${taskId} run`);
    assert.equal(explanation.donors.length, state.donors.size);
    for (const { obstacles, because } of explanation.donors)
      assert.equal(because.length, obstacles.length, `law 6: ${taskId} is explained in half`);
  }
}

/** Law 7. Timers are named, so there are at most as many as things that can have one. */
function everythingIsBounded(pile: Observed): void {
  const { state } = pile;
  const instances = [...state.tasks.values()].reduce((sum, task) => sum + task.instances.length, 0);
  const things = 3 * instances + 6 * state.donors.size + state.sessions.size + state.awaitedBlobs.size + 5;
  assert.ok(state.timers.size <= things, `law 7: ${state.timers.size} timers for ${things} things`);
  for (const digest of state.awaitedBlobs.keys())
    assert.ok(state.timers.has(`blob:${digest}`), `law 7: ${digest} is awaited for ever`);
  assert.ok(state.waiting.size <= instances, 'law 7: more wait than there are');
  assert.ok(state.gangs.size <= state.tasks.size && state.roomMadeFor.size <= instances);
}

/** Rule 2 of the design: what memory says of tasks and leases is what was committed. */
function memorySaysWhatTheDiskSays(pile: Observed): void {
  for (const task of pile.state.tasks.values()) {
    const kept = pile.disk.tasks.get(task.record.taskId);
    assert.ok(kept, `${task.record.taskId} is not on disk`);
    assert.equal(kept.end?.state, task.end?.state);
    for (const instance of task.instances) {
      const record = pile.disk.instances.get(instance.instanceId);
      assert.equal(record?.lease?.fencingToken, instance.lease?.fencingToken);
      assert.equal(record?.attempts, instance.attempts);
      assert.equal(record?.departures, instance.departures);
      assert.equal(record?.crashes, instance.crashes);
    }
  }
}
