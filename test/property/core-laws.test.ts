/** The laws hold whatever vehicles, firmware, clock and disk do, in any order. */
import test from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type {
  AlgorithmId,
  CapacityReport,
  DemandOverride,
  LeaseId,
  Payload,
  Result,
  TaskId,
  Trust,
  UpBody,
  VehicleId,
  Wants,
} from '@plugpool/proto';
import type { Event } from '../../agent/core/events.ts';
import type { Tariff } from '../../agent/core/ledger/tariffs.ts';
import { checkLaws } from '../simulation/laws.ts';
import { OF_DONOR, OF_REQUEST, VEHICLES } from '../simulation/meanings.ts';
import {
  capacityReport,
  completed,
  connectorOf,
  digestOf,
  request,
  SimulatedPile,
  type Has,
  type SentBody,
} from '../simulation/simulated-pile.ts';

const DONORS = ['a', 'b', 'c'] as const;
const ASKERS = ['x', 'y'] as const;
const ALGORITHMS = ['small', 'large', 'either', 'wide', 'unknown'] as const;
/** The connector of this one sends samples, and is not believed for longer than this without. */
const SAMPLED = 'c';
const STALE_AFTER_MS = 20_000;
/** Short enough that a play outlives them. */
const RETENTION_MS = 50_000;
const BLOB_WAIT_MS = 30_000;
/** Each second minute is another country's. */
const TARIFFS: readonly Tariff[] = [
  {
    name: 'even',
    currency: 'JPY',
    window: { cron: '*/2 * * * *', timeZone: 'Asia/Tokyo', durationMs: 60_000 },
    cpuHourMicros: 7e9,
    gpuHourMicros: 0,
    operatorShareMillis: 333,
    energyKwhMicros: 3e9,
  },
  {
    name: 'odd',
    currency: 'EUR',
    cpuHourMicros: 3e6,
    gpuHourMicros: 5e8,
    operatorShareMillis: 50,
    energyKwhMicros: 0,
  },
];

type Act =
  | { do: 'lend'; donor: string; cpu: number; forgets: boolean }
  | { do: (typeof HAPPENINGS)[number]; donor: string }
  | { do: 'report'; donor: string; lends: Has; more: Partial<CapacityReport> }
  | ({ do: 'ask' } & Wish)
  | { do: 'burst'; wishes: Wish[] }
  | ({ do: 'answer' } & Answer)
  | { do: 'ghost'; donor: string; nth: number }
  | { do: 'upload'; nth: number }
  | { do: 'operate'; verb: 'add' | 'retire' | 'remove'; algorithm: string; version: string; cpu: number }
  | { do: 'cancel' | 'acknowledge'; nth: number }
  | { do: 'pass' | 'jump'; ms: number }
  | { do: 'restart' | 'housekeeping' }
  | ({ do: 'failCommit' } & Answer);

/** By id or, with `byType`, by the type that some of the algorithms share. */
interface Wish {
  readonly asker: string;
  readonly algorithm: string;
  readonly byType: boolean;
  readonly id: number;
  readonly deadlineMs: number;
  /** Its input is bytes that the pile has to pull. */
  readonly uploads: boolean;
  readonly wants: Wants | undefined;
}

interface Answer {
  readonly nth: number;
  readonly how: 'completed' | 'lied' | 'uploaded' | 'failed' | 'crashed' | 'revoked' | 'declined';
  readonly cpuMs: number;
}

/** What befalls a donor. */
const HAPPENINGS = [
  ...(['plug', 'plug', 'unplug', 'moveAway', 'hangUp', 'comeBackUnheard', 'renew', 'renew'] as const),
  ...(['linkLost', 'linkUp', 'suspendEV', 'suspendEVSE', 'finish', 'fault', 'meter', 'leaveSoon'] as const),
  ...(['hearsay', 'misnamed', 'unnamed', 'guessCode', 'giveCode'] as const),
] as const;

const donor = fc.constantFrom(...DONORS);
/** What an owner says beside what he lends. */
type Said = Partial<
  Pick<CapacityReport, 'lending' | 'chargingOnly' | 'allowedAlgorithms' | 'constraint' | 'departureInMs'>
>;

/** A few of these: of all together hardly anything could be met. */
function fewOf<Of extends object>(
  all: { [Key in keyof Of]-?: fc.Arbitrary<Of[Key]> },
  most: number,
): fc.Arbitrary<Of> {
  const keys = Object.keys(all) as (keyof Of)[];
  return fc
    .tuple(fc.record(all), fc.subarray(keys, { maxLength: most }))
    .map(([values, chosen]) => Object.fromEntries(chosen.map((key) => [key, values[key]])) as Of);
}

const wants = fewOf<Omit<Wants, 'place'>>(
  {
    latencyMs: fc.constantFrom(500, 5_000, 50_000),
    instances: fc.constantFrom(2, 3),
    allAtOnce: fc.constant(true),
    demand: fc.constantFrom<DemandOverride[]>(
      { cpuMillicores: 700 },
      { memoryMib: 100, workMncs: 1 },
      { gpu: { shareMillis: 300 } },
      { gpu: { shareMillis: 0 }, workMncs: 2_000 },
      { memoryMib: 1e7 },
    ),
    budgetMncs: fc.constantFrom(10, 3_000, 1_000_000),
    payer: fc.constantFrom('x', 'north', 'south'),
    trust: fc.constantFrom<Trust[]>({ whom: 'fleet' }, { whom: 'makes', makes: ['Bow', ''] }),
    constraint: fc.constantFrom(...Object.keys(OF_DONOR), 'donor.'),
    quorum: fc.constantFrom(1, 2, 3),
  },
  3,
);
const wish: fc.Arbitrary<Wish> = fc.record({
  asker: fc.constantFrom(...ASKERS),
  algorithm: fc.constantFrom(...ALGORITHMS),
  byType: fc.boolean(),
  id: fc.nat(30),
  deadlineMs: fc.constantFrom(500, 20_000, 3_600_000),
  uploads: fc.constantFrom(false, false, false, true),
  wants: fc.option(wants, { nil: undefined }),
});
const answer: fc.Arbitrary<Answer> = fc.record({
  nth: fc.nat(6),
  how: fc.constantFrom(
    ...(['completed', 'completed', 'lied', 'uploaded', 'failed', 'crashed', 'revoked', 'declined'] as const),
  ),
  cpuMs: fc.nat(100_000),
});
const ask = wish.map((wished): Act => ({ do: 'ask', ...wished }));
const happening = fc.record({ do: fc.constantFrom(...HAPPENINGS), donor });
const act: fc.Arbitrary<Act> = fc.oneof(
  ask,
  ask,
  ask,
  fc.record({
    do: fc.constant('burst' as const),
    wishes: fc.array(
      wish.map((wished) => ({ ...wished, deadlineMs: 3_600_000 })),
      { maxLength: 40 },
    ),
  }),
  fc.record({
    do: fc.constant('lend' as const),
    donor,
    cpu: fc.constantFrom(1000, 4000),
    forgets: fc.boolean(),
  }),
  happening,
  happening,
  fc.record({
    do: fc.constant('report' as const),
    donor,
    lends: fc.record({
      cpu: fc.constantFrom(0, 600, 2500, 4000),
      gpu: fc.constantFrom(0, 400, 1000),
      secondGpu: fc.constantFrom(0, 700, 1000),
    }),
    more: fewOf<Said>(
      {
        lending: fc.constantFrom(true, false),
        chargingOnly: fc.constant(true),
        allowedAlgorithms: fc.constant(['small' as AlgorithmId]),
        constraint: fc.constantFrom(...Object.keys(OF_REQUEST), 'request.'),
        departureInMs: fc.constantFrom(1, 4_000, 600_000),
      },
      2,
    ),
  }),
  answer.map((said): Act => ({ do: 'answer', ...said })),
  answer.map((said): Act => ({ do: 'answer', ...said })),
  fc.record({ do: fc.constant('ghost' as const), donor, nth: fc.nat(6) }),
  fc.record({ do: fc.constant('upload' as const), nth: fc.nat(3) }),
  fc.record({
    do: fc.constant('operate' as const),
    verb: fc.constantFrom('add' as const, 'add' as const, 'retire' as const, 'remove' as const),
    algorithm: fc.constantFrom('small', 'large', 'either', 'other'),
    version: fc.constantFrom('1', '2'),
    cpu: fc.constantFrom(300, 2000, 6000),
  }),
  fc.record({ do: fc.constantFrom('cancel' as const, 'acknowledge' as const), nth: fc.nat(12) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 900, 4_000, 16_000, 40_000) }),
  fc.record({ do: fc.constant('jump' as const), ms: fc.constantFrom(-1e9, -5_000, 5_000, 60_000) }),
  fc.record({ do: fc.constantFrom('restart' as const, 'housekeeping' as const) }),
  answer.map((said): Act => ({ do: 'failCommit', ...said })),
);

/** Vehicles that do what the acts say; they remember every offer they ever got, so that they can answer old ones. */
class Play {
  readonly pile = new SimulatedPile({
    deadlineDefaultMs: 600_000,
    retentionMs: RETENTION_MS,
    blobWaitMs: BLOB_WAIT_MS,
    vehicles: VEHICLES,
    // Short enough that turns come and leases are pre-empted within a play.
    ageBoundMs: 5_000,
    dueEvery: 2,
    preemptAfterMs: 4_000,
    overstayAfterMs: 3_000,
    tariffs: TARIFFS,
    // So that some are believed within a play, and checked by lot.
    trustAfter: 2,
    auditFloorMillis: 300,
    spotCheckMillis: 500,
    confirmWithinMs: 10_000,
  });
  readonly #offers: { clientId: string; lease: LeaseId }[] = [];

  constructor() {
    this.pile.afterStep = (sent) => checkLaws(this.pile, sent);
    this.pile.sourceOf = (connectorId) =>
      connectorId === connectorOf(SAMPLED)
        ? { name: 'sampled', staleAfterMs: STALE_AFTER_MS }
        : { name: 'simulated', staleAfterMs: 0 };
    this.pile.addAlgorithm('small', [{ cpuMillicores: 500 }], { type: 'plan', compare: { by: 'bytes' } });
    this.pile.addAlgorithm('large', [{ cpuMillicores: 3000, memoryMib: 4096 }], { type: 'plan' });
    this.pile.addAlgorithm('either', [{ gpu: { shareMillis: 500, vramMib: 512 } }, { cpuMillicores: 2000 }], {
      compare: { by: 'bytes' },
    });
    this.pile.addAlgorithm('wide', [
      { cpuMillicores: 100, gpu: { shareMillis: 600, vramMib: 3000, model: 'Hailo' } },
      { cpuMillicores: 100, gpu: { shareMillis: 700, vramMib: 5000 } },
    ]);
    for (const vehicleId of ['a', 'b']) {
      this.pile.plug(vehicleId);
      this.pile.lend(vehicleId, { cpu: 4000, gpu: 1000, secondGpu: 1000 });
    }
  }

  perform(act: Act): void {
    const from = this.pile.sent.length;
    this.#do(act);
    this.#remember(this.pile.sent.slice(from));
  }

  #remember(sent: readonly SentBody[]): void {
    for (const { clientId, body } of sent)
      if (body.kind === 'offer') this.#offers.push({ clientId, lease: body.lease });
  }

  #do(act: Act): void {
    const { pile } = this;
    switch (act.do) {
      case 'lend':
        return void pile.lend(act.donor, { cpu: act.cpu }, act.forgets ? [] : this.#heldBy(act.donor));
      case 'report':
        return this.#say(`${act.donor}.lend`, reportOf(act));
      case 'ask':
        return this.#ask([act]);
      case 'burst':
        return this.#ask(act.wishes);
      case 'answer':
        return this.#answer(act);
      case 'ghost':
        return this.#ghost(act.donor, act.nth);
      case 'upload':
        return this.#upload(act.nth);
      case 'operate':
        return this.#operate(act);
      case 'cancel':
      case 'acknowledge':
        return this.#aboutTask(act.do, act.nth);
      case 'pass':
        return void pile.pass(act.ms);
      case 'jump':
        return pile.jump(act.ms);
      case 'restart':
        pile.restart();
        // As the engine does: what fell due meanwhile is decided first.
        return void pile.step({ kind: 'tick' });
      case 'housekeeping':
        return void pile.step({ kind: 'housekeeping' });
      case 'failCommit':
        return this.#failCommit(act);
      default:
        return this.#befalls(act.donor, act.do);
    }
  }

  #befalls(vehicleId: string, what: (typeof HAPPENINGS)[number]): void {
    const { pile } = this;
    const connectorId = connectorOf(vehicleId);
    const clientId = `${vehicleId}.lend`;
    switch (what) {
      case 'plug':
        return this.pile.plug(vehicleId);
      case 'unplug':
        return void pile.unplug(vehicleId);
      case 'moveAway':
        return pile.plug(vehicleId, 'elsewhere');
      case 'hangUp':
        return pile.disconnect(clientId);
      case 'comeBackUnheard':
        return pile.connect(clientId);
      case 'renew': {
        const held = this.#heldBy(vehicleId).map((lease) => ({ lease, progressPermille: 1, cpuMs: 1 }));
        return this.#say(clientId, { kind: 'renewal', held });
      }
      case 'linkLost':
        return void pile.firmware({ kind: 'linkLost', connectorId, reason: 'x' });
      case 'linkUp':
        pile.firmware({ kind: 'linkUp', connectorId });
        return this.pile.plug(vehicleId);
      case 'suspendEV':
      case 'suspendEVSE': {
        const by = what === 'suspendEV' ? 'EV' : 'EVSE';
        return void pile.firmware({ kind: 'suspended', connectorId, by });
      }
      case 'finish':
        return void pile.firmware({ kind: 'chargingStopped', connectorId });
      case 'fault':
        return void pile.firmware({ kind: 'faulted', connectorId, reason: 'x' });
      case 'meter':
        return void pile.firmware({ kind: 'meter', connectorId, powerMw: 1, energyMwh: pile.nowMs });
      case 'hearsay':
      case 'misnamed': {
        const other = DONORS.find((donor) => donor !== vehicleId) as VehicleId;
        const assurance = what === 'hearsay' ? 'mac' : 'operator';
        return void pile.firmware({ kind: 'identity', connectorId, vehicleId: other, assurance });
      }
      case 'unnamed':
        for (const kind of ['linkUp', 'plugged', 'chargingStarted'] as const)
          pile.firmware({ kind, connectorId });
        return;
      case 'guessCode':
        return this.#say(clientId, { kind: 'connectorClaim', code: '000000' });
      case 'giveCode': {
        const code = pile.state.codes.of.get(connectorId)?.code;
        return code === undefined ? undefined : this.#say(clientId, { kind: 'connectorClaim', code });
      }
      case 'leaveSoon':
        return void pile.firmware({ kind: 'evInfo', connectorId, departureInMs: 10_000 });
    }
  }

  /** All in one step. */
  #ask(wishes: readonly Wish[]): void {
    const { pile } = this;
    for (const { asker } of wishes) if (!pile.connections.has(`${asker}.ask-1`)) pile.ask(asker);
    pile.step(...wishes.map((each) => this.#request(each)));
  }

  #request({ asker, algorithm, byType, id, deadlineMs, uploads, wants }: Wish): Event {
    const body = request(`r${id}`, algorithm, {
      deadlineMs,
      ...(byType ? { selector: { by: 'type', type: 'plan' } } : {}),
      ...(wants === undefined ? {} : { wants }),
      ...(uploads ? { input: uploadOf(`input ${id % 4}`) } : {}),
    });
    return this.pile.message(`${asker}.ask-1`, body, 1, !uploads);
  }

  #upload(nth: number): void {
    const [fetched] = this.pile.fetches.splice(nth, 1);
    if (fetched !== undefined) this.pile.step({ kind: 'blobArrived', ...fetched });
  }

  #operate({ verb, algorithm, version, cpu }: Extract<Act, { do: 'operate' }>): void {
    const { pile } = this;
    if (verb === 'add')
      return pile.addAlgorithm(algorithm, [{ cpuMillicores: cpu }], { type: 'plan', version });
    const command = { verb: `${verb}Algorithm`, id: algorithm as AlgorithmId, version } as const;
    pile.step({ kind: 'operator', question: 1, command });
  }

  #heldBy(vehicleId: string): LeaseId[] {
    return this.#offers.filter((o) => o.clientId === `${vehicleId}.lend`).map((o) => o.lease);
  }

  #say(clientId: string, body: UpBody): void {
    if (this.pile.connections.has(clientId)) this.pile.say(clientId, body);
  }

  /** Answers any offer that was ever made: live, void, or answered before. A void one must change nothing on disk. */
  #answer({ nth, how, cpuMs }: Answer): void {
    const offer = this.#offers.at(-1 - nth);
    if (offer === undefined || !this.pile.connections.has(offer.clientId)) return;
    const { lease, clientId } = offer;
    const live = this.pile.disk.instances.get(lease.instanceId)?.lease?.fencingToken === lease.fencingToken;
    const before = this.#onDisk(lease);
    this.pile.step(this.pile.message(clientId, answerOf(lease, how, cpuMs), 1, how !== 'uploaded'));
    if (!live) assert.equal(this.#onDisk(lease), before, 'law 4: an old fencing token changed something');
  }

  #onDisk({ instanceId }: LeaseId): string {
    const { tasks, instances, bookings } = this.pile.disk;
    const taskId = instanceId.slice(0, instanceId.lastIndexOf('_')) as TaskId;
    return JSON.stringify([tasks.get(taskId), instances.get(instanceId), bookings.size]);
  }

  /** An older connection of the donor speaks, of a lease that may well be live. */
  #ghost(vehicleId: string, nth: number): void {
    const lease = this.#heldBy(vehicleId).at(-1 - nth);
    if (lease === undefined) return;
    const message = this.pile.message(`${vehicleId}.lend`, completed(lease));
    const before = this.#onDisk(lease);
    const sent = this.pile.step({ ...message, connection: 0 } as Event);
    assert.deepEqual(sent, [], 'law 4: an old connection was answered');
    assert.equal(this.#onDisk(lease), before, 'law 4: an old connection changed something');
  }

  /** Requests, a report, what the firmware says and an answer are lost with one commit. */
  #failCommit({ nth, how, cpuMs }: Answer): void {
    const { pile } = this;
    if (!pile.connections.has('x.ask-1')) pile.ask('x');
    const offer = this.#offers.at(-1 - nth);
    const at = { receivedWallMs: 0 };
    const unplugged = { kind: 'unplugged', connectorId: connectorOf('b'), at } as const;
    pile.failedStep(
      pile.message('x.ask-1', request('r99', 'small')),
      pile.message('a.lend', capacityReport({ cpu: 4000, gpu: 1000 })),
      ...(offer === undefined ? [] : [pile.message(offer.clientId, answerOf(offer.lease, how, cpuMs))]),
      ...(nth === 0
        ? [{ kind: 'firmware', event: unplugged, source: pile.sourceOf(connectorOf('b')) } as const]
        : []),
    );
    // As the engine does: whatever became possible with the load is decided at once.
    pile.step({ kind: 'tick' });
  }

  #aboutTask(what: 'cancel' | 'acknowledge', nth: number): void {
    const task = [...this.pile.state.tasks.values()][nth];
    if (task === undefined) return;
    const { taskId, vehicleId } = task.record;
    const clientId = `${vehicleId}.ask-1`;
    if (what === 'cancel') this.#say(clientId, { kind: 'cancel', which: { by: 'task', taskId } });
    else if (task.end !== undefined) this.#say(clientId, { kind: 'deliveryAck', taskId });
  }

  /** The faults stop: vehicles are plugged in, connected and do their work until nothing is left. Law 8. */
  end(): void {
    const { pile } = this;
    // Enough for the largest algorithm that an operator added.
    const lends = { cpu: 8000, gpu: 1000, secondGpu: 1000 };
    pile.unplug('elsewhere');
    for (const vehicleId of DONORS) {
      // A new stay: what was stated of the last one's departure goes with it.
      pile.unplug(vehicleId);
      pile.firmware({ kind: 'linkUp', connectorId: connectorOf(vehicleId) });
      this.pile.plug(vehicleId);
      const from = pile.sent.length;
      pile.lend(vehicleId, lends);
      this.#remember(pile.sent.slice(from));
    }
    for (let round = 0; round < 400 && this.#openTasks() > 0; round++) {
      for (const { clientId, lease } of this.#offers.splice(0)) {
        const from = pile.sent.length;
        this.#say(clientId, completed(lease));
        this.#remember(pile.sent.slice(from));
      }
      const from = pile.sent.length;
      pile.firmware({ kind: 'meter', connectorId: connectorOf(SAMPLED) });
      for (const vehicleId of DONORS) this.#say(`${vehicleId}.lend`, capacityReport(lends));
      pile.pass(5_000);
      this.#remember(pile.sent.slice(from));
    }
    assert.equal(this.#openTasks(), 0, 'law 8: a task has not ended although the faults have');
    // Whom nobody here suits waits for its deadline.
    pile.pass(3_600_000);
    const open = [...pile.state.tasks.values()].filter((task) => task.end === undefined);
    assert.deepEqual(open, [], 'law 8: a task has not ended at its deadline');
  }

  #openTasks(): number {
    return [...this.pile.state.tasks.values()].filter(({ end, instances, record: { wants } }) => {
      // Where results differ, and nobody of another owner is there to say who is right, they wait for one.
      const isDisputed = instances.filter(({ result }) => result?.run !== undefined).length > 1;
      if (end !== undefined || isDisputed || wants?.quorum !== undefined) return false;
      return wants?.trust === undefined && wants?.constraint === undefined;
    }).length;
  }
}

const LIE: Result['outcome'] = { ok: true, output: { where: 'inline', bytes: Uint8Array.of(6, 6, 6) } };

/** Every GPU is named twice: it is there once. */
function reportOf({ lends, more }: Extract<Act, { do: 'report' }>): CapacityReport {
  const report = capacityReport(lends, more);
  const { gpus } = report.lendable;
  return { ...report, lendable: { ...report.lendable, gpus: [...gpus, ...gpus] } };
}

function uploadOf(name: string): Payload {
  return { where: 'blob', blob: { digest: digestOf(name), sizeBytes: 1e6 } };
}

function answerOf(lease: LeaseId, how: Answer['how'], cpuMs: number): UpBody {
  if (how === 'completed') return completed(lease, cpuMs);
  if (how === 'declined') return { kind: 'decline', lease, reason: 'no' };
  const used = { cpuMs, wallMs: cpuMs, memoryPeakMib: 1, gpuMs: 0 };
  const about = { kind: 'result', lease, used } as const;
  if (how === 'lied') return { ...about, outcome: LIE };
  if (how === 'uploaded') return { ...about, outcome: { ok: true, output: uploadOf(lease.instanceId) } };
  const code = ({ failed: 'exit_nonzero', crashed: 'runtime_crashed', revoked: 'revoked' } as const)[how];
  return { ...about, outcome: { ok: false, failure: { code, detail: '', stderrTail: '' } } };
}

test('laws 1 to 7 hold after every step, and law 8 when the faults stop', () => {
  fc.assert(
    fc.property(fc.array(act, { minLength: 1, maxLength: 80, size: 'max' }), (acts) => {
      const play = new Play();
      for (const each of acts) play.perform(each);
      play.end();
    }),
    // The simulated stations (stations.test.ts) are held to the same laws, for many more steps.
    { numRuns: 500 },
  );
});
