/** A pile as full as a bench wants it: every donor plugged in and lending, and a line of requests that fit on none of them. */
import type { ClientName, Digest, Envelope, Offer, Payload, Slot, UpBody, VehicleId } from '@plugpool/proto';
import { transition, newSession } from '../../agent/core/sessions/session.ts';
import type { Effects } from '../../agent/core/effects.ts';
import type { ConnectionNumber, Event } from '../../agent/core/events.ts';
import { emptyState, type State } from '../../agent/core/state.ts';
import { nextDueMs, step } from '../../agent/core/step.ts';
import type { Settings } from '../../agent/core/settings.ts';
import {
  capacityReport,
  clientName,
  connectorOf,
  hello,
  request,
  TEST_SETTINGS,
  type Has,
} from '../../test/simulation/simulated-pile.ts';
import { nextUint32, seededRandom, type Random } from '../../agent/core/random.ts';

export interface CrowdSize {
  readonly donors: number;
  readonly requests: number;
  readonly requesters: number;
  readonly seed: number;
}

/** Eight programs, from small to large; some lean on the GPU, some on memory. */
const PROGRAMS = [
  { id: 'tiny', cpuMillicores: 500, memoryMib: 256, workCoreS: 5 },
  { id: 'small', cpuMillicores: 1000, memoryMib: 512, workCoreS: 30 },
  { id: 'medium', cpuMillicores: 2000, memoryMib: 1024, workCoreS: 120 },
  { id: 'large', cpuMillicores: 4000, memoryMib: 2048, workCoreS: 600 },
  { id: 'wide', cpuMillicores: 1000, memoryMib: 6144, workCoreS: 60 },
  { id: 'infer', cpuMillicores: 500, memoryMib: 1024, workCoreS: 20, gpuMillis: 300 },
  { id: 'train', cpuMillicores: 1000, memoryMib: 2048, workCoreS: 900, gpuMillis: 1000 },
  { id: 'see', cpuMillicores: 1000, memoryMib: 1024, workCoreS: 60, gpuMillis: 500 },
] as const;

const HARDWARE: readonly Has[] = [
  { cpu: 2000, memory: 4096 },
  { cpu: 4000, memory: 8192, gpu: 1000 },
  { cpu: 4000, memory: 16_384 },
  { cpu: 6000, memory: 8192, gpu: 1000 },
];

const LATENCIES_MS = [undefined, undefined, undefined, 50_000, 8_000];
const STEP_REQUESTS = 500;
const INPUT: Payload = { where: 'blob', blob: { digest: '0'.repeat(64) as Digest, sizeBytes: 100_000 } };
const NO_ARGS: readonly string[] = [];

/** Nothing expires in a bench, and nothing is refused for being one too many. */
function crowdSettings(size: CrowdSize): Settings {
  return {
    ...TEST_SETTINGS,
    leaseMs: 1e9,
    capacityStaleMs: 1e9,
    openTasksMax: 8 * (size.requests + 100 * size.donors),
    openTasksPerVehicleMax: 2 * (size.requests + 100 * size.donors),
  };
}

export class Crowd {
  readonly state: State;
  readonly random: Random;
  nowMs = 1_000;
  readonly #size: CrowdSize;
  readonly #names = new Map<string, ClientName>();
  #requested = 0;

  constructor(size: CrowdSize) {
    this.#size = size;
    this.random = seededRandom(size.seed);
    this.state = emptyState(crowdSettings(size), 1);
  }

  now(): { monoMs: number; wallMs: number } {
    return { monoMs: this.nowMs, wallMs: 1_700_000_000_000 + this.nowMs };
  }

  step(...events: Event[]): Effects {
    return step(this.state, events, this.now());
  }

  *gather(): Generator<Effects> {
    for (const program of PROGRAMS) yield this.step(addProgram(program));
    for (let n = 0; n < this.#size.requesters; n += 1) yield this.#ask(n);
    for (let n = 0; n < this.#size.donors; n += 1) yield this.#lend(n);
  }

  nextRequest(): Event {
    this.#requested += 1;
    const program = PROGRAMS[this.pick(PROGRAMS.length)] ?? PROGRAMS[0];
    const latencyMs = LATENCIES_MS[this.pick(LATENCIES_MS.length)];
    const body = request(`r${this.#requested}`, program.id, {
      // By digest, which all share: what lies in the inputs is no matter of matching.
      input: INPUT,
      args: NO_ARGS,
      deadlineMs: 3_600_000 + this.pick(20 * 3_600_000),
      ...(latencyMs === undefined ? {} : { wants: { latencyMs } }),
    });
    return this.message(`asker-${this.#requested % this.#size.requesters}.ask-1`, body);
  }

  /** Requests until that many wait. */
  *fill(): Generator<Effects> {
    while (this.state.waiting.size < this.#size.requests) {
      const missing = this.#size.requests - this.state.waiting.size;
      const count = Math.min(STEP_REQUESTS, missing);
      yield this.step(...Array.from({ length: count }, () => this.nextRequest()));
    }
  }

  /** Runs take as long as was thought. */
  wallMsOf({ algorithmId }: Offer): number {
    const program = PROGRAMS.find(({ id }) => id === algorithmId) ?? PROGRAMS[0];
    return Math.round((program.workCoreS * 1e6) / program.cpuMillicores);
  }

  /** Lets the clock run until then, and what falls due meanwhile happen. */
  *until(monoMs: number): Generator<Effects> {
    for (;;) {
      const dueMs = nextDueMs(this.state);
      if (dueMs === undefined || dueMs >= monoMs) break;
      this.nowMs = Math.max(this.nowMs, Math.ceil(dueMs));
      yield step(this.state, [{ kind: 'tick' }], this.now());
    }
    this.nowMs = Math.max(this.nowMs, monoMs);
  }

  pick(below: number): number {
    return nextUint32(this.random) % below;
  }

  message(clientId: string, body: UpBody): Event {
    const envelope: Envelope<UpBody> = { correlationId: 1, body };
    const about = { kind: 'message', client: this.#nameOf(clientId), envelope, blobHeld: true } as const;
    return { ...about, connection: 1 as ConnectionNumber, bodyHash: '' };
  }

  #nameOf(clientId: string): ClientName {
    let name = this.#names.get(clientId);
    if (name === undefined) this.#names.set(clientId, (name = clientName(clientId)));
    return name;
  }

  #ask(n: number): Effects {
    const clientId = `asker-${n}.ask-1`;
    return this.step(
      { kind: 'connected', client: this.#nameOf(clientId), connection: 1 as ConnectionNumber },
      this.message(clientId, { kind: 'hello', clientVersion: '1', held: [], runtimes: [] }),
    );
  }

  /** The session is put there as its firmware would have left it: connectors are bounded for a pile, not for a bench. */
  #lend(n: number): Effects {
    const vehicleId = `donor-${n}` as VehicleId;
    const connectorId = connectorOf(`${n}`);
    const at = { receivedWallMs: this.now().wallMs };
    let session = newSession(connectorId, this.now());
    for (const event of [
      { kind: 'plugged', connectorId, at },
      { kind: 'identity', connectorId, at, vehicleId, assurance: 'operator' },
      { kind: 'chargingStarted', connectorId, at },
    ] as const)
      session = transition(session, event, { name: 'bench', staleAfterMs: 0 }, this.now());
    this.state.sessions.set(connectorId, session);
    this.state.connectorOf.set(vehicleId, connectorId);
    const has = HARDWARE[n % HARDWARE.length] ?? {};
    const clientId = `${vehicleId}.${'lend' as Slot}`;
    return this.step(
      { kind: 'connected', client: this.#nameOf(clientId), connection: 1 as ConnectionNumber },
      this.message(clientId, hello(has)),
      this.message(clientId, capacityReport(has)),
    );
  }
}

function addProgram(program: (typeof PROGRAMS)[number]): Event {
  const { id, cpuMillicores, memoryMib, workCoreS } = program;
  const gpu = 'gpuMillis' in program ? { gpu: { shareMillis: program.gpuMillis, vramMib: 512 } } : {};
  return {
    kind: 'operator',
    question: 1,
    command: {
      verb: 'addAlgorithm',
      algorithm: {
        id: id as never,
        version: '1',
        type: id,
        runtime: 'wasm',
        image: { digest: Buffer.from(id.padEnd(32, '.')).toString('hex') as never, sizeBytes: 1000 },
        demands: [{ cpuMillicores, memoryMib, threads: Math.max(1, cpuMillicores / 1000), ...gpu }],
        workCoreS,
      },
    },
  };
}
