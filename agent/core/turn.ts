/** One step in progress: the state, the time, what is owed so far, and who must be looked at before the step ends. */
import type {
  ClientId,
  ConnectorId,
  DownBody,
  InstanceId,
  Now,
  Reason,
  RequestId,
  VehicleId,
} from '@plugpool/proto';
import { noEffects, type Effects, type LogLevel } from './effects.ts';
import type { OpenCredit } from './credits/open-credit.ts';
import type { CreditId, CreditSending, InstanceRecord, StoreChange, TaskRecord } from './records.ts';
import { joinLine } from './waiting/line.ts';
import type { Client, Donor, Instance, State } from './state.ts';
import { NO_STAY } from './dwell/stay.ts';
import type { WaitingGroup } from './waiting/waiting.ts';

export interface Turn {
  readonly state: State;
  readonly now: Now;
  readonly effects: Effects;
  /** Donors of which something changed for the better: they choose among all who wait. */
  readonly changedDonors: Set<Donor>;
  /** Donors of which anything changed: they stand elsewhere in the index, or in it no more. */
  readonly touchedDonors: Set<Donor>;
  /** Groups of which more is possible than was thought. */
  readonly changedGroups: Set<WaitingGroup>;
  /** Instances that joined the line in this step: they look for a donor. */
  readonly newcomers: Set<Instance>;
  /** Replicas of what this step has granted: they look for a donor when all grants are made. */
  readonly newReplicas: Instance[];
  /** Donors that are asked a question with a known answer when all grants are made. */
  readonly checks: VehicleId[];
  /** Instances whose record differs from what is on disk. */
  readonly changedInstances: Map<InstanceId, Instance>;
  /** Stays of which more is earned (`owed`), or known (`told`), than is on disk. */
  readonly changedCredits: Map<OpenCredit, 'owed' | 'told'>;
  /** Connectors of which more was taken, or may be taken, of what their meter saw than is on disk. */
  readonly changedMeters: Set<ConnectorId>;
  readonly creditSendings: { readonly creditId: CreditId; readonly sending: CreditSending }[];
  /** Bodies heard in this step that cost as much as their client has tasks. */
  readonly heavyBodies: Map<ClientId, number>;
  /** Explanations asked for in this step. */
  readonly explanations: Map<VehicleId, number>;
}

export function beginTurn(state: State, now: Now): Turn {
  return {
    state,
    now,
    effects: noEffects(),
    changedDonors: new Set(),
    touchedDonors: new Set(),
    changedGroups: new Set(),
    newcomers: new Set(),
    newReplicas: [],
    checks: [],
    changedInstances: new Map(),
    changedCredits: new Map(),
    changedMeters: new Set(state.metersOver),
    creditSendings: [],
    heavyBodies: new Map(),
    explanations: new Map(),
  };
}

/** Records a change that somebody relies on: it is committed now. */
export function write(turn: Turn, change: StoreChange): void {
  turn.effects.changes.push(change);
  turn.effects.changesCanWait = false;
}

/** Records a change that may be lost without breaking a promise. */
export function writeLazily(turn: Turn, change: StoreChange): void {
  turn.effects.changes.push(change);
}

export function send(turn: Turn, clientId: ClientId, body: DownBody, correlationId = 0): void {
  turn.effects.sends.push({ clientId, envelope: { correlationId, body } });
}

export function log(
  turn: Turn,
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>>,
): void {
  turn.effects.logs.push({ level, message, fields });
}

export function refuse(
  turn: Turn,
  to: { readonly clientId: ClientId; readonly correlationId: number; readonly requestId?: RequestId },
  reasons: readonly Reason[],
  retry: boolean | { readonly afterMs: number } = false,
): void {
  turn.state.counters.refused += 1;
  const about = to.requestId === undefined ? {} : { requestId: to.requestId };
  const when =
    typeof retry === 'boolean' ? { retryable: retry } : { retryable: true, retryAfterMs: retry.afterMs };
  send(turn, to.clientId, { kind: 'refused', ...about, reasons, ...when }, to.correlationId);
  log(turn, 'warn', 'refused', { clientId: to.clientId, ...about, reasons: reasons.map((r) => r.code) });
}

/** Puts an instance into the line of those who wait. */
export function queue(turn: Turn, instance: Instance): void {
  joinLine(turn.state, instance);
  turn.newcomers.add(instance);
  turn.changedInstances.set(instance.instanceId, instance);
}

/** It waits for no donor any more, whatever it waited for. */
export function leaveLine({ state, newcomers }: Turn, instance: Instance): void {
  state.waiting.remove(instance);
  newcomers.delete(instance);
  state.roomMadeFor.delete(instance);
  state.timers.clear(`rest:${instance.instanceId}`);
}

/** Writes each instance that changed in this step once, as it stands at the end of the step. */
export function writeInstances(turn: Turn): void {
  for (const instance of turn.changedInstances.values()) {
    if (hasOnlyEnded(instance)) continue;
    instance.written = recordOf(instance);
    write(turn, { change: 'putInstance', instance: instance.written });
  }
  turn.changedInstances.clear();
}

/** Its lease went with its task, and nothing else changed: the end of the task says it. So it is with nearly every task. */
function hasOnlyEnded(instance: Instance): boolean {
  const { written } = instance;
  if (instance.task.end === undefined || written === undefined) return false;
  return (
    isPlain(instance) &&
    isPlainRecord(written) &&
    instance.attempts === written.attempts &&
    instance.departures === written.departures &&
    instance.crashes === written.crashes
  );
}

/** Of a part that runs once and keeps no state, the counts are all there is to write beside its lease. */
function isPlain(instance: Instance): boolean {
  const { result, checkpoint, preempted, owed, replica, quorum, program, settled } = instance;
  const keepsNothing = result === undefined && checkpoint === undefined && owed.length === 0 && !preempted;
  return keepsNothing && replica === 0 && quorum === 1 && program === undefined && !settled;
}

function isPlainRecord(record: InstanceRecord): boolean {
  const { result, checkpoint, preempted, owed, replica, quorum, program, settled } = record;
  const keepsNothing = (result ?? checkpoint ?? preempted ?? owed) === undefined;
  return keepsNothing && (replica ?? quorum ?? program ?? settled) === undefined;
}

function recordOf(instance: Instance): InstanceRecord {
  const { lease } = instance;
  const base = {
    instanceId: instance.instanceId,
    taskId: instance.task.record.taskId,
    index: instance.index,
    attempts: instance.attempts,
    departures: instance.departures,
    crashes: instance.crashes,
    ...(instance.result === undefined ? {} : { result: instance.result }),
    ...(instance.checkpoint === undefined ? {} : { checkpoint: instance.checkpoint }),
    ...(instance.preempted ? { preempted: true } : {}),
    ...(instance.owed.length === 0 ? {} : { owed: instance.owed }),
    ...(instance.replica === 0 ? {} : { replica: instance.replica }),
    ...(instance.quorum === 1 ? {} : { quorum: instance.quorum }),
    ...(instance.program === undefined ? {} : { program: instance.program }),
    ...(instance.settled ? { settled: true } : {}),
  };
  if (lease === undefined) return base;
  return {
    ...base,
    lease: {
      vehicleId: lease.vehicleId,
      connectorId: lease.connectorId,
      algorithmId: lease.algorithm.id,
      algorithmVersion: lease.algorithm.version,
      demand: lease.demand,
      ...(lease.gpuDeviceId === undefined ? {} : { gpuDeviceId: lease.gpuDeviceId }),
      fencingToken: lease.fencingToken,
      grantedWallMs: lease.grantedWallMs,
      ...(lease.meterMwh === undefined ? {} : { meterMwh: lease.meterMwh }),
      ...(lease.booked === undefined ? {} : { booked: lease.booked }),
      ...(lease.unbooked === undefined ? {} : { unbooked: lease.unbooked }),
    },
  };
}

/** The connection that asked for a task, where it is there and was welcomed. */
export function askingClient(state: State, record: TaskRecord): Client | undefined {
  const client = state.clients.get(`${record.vehicleId}.${record.slot}` as ClientId);
  return client === undefined || client.epoch === 0 ? undefined : client;
}

/** The donor of that vehicle; made where the vehicle was not known. */
export function donorOf(state: State, vehicleId: VehicleId): Donor {
  let donor = state.donors.get(vehicleId);
  if (donor === undefined) {
    donor = {
      vehicleId,
      clientId: undefined,
      hardware: undefined,
      runtimes: [],
      report: undefined,
      lendable: { cpuMillicores: 0, memoryMib: 0, gpus: [] },
      reportedMonoMs: 0,
      heldDown: undefined,
      departureMonoMs: undefined,
      isBehind: false,
      restless: undefined,
      judging: undefined,
      cachedImages: new Set(),
      stay: NO_STAY,
      verdicts: undefined,
      leased: new Map(),
      free: { cpuMillicores: 0, memoryMib: 0, gpus: [] },
    };
    state.donors.set(vehicleId, donor);
  }
  return donor;
}
