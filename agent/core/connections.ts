/** A client's connection: connected, welcomed, gone; what it holds is kept or dropped, what is owed to it is said again. */
import type {
  CapacityReport,
  ClientName,
  Epoch,
  HardwareProfile,
  Hello,
  LeaseId,
  StatusEntry,
  StatusQuery,
} from '@plugpool/proto';
import { believe, refreshDonor, sessionOf } from './donors/donor.ts';
import { explainToRequester } from './explain/explain.ts';
import type { ConnectionNumber } from './events.ts';
import { BELIEVED_SPEED_MILLIS_MAX, HEAVY_BODIES_PER_STEP_MAX, IDLE_DONORS_MAX } from './limits.ts';
import { loseLease } from './leases/lost-lease.ts';
import { holdingOf } from './leases/results.ts';
import type { Client, Donor, State, Task } from './state.ts';
import { closeTask, deliverAgain } from './tasks/task-end.ts';
import { stateOf } from './tasks/task-state.ts';
import { donorOf, log, refuse, send, type Turn } from './turn.ts';

/** Epochs of later starts are above all earlier ones. */
const EPOCHS_PER_GENERATION = 2 ** 32;

export function onConnected(turn: Turn, name: ClientName, connection: ConnectionNumber): void {
  const { state } = turn;
  state.clients.set(name.clientId, { name, connection, epoch: 0 as Epoch });
  // Until its hello the new connection lends nothing, whether the end of the old one was heard or not.
  const donor = state.donors.get(name.vehicleId);
  if (donor?.clientId === name.clientId) hangUp(turn, donor);
}

/** Without a connection it is granted nothing. */
function hangUp(turn: Turn, donor: Donor): void {
  donor.clientId = undefined;
  turn.touchedDonors.add(donor);
}

/** Leases survive the connection: only time or a hello that does not list them ends them. */
export function onDisconnected(turn: Turn, name: ClientName, connection: ConnectionNumber): void {
  const { state } = turn;
  // The old connection of a client that came back says nothing about the new one.
  if (state.clients.get(name.clientId)?.connection !== connection) return;
  state.clients.delete(name.clientId);
  const donor = state.donors.get(name.vehicleId);
  if (donor?.clientId !== name.clientId) return;
  hangUp(turn, donor);
  forgetIdleDonors(state);
}

/** Vehicles that were here once: their number is bounded. */
export function forgetIdleDonors(state: State): void {
  if (state.donors.size <= IDLE_DONORS_MAX) return;
  for (const donor of state.donors.values()) {
    if (donor.clientId !== undefined || donor.leased.size > 0) continue;
    state.donors.delete(donor.vehicleId);
    state.timers.clear(`report:${donor.vehicleId}`);
    state.timers.clear(`review:${donor.vehicleId}`);
    return;
  }
}

export function onHello(turn: Turn, client: Client, hello: Hello, correlationId: number): void {
  const { state } = turn;
  if (isTooHeavy(turn, client, correlationId)) return;
  const lends = client.name.slot === 'lend';
  if (lends !== (hello.hardware !== undefined)) {
    const detail = lends
      ? 'a hello in the slot `lend` names the hardware'
      : `the slot ${client.name.slot} asks: its hello names no hardware`;
    const hint = 'lend in the slot `lend`, ask in a slot `ask-…`';
    return refuse(turn, { clientId: client.name.clientId, correlationId }, [
      { code: 'wrong_slot', detail, hint },
    ]);
  }
  state.epochCounter += 1;
  client.epoch = (state.generation * EPOCHS_PER_GENERATION + state.epochCounter) as Epoch;
  const { statusTasksMax: _ownUse, ...wire } = state.settings.wire;
  const { keep, drop } = lends ? reconcile(turn, client, hello) : { keep: [], drop: hello.held };
  send(
    turn,
    client.name.clientId,
    {
      kind: 'welcome',
      epoch: client.epoch,
      leaseMs: state.settings.leaseMs,
      ...wire,
      keep,
      drop,
      checkpoints: state.settings.checkpoints,
      stationId: state.settings.stationId,
    },
    correlationId,
  );
  log(turn, 'info', 'welcome', { clientId: client.name.clientId, keep: keep.length, drop: drop.length });
  for (const taskId of state.openTasksOf.get(client.name.vehicleId) ?? []) {
    const task = state.tasks.get(taskId);
    if (task?.record.slot === client.name.slot)
      deliverAgain(turn, task, { clientId: client.name.clientId, correlationId: 0 });
  }
}

/** One message can hold hundreds of bodies, each of which would be answered by thousands. */
function isTooHeavy(turn: Turn, { name: { clientId } }: Client, correlationId: number): boolean {
  const heard = (turn.heavyBodies.get(clientId) ?? 0) + 1;
  turn.heavyBodies.set(clientId, heard);
  if (heard <= HEAVY_BODIES_PER_STEP_MAX) return false;
  const detail = 'too many hellos, questions for all tasks or for explanations at once';
  const hint =
    'say hello once in each connection, ask for all tasks once, and for one explanation after the other';
  refuse(turn, { clientId, correlationId }, [{ code: 'rate_limited', detail, hint }], true);
  return true;
}

/** Which of the leases that the vehicle says it holds are still its own; those that it does not list are lost. */
function reconcile(turn: Turn, client: Client, hello: Hello): { keep: LeaseId[]; drop: LeaseId[] } {
  const { state } = turn;
  const donor = donorOf(state, client.name.vehicleId);
  donor.clientId = client.name.clientId;
  donor.hardware = believed(hello.hardware);
  donor.runtimes = hello.runtimes;
  // Until the first report of this connection nothing is known of what it lends.
  donor.report = undefined;
  turn.touchedDonors.add(donor);
  const keep: LeaseId[] = [];
  const drop: LeaseId[] = [];
  for (const id of hello.held) {
    const holding = holdingOf(state, client.name.vehicleId, id);
    (holding === undefined || holding.lease.phase === 'revoking' ? drop : keep).push(id);
  }
  const kept = new Set(keep.map((id) => id.instanceId));
  for (const instance of [...donor.leased.values()])
    if (!kept.has(instance.instanceId)) {
      const revocation = instance.lease?.revocation;
      loseLease(turn, instance, revocation?.outcome ?? 'departed', revocation?.reason ?? 'not held any more');
    }
  return { keep, drop };
}

function believed(hardware: HardwareProfile | undefined): HardwareProfile | undefined {
  if (hardware === undefined || hardware.speedMillis <= BELIEVED_SPEED_MILLIS_MAX) return hardware;
  return { ...hardware, speedMillis: BELIEVED_SPEED_MILLIS_MAX };
}

export function onCapacity(turn: Turn, client: Client, report: CapacityReport, correlationId: number): void {
  const { state, now } = turn;
  const donor = donorOf(state, client.name.vehicleId);
  if (report.constraint !== donor.report?.constraint) refuseConstraint(turn, client, report, correlationId);
  donor.report = report;
  donor.lendable = believe(turn, donor, report.lendable);
  donor.reportedMonoMs = now.monoMs;
  donor.cachedImages = new Set(report.cachedImages);
  donor.departureMonoMs = departureOf(state, donor);
  state.timers.set(`report:${donor.vehicleId}`, now.monoMs + state.settings.capacityStaleMs + 1);
  refreshDonor(turn, donor);
}

/** The report counts; but nothing meets a constraint that cannot be read. */
function refuseConstraint(
  turn: Turn,
  client: Client,
  { constraint }: CapacityReport,
  correlationId: number,
): void {
  if (constraint === undefined) return;
  const compiled = turn.state.constraints.compile(constraint, 'request');
  if (compiled.ok) return;
  refuse(turn, { clientId: client.name.clientId, correlationId }, [
    { code: 'constraint_invalid', detail: compiled.why, hint: compiled.hint },
  ]);
}

/** The earlier of what the driver told the vehicle and what was told to the station. */
export function departureOf(state: State, { vehicleId, report, reportedMonoMs }: Donor): number | undefined {
  const told = report?.departureInMs === undefined ? undefined : reportedMonoMs + report.departureInMs;
  const stated = sessionOf(state, vehicleId)?.departureMonoMs;
  if (told === undefined || stated === undefined) return told ?? stated;
  return Math.min(told, stated);
}

export function onStatusQuery(turn: Turn, client: Client, query: StatusQuery, correlationId: number): void {
  const { state, now } = turn;
  if ((query.taskId === undefined || query.explain === true) && isTooHeavy(turn, client, correlationId))
    return;
  const own = state.openTasksOf.get(client.name.vehicleId) ?? new Set();
  const asked = query.taskId === undefined ? [...own] : own.has(query.taskId) ? [query.taskId] : [];
  if (query.taskId !== undefined && asked.length === 0) {
    // Not in memory: acknowledged and on disk alone, or never known. The daemon looks.
    turn.effects.recalls.push({ clientId: client.name.clientId, correlationId, taskId: query.taskId });
    return;
  }
  const tasks: StatusEntry[] = [];
  for (const taskId of asked.slice(0, state.settings.wire.statusTasksMax)) {
    const task = state.tasks.get(taskId);
    if (task === undefined) continue;
    const explanation = query.explain === true ? explainToRequester(state, task, now) : undefined;
    tasks.push({ ...statusOf(task), ...(explanation === undefined ? {} : { explanation }) });
    if (query.deliver) deliverAgain(turn, task, { clientId: client.name.clientId, correlationId });
  }
  const truncated = asked.length > state.settings.wire.statusTasksMax;
  send(turn, client.name.clientId, { kind: 'statusReport', tasks, truncated }, correlationId);
}

export function statusOf(task: Task): StatusEntry {
  const { instances, end } = task;
  const running = instances.find(({ lease }) => lease !== undefined)?.lease;
  return {
    taskId: task.record.taskId,
    requestId: task.record.requestId,
    algorithmId: running?.algorithm.id ?? end?.algorithmId ?? nameOf(task),
    state: stateOf(task),
    attempts: Math.max(0, ...instances.map(({ attempts }) => attempts)),
    progressPermille: progressOf(task),
    delivered: false,
    reason: end?.failure?.code ?? instances.find(({ lastReason }) => lastReason !== '')?.lastReason ?? '',
  };
}

/** Of all its parts. */
function progressOf({ instances, end }: Task): number {
  if (end !== undefined) return end.state === 'completed' ? 1000 : 0;
  const sum = instances.reduce(
    (total, { lease, result }) => total + (result === undefined ? (lease?.progressPermille ?? 0) : 1000),
    0,
  );
  return Math.floor(sum / Math.max(1, instances.length));
}

/** What was asked for, where no algorithm is chosen yet. */
export function nameOf(task: Task): string {
  const { selector } = task.record;
  return selector.by === 'type' ? selector.type : selector.algorithmId;
}

export function onDeliveryAck(turn: Turn, client: Client, taskId: Task['record']['taskId']): void {
  const task = turn.state.tasks.get(taskId);
  if (task === undefined || task.record.vehicleId !== client.name.vehicleId) return;
  closeTask(turn, task);
}
