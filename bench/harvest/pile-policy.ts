/**
 * Plugpool as a policy of the simulated world: the production `step` hears of vehicles and tasks as it would on a pile, by the
 * events of its firmware and the messages of its clients, and its offers are what starts.
 */
import type {
  ClientId,
  ConnectorId,
  DownBody,
  InstanceId,
  LeaseId,
  RequestId,
  TaskId,
  UpBody,
  VehicleId,
} from '@plugpool/proto';
import { clientName, TEST_SETTINGS } from '../../test/simulation/simulated-pile.ts';
import type { ConnectionNumber, Event } from '../../agent/core/events.ts';
import { loadState } from '../../agent/core/load.ts';
import type { AlgorithmRecord, StayRecord } from '../../agent/core/records.ts';
import type { Settings } from '../../agent/core/settings.ts';
import type { State } from '../../agent/core/state.ts';
import { nextDueMs, step } from '../../agent/core/step.ts';
import {
  algorithmIdOf,
  algorithmOf,
  capacityReportOf,
  checkpointOf,
  helloOf,
  requestOf,
  resultOf,
  revokedOf,
} from './pile-messages.ts';
import type { Attempt, AttemptEnd, Decision, Donor, OpenTask, PastStay, Policy } from './policy.ts';
import type { HarvestTask, Vector } from './work.ts';

/** No renewal, report or sample is simulated: whoever is there is heard. */
const NEVER_MS = 60 * 24 * 3600 * 1000;

/** What differs from a pile as it is installed, so that silence means nothing in the simulated clock. */
const WORLD_SETTINGS: Settings = {
  ...TEST_SETTINGS,
  leaseMs: NEVER_MS,
  capacityStaleMs: NEVER_MS,
  deadlineMaxMs: NEVER_MS,
  checkpoints: true,
};

interface PileOptions {
  readonly whole: Vector;
  /** Every demand of the window: one algorithm each. */
  readonly tasks: readonly HarvestTask[];
  readonly startMs: number;
  readonly payers: number;
  readonly settings?: Partial<Settings>;
}

export class PilePolicy implements Policy {
  readonly name: string;
  readonly #options: PileOptions;
  readonly #settings: Settings;
  #state: State;
  #events: Event[] = [];
  #connection = 0;
  readonly #connections = new Map<ClientId, ConnectionNumber>();
  readonly #donors = new Map<ClientId, Donor>();
  readonly #byRequest = new Map<string, OpenTask>();
  readonly #byTask = new Map<TaskId, OpenTask>();
  readonly #leases = new Map<Attempt, LeaseId>();
  readonly #attempts = new Map<InstanceId, Attempt>();
  #nowMs: number;
  /** Said with its welcomes. */
  #keepsCheckpoints = false;

  constructor(name: string, options: PileOptions) {
    this.name = name;
    this.#options = options;
    this.#nowMs = options.startMs;
    this.#settings = { ...WORLD_SETTINGS, ...options.settings };
    this.#state = this.#load([]);
  }

  /** As a start finds it on disk. */
  learn(past: readonly PastStay[]): void {
    this.#state = this.#load(past.map(stayRecordOf));
  }

  #load(stays: readonly StayRecord[]): State {
    const stored = {
      generation: 1,
      algorithms: algorithmsOf(this.#options),
      openTasks: [],
      closedTasks: [],
      stays,
      bindings: [],
      credits: [],
      learned: new Map(),
    };
    const state = loadState(stored, this.#settings, this.#now());
    for (let payer = 0; payer < this.#options.payers; payer += 1)
      this.#connect(askerOf(payer), { kind: 'hello', clientVersion: '1', held: [], runtimes: [] });
    return state;
  }

  /** Local times of the file are read as UTC: the wall clock of the pile is theirs. */
  #now(): { monoMs: number; wallMs: number } {
    return { monoMs: this.#nowMs - this.#options.startMs + 1, wallMs: this.#nowMs };
  }

  arrived(donor: Donor, nowMs: number): void {
    const { vehicle } = donor;
    const connectorId = donor.connector as ConnectorId;
    this.#firmware(nowMs, { kind: 'plugged', connectorId });
    this.#firmware(nowMs, {
      kind: 'identity',
      connectorId,
      vehicleId: vehicle as VehicleId,
      assurance: 'operator',
    });
    this.#firmware(nowMs, { kind: 'chargingStarted', connectorId });
    if (donor.statedDepartureMs !== undefined)
      this.#firmware(nowMs, { kind: 'evInfo', connectorId, departureInMs: donor.statedDepartureMs - nowMs });
    const clientId = lenderOf(vehicle);
    this.#donors.set(clientId, donor);
    this.#connect(clientId, helloOf(donor.whole));
    this.#say(clientId, capacityReportOf(donor.whole));
  }

  chargingEnded(donor: Donor, nowMs: number): void {
    this.#firmware(nowMs, { kind: 'suspended', connectorId: donor.connector as ConnectorId, by: 'EV' });
  }

  left(donor: Donor, nowMs: number): void {
    const clientId = lenderOf(donor.vehicle);
    this.#firmware(nowMs, { kind: 'unplugged', connectorId: donor.connector as ConnectorId });
    const connection = this.#connections.get(clientId);
    if (connection !== undefined)
      this.#events.push({ kind: 'disconnected', client: clientName(clientId), connection });
    this.#connections.delete(clientId);
    this.#donors.delete(clientId);
  }

  submitted(open: OpenTask, nowMs: number): void {
    this.#byRequest.set(open.task.id, open);
    this.#say(askerOf(open.task.payer), requestOf(open.task, nowMs), `${open.task.id}`);
  }

  ended(attempt: Attempt, how: AttemptEnd, nowMs: number): void {
    const lease = this.#leases.get(attempt);
    this.#leases.delete(attempt);
    if (lease === undefined) return;
    this.#attempts.delete(lease.instanceId);
    const { open, donor } = attempt;
    const ranMs = nowMs - attempt.startedMs;
    const lender = lenderOf(donor.vehicle);
    if (how === 'deadline') return this.#cancel(open);
    if (how === 'completed') return this.#say(lender, resultOf(lease, open.task, ranMs));
    if (this.#keepsCheckpoints && open.doneMs > attempt.fromMs)
      this.#say(lender, checkpointOf(lease, open.task, open.doneMs - attempt.fromMs));
    this.#say(lender, revokedOf(lease, open.task, ranMs));
  }

  withdrawn(open: OpenTask): void {
    this.#cancel(open);
  }

  decide(nowMs: number, act: (decision: Decision) => void): void {
    this.#nowMs = nowMs;
    const dueMs = nextDueMs(this.#state);
    if (this.#events.length === 0 && (dueMs === undefined || dueMs > this.#now().monoMs)) return;
    // What a step is answered with at once (acknowledged deliveries) is heard in the same moment.
    do {
      const events = this.#events;
      this.#events = [];
      const { sends } = step(this.#state, events, this.#now());
      for (const { clientId, envelope } of sends) this.#hear(clientId, envelope.body, act);
    } while (this.#events.length > 0);
  }

  nextWakeMs(): number | undefined {
    const dueMs = nextDueMs(this.#state);
    return dueMs === undefined ? undefined : Math.ceil(dueMs + this.#options.startMs - 1);
  }

  #hear(clientId: ClientId, body: DownBody, act: (decision: Decision) => void): void {
    switch (body.kind) {
      case 'welcome':
        this.#keepsCheckpoints = body.checkpoints;
        return;
      case 'accepted': {
        const open = this.#byRequest.get(body.requestId) as OpenTask;
        this.#byTask.set(body.taskId, open);
        return;
      }
      case 'offer':
        return this.#start(clientId, body, act);
      case 'revoke':
        return this.#stop(body.lease, act);
      case 'delivery':
        this.#forget(body.taskId);
        return this.#say(clientId, { kind: 'deliveryAck', taskId: body.taskId });
      case 'refused':
        throw new Error(`the pile refused: ${body.reasons.map(({ detail }) => detail).join('; ')}`);
      default:
    }
  }

  #start(
    clientId: ClientId,
    offer: Extract<DownBody, { kind: 'offer' }>,
    act: (decision: Decision) => void,
  ): void {
    const open = this.#byTask.get(offer.taskId) as OpenTask;
    const donor = this.#donors.get(clientId) as Donor;
    if (offer.checkpoint === undefined) open.doneMs = 0;
    const { checkpointEveryMs } = offer;
    act({ kind: 'start', open, donor, ...(checkpointEveryMs === undefined ? {} : { checkpointEveryMs }) });
    const attempt = open.attempt as Attempt;
    this.#leases.set(attempt, offer.lease);
    this.#attempts.set(offer.lease.instanceId, attempt);
  }

  /** Of an attempt that the world has ended already, nothing is left to be stopped. */
  #stop(lease: LeaseId, act: (decision: Decision) => void): void {
    const attempt = this.#attempts.get(lease.instanceId);
    if (attempt === undefined || this.#leases.get(attempt)?.fencingToken !== lease.fencingToken) return;
    act({ kind: 'stop', attempt });
  }

  /** By the id that the requester gave it: the pile may not have heard of it yet. */
  #cancel({ task }: OpenTask): void {
    const requestId = task.id as RequestId;
    this.#say(askerOf(task.payer), { kind: 'cancel', which: { by: 'request', requestId } });
  }

  #forget(taskId: TaskId): void {
    const open = this.#byTask.get(taskId);
    this.#byTask.delete(taskId);
    if (open === undefined) return;
    this.#byRequest.delete(open.task.id);
  }

  #connect(clientId: ClientId, hello: UpBody): void {
    const connection = ++this.#connection as ConnectionNumber;
    this.#connections.set(clientId, connection);
    this.#events.push({ kind: 'connected', client: clientName(clientId), connection });
    this.#say(clientId, hello);
  }

  #say(clientId: ClientId, body: UpBody, bodyHash = ''): void {
    const connection = this.#connections.get(clientId);
    if (connection === undefined) return;
    this.#events.push({
      kind: 'message',
      client: clientName(clientId),
      connection,
      envelope: { correlationId: 1, body },
      bodyHash,
      blobHeld: true,
    });
  }

  #firmware(nowMs: number, fact: FirmwareFactOf): void {
    const event = { ...fact, at: { receivedWallMs: nowMs } };
    this.#events.push({ kind: 'firmware', event, source: { name: 'bench', staleAfterMs: 0 } });
  }
}

type FirmwareFactOf = DistributiveOmit<Extract<Event, { kind: 'firmware' }>['event'], 'at'>;
type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never;

function stayRecordOf(past: PastStay): StayRecord {
  const { connector, pluggedMs, unpluggedMs, chargingEndMs, statedDepartureMs } = past;
  return {
    connectorId: connector as ConnectorId,
    pluggedWallMs: pluggedMs,
    unpluggedWallMs: unpluggedMs,
    ...(chargingEndMs < unpluggedMs ? { chargingEndedWallMs: chargingEndMs } : {}),
    ...(statedDepartureMs === undefined ? {} : { statedDepartureWallMs: statedDepartureMs }),
  };
}

function algorithmsOf({ tasks }: PileOptions): AlgorithmRecord[] {
  const algorithms = new Map<string, AlgorithmRecord>();
  for (const task of tasks)
    if (!algorithms.has(algorithmIdOf(task))) algorithms.set(algorithmIdOf(task), algorithmOf(task));
  return [...algorithms.values()];
}

function lenderOf(vehicle: string): ClientId {
  return `${vehicle}.lend` as ClientId;
}

function askerOf(payer: number): ClientId {
  return `payer-${payer}.ask-1` as ClientId;
}
