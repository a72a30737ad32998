/** The laws hold whatever vehicles, firmware, clock and disk do, in any order. */
import test from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { LeaseId, TaskId, UpBody } from '@plugpool/proto';
import { checkLaws } from '../simulation/laws.ts';
import {
  capacityReport,
  completed,
  connectorOf,
  hello,
  request,
  SimulatedPile,
  type SentBody,
} from '../simulation/simulated-pile.ts';

const DONORS = ['a', 'b', 'c'] as const;
const ASKERS = ['x', 'y'] as const;
const ALGORITHMS = ['small', 'large', 'either', 'unknown'] as const;

type Act =
  | { do: 'lend'; donor: string; cpu: number; forgets: boolean }
  | { do: 'plug' | 'unplug' | 'hangUp' | 'linkLost' | 'linkUp' | 'suspendEV' | 'suspendEVSE'; donor: string }
  | { do: 'report'; donor: string; cpu: number; lending: boolean; gpu: number }
  | { do: 'ask'; asker: string; algorithm: string; id: number; deadlineMs: number }
  | { do: 'answer'; nth: number; how: 'completed' | 'failed' | 'crashed' | 'declined'; cpuMs: number }
  | { do: 'renew'; donor: string }
  | { do: 'cancel' | 'acknowledge'; nth: number }
  | { do: 'pass'; ms: number }
  | { do: 'restart' | 'failCommit' };

const donor = fc.constantFrom(...DONORS);
const ask = fc.record({
  do: fc.constant('ask' as const),
  asker: fc.constantFrom(...ASKERS),
  algorithm: fc.constantFrom(...ALGORITHMS),
  id: fc.nat(30),
  deadlineMs: fc.constantFrom(500, 20_000, 3_600_000),
});
const act: fc.Arbitrary<Act> = fc.oneof(
  ask,
  ask,
  ask,
  fc.record({
    do: fc.constant('lend' as const),
    donor,
    cpu: fc.constantFrom(1000, 4000),
    forgets: fc.boolean(),
  }),
  fc.record({
    do: fc.constantFrom(
      ...(['plug', 'plug', 'unplug', 'hangUp', 'linkLost', 'linkUp', 'suspendEV', 'suspendEVSE'] as const),
    ),
    donor,
  }),
  fc.record({
    do: fc.constant('report' as const),
    donor,
    cpu: fc.constantFrom(0, 600, 2500, 4000),
    lending: fc.boolean(),
    gpu: fc.constantFrom(0, 400, 1000),
  }),
  fc.record({
    do: fc.constant('answer' as const),
    nth: fc.nat(6),
    how: fc.constantFrom(
      'completed' as const,
      'completed' as const,
      'failed' as const,
      'crashed' as const,
      'declined' as const,
    ),
    cpuMs: fc.nat(100_000),
  }),
  fc.record({ do: fc.constant('renew' as const), donor }),
  fc.record({ do: fc.constantFrom('cancel' as const, 'acknowledge' as const), nth: fc.nat(12) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 900, 4_000, 16_000, 40_000) }),
  fc.record({ do: fc.constantFrom('restart' as const, 'failCommit' as const) }),
);

/** Vehicles that do what the acts say; they remember every offer they ever got, so that they can answer old ones. */
class Play {
  readonly pile = new SimulatedPile({ deadlineDefaultMs: 600_000 });
  readonly #offers: { clientId: string; lease: LeaseId }[] = [];

  constructor() {
    this.pile.afterStep = (sent) => checkLaws(this.pile, sent);
    this.pile.addAlgorithm('small', [{ cpuMillicores: 500 }], { type: 'plan' });
    this.pile.addAlgorithm('large', [{ cpuMillicores: 3000, memoryMib: 4096 }], { type: 'plan' });
    this.pile.addAlgorithm('either', [{ gpu: { shareMillis: 500, vramMib: 512 } }, { cpuMillicores: 2000 }]);
    for (const vehicleId of ['a', 'b']) {
      this.pile.plug(vehicleId);
      this.pile.lend(vehicleId, { cpu: 4000, gpu: 1000 });
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
      case 'plug':
        return pile.plug(act.donor);
      case 'unplug':
        return void pile.unplug(act.donor);
      case 'hangUp':
        return pile.disconnect(`${act.donor}.lend`);
      case 'linkLost':
        return void pile.firmware({ kind: 'linkLost', connectorId: connectorOf(act.donor), reason: 'x' });
      case 'linkUp':
        pile.firmware({ kind: 'linkUp', connectorId: connectorOf(act.donor) });
        return pile.plug(act.donor);
      case 'suspendEV':
      case 'suspendEVSE': {
        const by = act.do === 'suspendEV' ? 'EV' : 'EVSE';
        return void pile.firmware({ kind: 'suspended', connectorId: connectorOf(act.donor), by });
      }
      case 'report':
        return this.#say(
          `${act.donor}.lend`,
          capacityReport({ cpu: act.cpu, gpu: act.gpu }, { lending: act.lending }),
        );
      case 'ask':
        if (!pile.connections.has(`${act.asker}.ask-1`)) pile.ask(act.asker);
        return this.#say(
          `${act.asker}.ask-1`,
          request(`r${act.id}`, act.algorithm, { deadlineMs: act.deadlineMs }),
        );
      case 'answer':
        return this.#answer(act.nth, act.how, act.cpuMs);
      case 'renew': {
        const held = this.#heldBy(act.donor).map((lease) => ({ lease, progressPermille: 1, cpuMs: 1 }));
        return this.#say(`${act.donor}.lend`, { kind: 'renewal', held });
      }
      case 'cancel':
      case 'acknowledge':
        return this.#aboutTask(act.do, act.nth);
      case 'pass':
        return void pile.pass(act.ms);
      case 'restart':
        return pile.restart();
      case 'failCommit':
        if (!pile.connections.has('x.ask-1')) pile.ask('x');
        return pile.failedStep(
          pile.message('x.ask-1', request('r99', 'small')),
          pile.message('a.lend', capacityReport({ cpu: 4000, gpu: 1000 })),
        );
    }
  }

  #heldBy(vehicleId: string): LeaseId[] {
    return this.#offers.filter((o) => o.clientId === `${vehicleId}.lend`).map((o) => o.lease);
  }

  #say(clientId: string, body: UpBody): void {
    if (this.pile.connections.has(clientId)) this.pile.say(clientId, body);
  }

  /** Answers any offer that was ever made: live, void, or answered before. A void one must change nothing on disk. */
  #answer(nth: number, how: 'completed' | 'failed' | 'crashed' | 'declined', cpuMs: number): void {
    const offer = this.#offers[this.#offers.length - 1 - nth];
    if (offer === undefined) return;
    const { lease, clientId } = offer;
    const taskId = lease.instanceId.slice(0, lease.instanceId.lastIndexOf('_')) as TaskId;
    const live = this.pile.disk.instances.get(lease.instanceId)?.lease?.fencingToken === lease.fencingToken;
    const before = JSON.stringify([this.pile.disk.tasks.get(taskId), this.pile.disk.bookings.size]);
    this.#say(clientId, answerOf(lease, how, cpuMs));
    if (live) return;
    const after = JSON.stringify([this.pile.disk.tasks.get(taskId), this.pile.disk.bookings.size]);
    assert.equal(after, before, 'law 4: an old fencing token changed something');
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
    for (const vehicleId of DONORS) {
      pile.firmware({ kind: 'linkUp', connectorId: connectorOf(vehicleId) });
      pile.plug(vehicleId);
      pile.connect(`${vehicleId}.lend`);
      const from = pile.sent.length;
      pile.say(`${vehicleId}.lend`, hello({ cpu: 4000, gpu: 1000 }));
      pile.say(`${vehicleId}.lend`, capacityReport({ cpu: 4000, gpu: 1000 }));
      this.#remember(pile.sent.slice(from));
    }
    for (let round = 0; round < 200 && this.#openTasks() > 0; round++) {
      for (const { clientId, lease } of this.#offers.splice(0)) {
        const from = pile.sent.length;
        this.#say(clientId, completed(lease));
        this.#remember(pile.sent.slice(from));
      }
      const from = pile.sent.length;
      for (const vehicleId of DONORS)
        this.#say(`${vehicleId}.lend`, capacityReport({ cpu: 4000, gpu: 1000 }));
      pile.pass(5_000);
      this.#remember(pile.sent.slice(from));
    }
    assert.equal(this.#openTasks(), 0, 'law 8: a task has not ended although the faults have');
  }

  #openTasks(): number {
    return [...this.pile.state.tasks.values()].filter((task) => task.end === undefined).length;
  }
}

function answerOf(
  lease: LeaseId,
  how: 'completed' | 'failed' | 'crashed' | 'declined',
  cpuMs: number,
): UpBody {
  if (how === 'completed') return completed(lease, cpuMs);
  if (how === 'declined') return { kind: 'decline', lease, reason: 'no' };
  const code = how === 'failed' ? 'exit_nonzero' : 'runtime_crashed';
  const used = { cpuMs, wallMs: cpuMs, memoryPeakMib: 1, gpuMs: 0 };
  return {
    kind: 'result',
    lease,
    used,
    outcome: { ok: false, failure: { code, detail: '', stderrTail: '' } },
  };
}

test('laws 1 to 7 hold after every step, and law 8 when the faults stop', () => {
  fc.assert(
    fc.property(fc.array(act, { minLength: 1, maxLength: 80, size: 'max' }), (acts) => {
      const play = new Play();
      for (const each of acts) play.perform(each);
      play.end();
    }),
    { numRuns: 1500 },
  );
});
