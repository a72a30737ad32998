/** The production `step` under a clock that only moves when it is told to, with what it commits kept as a disk would. */
import type { Event, ConnectionNumber } from '../../agent/core/events.ts';
import type { ControlOutcome } from '@plugpool/firmware-bridge';
import type { Control, Effects } from '../../agent/core/effects.ts';
import { answerAgain } from '../../agent/core/leases/result-answer.ts';
import { loadState } from '../../agent/core/load.ts';
import type { AlgorithmRecord, Comparison, StoreChange } from '../../agent/core/records.ts';
import { DEFAULT_SETTINGS, type Settings } from '../../agent/core/settings.ts';
import type { FirmwareSource } from '../../agent/core/sessions/sources.ts';
import type { State } from '../../agent/core/state.ts';
import { nextDueMs, step } from '../../agent/core/step.ts';
import { deliveryOf } from '../../agent/core/tasks/task-end.ts';
import {
  BLOB_BYTES_MAX,
  CHUNK_BYTES_MAX,
  INLINE_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  STATUS_TASKS_MAX,
  parseClientId,
  vehicleIdOf,
  type AlgorithmId,
  type Capacity,
  type CapacityReport,
  type ClientId,
  type ClientName,
  type ConnectorId,
  type Demand,
  type Digest,
  type DownBody,
  type LeaseId,
  type Payload,
  type RequestId,
  type TaskRequest,
  type UpBody,
  type VehicleId,
} from '@plugpool/proto';
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import { SimulatedDisk } from './simulated-disk.ts';

export const TEST_SETTINGS: Settings = {
  ...DEFAULT_SETTINGS,
  wire: {
    messageBytesMax: MESSAGE_BYTES_MAX,
    inlineBytesMax: INLINE_BYTES_MAX,
    blobBytesMax: BLOB_BYTES_MAX,
    chunkBytesMax: CHUNK_BYTES_MAX,
    statusTasksMax: STATUS_TASKS_MAX,
  },
};

export function clientName(clientId: string): ClientName {
  const name = parseClientId(clientId);
  if (name === undefined) throw new Error(`${clientId} is no client id`);
  return name;
}

export interface SentBody {
  readonly clientId: ClientId;
  readonly correlationId: number;
  readonly body: DownBody;
}

export class SimulatedPile {
  readonly disk = new SimulatedDisk();
  /** Who tells what the firmware says of a connector. */
  sourceOf: (connectorId: ConnectorId) => FirmwareSource = () => ({ name: 'simulated', staleAfterMs: 0 });
  readonly settings: Settings;
  state: State;
  nowMs = 1_000;
  wallOffsetMs = 1_700_000_000_000;
  /** How far the wall clock ever jumped ahead. */
  wallJumpsMs = 0;
  /** Its vehicles have the reference speed. */
  readonly speedMillisMax = 1000;
  /** Everything that was sent, oldest first. */
  readonly sent: SentBody[] = [];
  /** Bytes that the core wants pulled. */
  readonly fetches: { readonly digest: Digest; readonly vehicleId: VehicleId }[] = [];
  /** What the core wanted done at connectors, oldest first; answered as `answerControl` says. */
  readonly controls: Control[] = [];
  answerControl: (control: Control) => ControlOutcome | undefined = () => undefined;
  /** When each fencing token was granted, by a clock that never jumps. */
  readonly grantedAtMs = new Map<number, number>();
  /** Instances that were pre-empted; laws.ts keeps it. */
  readonly preempted = new Set<string>();
  /** Whether two results whose bytes lie on the disk are the same; by their digests unless a test knows better. */
  compareBlobs: (a: Payload, b: Payload, compare: Comparison) => boolean = (a, b) =>
    JSON.stringify(a) === JSON.stringify(b);
  /** Called after each step with what it sent. */
  afterStep: (sent: readonly SentBody[]) => void = () => undefined;
  #lazy: StoreChange[] = [];
  #connection = 0;
  readonly connections = new Map<string, ConnectionNumber>();

  constructor(settings: Partial<Settings> = {}) {
    this.settings = { ...TEST_SETTINGS, ...settings };
    this.state = loadState(this.disk.load(), this.settings, this.now());
  }

  now(): { monoMs: number; wallMs: number } {
    return { monoMs: this.nowMs, wallMs: this.nowMs + this.wallOffsetMs };
  }

  heldMs(fencingToken: number): number {
    return this.nowMs - (this.grantedAtMs.get(fencingToken) ?? Infinity) + this.wallJumpsMs;
  }

  /** One step, committed; returns what it sent. */
  step(...events: Event[]): SentBody[] {
    const effects = step(this.state, events, this.now());
    this.commit(effects);
    for (const { clientId, blob } of effects.fetches)
      this.fetches.push({ digest: blob.digest, vehicleId: clientName(clientId).vehicleId });
    const sent: SentBody[] = effects.sends.map(({ clientId, envelope }) => ({ clientId, ...envelope }));
    for (const { clientId, correlationId, taskId } of effects.recalls) {
      const kept = this.disk.tasks.get(taskId);
      if (kept?.end === undefined || !clientId.startsWith(`${kept.task.vehicleId}.`)) continue;
      sent.push({ clientId, correlationId, body: deliveryOf(kept.task, kept.end) });
    }
    for (const { clientId, correlationId, taskId, lease } of effects.resultRecalls) {
      const body = answerAgain(lease, vehicleIdOf(clientId), this.disk.attempt(taskId, lease));
      sent.push({ clientId, correlationId, body });
    }
    for (const { body } of sent)
      if (body.kind === 'offer') this.grantedAtMs.set(body.lease.fencingToken, this.nowMs);
    this.sent.push(...sent);
    this.afterStep(sent);
    const compared = effects.compares.map(({ pair, payloads: [a, b], compare }): Event => {
      return { kind: 'compared', pair, isSame: this.compareBlobs(a, b, compare) };
    });
    this.controls.push(...effects.controls);
    const answers = [...compared, ...effects.controls.flatMap((control) => this.#controlled(control))];
    return answers.length === 0 ? sent : [...sent, ...this.step(...answers)];
  }

  #controlled(control: Control): Event[] {
    const outcome = this.answerControl(control);
    return outcome === undefined ? [] : [{ kind: 'controlled', control, outcome }];
  }

  commit(effects: Effects): void {
    if (effects.changesCanWait) this.#lazy.push(...effects.changes);
    else this.disk.write([...this.#lazy.splice(0), ...effects.changes]);
  }

  /** A step whose commit fails: nothing of it is on disk, the state is loaded again. */
  failedStep(...events: Event[]): void {
    step(this.state, events, this.now());
    this.#lazy = [];
    this.state = loadState(this.disk.load(), this.settings, this.now(), this.state);
  }

  /** The process dies and starts again: only the disk is left, connections are gone. */
  restart(): void {
    this.#lazy = [];
    this.connections.clear();
    this.nowMs += 1_000;
    this.state = loadState(this.disk.load(), this.settings, this.now());
  }

  /** Somebody, or a server of time, sets the wall clock. */
  jump(ms: number): void {
    this.wallOffsetMs += ms;
    this.wallJumpsMs += Math.abs(ms);
  }

  /** Lets time pass, with a step at each timer that falls due. */
  pass(ms: number): SentBody[] {
    const untilMs = this.nowMs + ms;
    const sent: SentBody[] = [];
    for (;;) {
      const dueMs = nextDueMs(this.state);
      if (dueMs === undefined || dueMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      sent.push(...this.step({ kind: 'tick' }));
    }
    this.nowMs = untilMs;
    return sent;
  }

  connect(clientId: string): void {
    this.#connection += 1;
    const connection = this.#connection as ConnectionNumber;
    this.connections.set(clientId, connection);
    this.step({ kind: 'connected', client: clientName(clientId), connection });
  }

  disconnect(clientId: string): void {
    const connection = this.connections.get(clientId);
    if (connection === undefined) return;
    this.connections.delete(clientId);
    this.step({ kind: 'disconnected', client: clientName(clientId), connection });
  }

  message(clientId: string, body: UpBody, correlationId = 1, blobHeld = true): Event {
    const connection = this.connections.get(clientId) ?? (0 as ConnectionNumber);
    const about = { kind: 'message', client: clientName(clientId), connection } as const;
    const envelope = { correlationId, body };
    return body.kind === 'request'
      ? { ...about, envelope, bodyHash: JSON.stringify([body.selector, body.args]), blobHeld }
      : { ...about, envelope, blobHeld };
  }

  say(clientId: string, body: UpBody, correlationId = 1): SentBody[] {
    return this.step(this.message(clientId, body, correlationId));
  }

  firmware(
    event: DistributiveOmit<FirmwareEvent, 'at'>,
    source = this.sourceOf(event.connectorId),
  ): SentBody[] {
    const at = { receivedWallMs: this.now().wallMs };
    return this.step({ kind: 'firmware', event: { ...event, at } as FirmwareEvent, source });
  }

  /** A vehicle is plugged in and charges, as the firmware says. */
  plug(vehicleId: string, connector = vehicleId): void {
    const connectorId = connectorOf(connector);
    this.firmware({ kind: 'plugged', connectorId });
    this.firmware({
      kind: 'identity',
      connectorId,
      vehicleId: vehicleId as VehicleId,
      assurance: 'operator',
    });
    this.firmware({ kind: 'chargingStarted', connectorId });
  }

  unplug(connector: string): SentBody[] {
    return this.firmware({ kind: 'unplugged', connectorId: connectorOf(connector) });
  }

  /** The vehicle's client connects and offers what it has. */
  lend(vehicleId: string, lendable: Has = {}, held: LeaseId[] = []): SentBody[] {
    const clientId = `${vehicleId}.lend`;
    this.connect(clientId);
    const welcomed = this.say(clientId, hello(lendable, held));
    return [...welcomed, ...this.say(clientId, capacityReport(lendable))];
  }

  ask(vehicleId: string, slot = 'ask-1'): void {
    this.connect(`${vehicleId}.${slot}`);
    this.say(`${vehicleId}.${slot}`, { kind: 'hello', clientVersion: '1', held: [], runtimes: [] });
  }

  addAlgorithm(id: string, demands: Partial<Demand>[] = [{}], more: Partial<AlgorithmRecord> = {}): void {
    this.step({
      kind: 'operator',
      question: 1,
      command: {
        verb: 'addAlgorithm',
        algorithm: {
          id: id as AlgorithmId,
          version: '1',
          type: id,
          runtime: 'wasm',
          image: { digest: digestOf(id), sizeBytes: 1 },
          demands: demands.map((demand) => ({ cpuMillicores: 1000, memoryMib: 64, threads: 1, ...demand })),
          workCoreS: 1,
          ...more,
        },
      },
    });
  }
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never;

export function connectorOf(name: string): ConnectorId {
  return `station/${name}/1` as ConnectorId;
}

export function digestOf(name: string): Digest {
  return Buffer.from(name.padEnd(32, '.').slice(0, 32)).toString('hex') as Digest;
}

/** What a vehicle has or lends; of each GPU its share in thousandths. */
export interface Has {
  readonly cpu?: number;
  readonly memory?: number;
  readonly gpu?: number;
  readonly secondGpu?: number;
}

function capacity({ cpu = 4000, memory = 8192, gpu = 0, secondGpu = 0 }: Has): Capacity {
  const gpus = [
    { deviceId: 'gpu0', model: 'Orin', shareMillis: gpu, vramMib: 8192 },
    { deviceId: 'gpu1', model: 'Hailo', shareMillis: secondGpu, vramMib: 4096 },
  ];
  return { cpuMillicores: cpu, memoryMib: memory, gpus: gpus.filter(({ shareMillis }) => shareMillis > 0) };
}

export function hello(has: Has, held: LeaseId[] = []): UpBody {
  const { cpuMillicores, memoryMib, gpus } = capacity(has);
  return {
    kind: 'hello',
    clientVersion: '1',
    hardware: {
      cpuModel: 'test',
      cores: Math.ceil(cpuMillicores / 1000),
      clockMhz: 2000,
      memoryMib,
      gpus,
      speedMillis: 1000,
      platform: 'linux',
    },
    held,
    runtimes: ['wasm', 'onnx'],
  };
}

export function capacityReport(has: Has, more: Partial<CapacityReport> = {}): CapacityReport {
  return {
    kind: 'capacity',
    lendable: capacity(has),
    lending: true,
    reason: '',
    cachedImages: [],
    allowedAlgorithms: [],
    chargingOnly: false,
    ...more,
  };
}

export function request(requestId: string, algorithm: string, more: Partial<TaskRequest> = {}): TaskRequest {
  return {
    kind: 'request',
    requestId: requestId as RequestId,
    selector: { by: 'algorithm', algorithmId: algorithm as AlgorithmId },
    args: [],
    input: { where: 'inline', bytes: new Uint8Array([1, 2, 3]) },
    ...more,
  };
}

export function completed(lease: LeaseId, cpuMs = 500): UpBody {
  return {
    kind: 'result',
    lease,
    // Whatever it says it did, it says of the GPU as well.
    used: { cpuMs, wallMs: cpuMs, memoryPeakMib: 10, gpuMs: cpuMs },
    outcome: { ok: true, output: { where: 'inline', bytes: new Uint8Array([42]) } },
  };
}

/** The bodies of one kind among what was sent. */
export function bodiesOf<Kind extends DownBody['kind']>(
  sent: readonly SentBody[],
  kind: Kind,
): Extract<DownBody, { kind: Kind }>[] {
  return sent.flatMap(({ body }) => (body.kind === kind ? [body as Extract<DownBody, { kind: Kind }>] : []));
}

/** A pile with an algorithm `sum`, these donors charging and lending, and the requester `asker.ask-1`. */
export function pileWith(...donors: string[]): SimulatedPile {
  const pile = new SimulatedPile();
  pile.addAlgorithm('sum');
  for (const donor of donors) {
    pile.plug(donor);
    pile.lend(donor);
  }
  pile.ask('asker');
  return pile;
}

/** The lease of the first offer among what was sent. */
export function leaseIn(sent: readonly SentBody[]): LeaseId {
  const [offer] = bodiesOf(sent, 'offer');
  if (offer === undefined) throw new Error('no offer was sent');
  return offer.lease;
}
