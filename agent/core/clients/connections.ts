/** A client's connection: connected, welcomed, gone; what it holds is kept or dropped, what is owed to it is said again. */
import type { ClientName, Epoch, HardwareProfile, Hello, LeaseId } from '@plugpool/proto';
import { isTooHeavy } from './heavy-bodies.ts';
import type { ConnectionNumber } from '../events.ts';
import { forgetDonor, noteOwner } from '../donors/known-donors.ts';
import { loseLease } from '../leases/lost-lease.ts';
import { holdingOf } from '../leases/results.ts';
import { BELIEVED_SPEED_MILLIS_MAX, IDLE_DONORS_MAX } from '../limits.ts';
import { nextNumber } from '../numbers.ts';
import type { Client, Donor, State } from '../state.ts';
import { deliverAgain } from '../tasks/task-end.ts';
import { donorOf, log, refuse, send, type Turn } from '../turn.ts';

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
    forgetDonor(state, donor);
    state.timers.clear(`report:${donor.vehicleId}`);
    state.timers.clear(`review:${donor.vehicleId}`);
    state.timers.clear(`judge:${donor.vehicleId}`);
    state.timers.clear(`settled:${donor.vehicleId}`);
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
  client.epoch = nextNumber(turn) as Epoch;
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

/** Which of the leases that the vehicle says it holds are still its own; those that it does not list are lost. */
function reconcile(turn: Turn, client: Client, hello: Hello): { keep: LeaseId[]; drop: LeaseId[] } {
  const { state } = turn;
  const donor = donorOf(state, client.name.vehicleId);
  donor.clientId = client.name.clientId;
  if (donor.hardware === undefined && hello.hardware !== undefined) noteOwner(state, donor.vehicleId);
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
