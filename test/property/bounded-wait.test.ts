/** Nobody is passed over for ever: how often a request that is due sees another take what it could have run on. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { LeaseId, VehicleId, Wants } from '@plugpool/proto';
import fc from 'fast-check';
import type { Event } from '../../agent/core/events.ts';
import { choiceFor, choose } from '../../agent/core/feasible/feasible.ts';
import { isDue } from '../../agent/core/waiting/dues.ts';
import { compareTurns } from '../../agent/core/waiting/turn-queue.ts';
import type { Instance } from '../../agent/core/state.ts';
import {
  capacityReport,
  completed,
  request,
  SimulatedPile,
  type Has,
  type SentBody,
} from '../simulation/simulated-pile.ts';

/** Each donor runs one program at a time, so that whoever is granted one takes it from everybody else. */
const KINDS: readonly Has[] = [
  { cpu: 1000, memory: 1024 },
  { cpu: 1000, memory: 1024, gpu: 1000 },
  { cpu: 1000, memory: 8192 },
];
const PROGRAMS = ['any', 'gpu', 'memory'] as const;

interface Wish {
  readonly program: (typeof PROGRAMS)[number];
  readonly latencyMs: number | undefined;
  readonly instances: 1 | 2 | 3;
}

type Act =
  | { do: 'ask'; wishes: readonly Wish[] }
  /** The donor's program ends; with `leaves`, its vehicle does too, and another comes. */
  | { do: 'finish'; nth: number; leaves: boolean; kind: number }
  | { do: 'wait'; ms: number };

const wish: fc.Arbitrary<Wish> = fc.record({
  program: fc.constantFrom(...PROGRAMS),
  latencyMs: fc.constantFrom(undefined, 500, 5_000, 50_000),
  instances: fc.constantFrom(1, 1, 1, 2, 3),
});
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('ask' as const), wishes: fc.array(wish) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('finish' as const),
      nth: fc.nat(5),
      leaves: fc.boolean(),
      kind: fc.nat(KINDS.length - 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(9_000) }) },
);

/** What one request has seen since it was due. */
interface Watch {
  readonly dueBefore: number;
  passes: number;
}

class Play {
  readonly pile: SimulatedPile;
  readonly #watches = new Map<Instance, Watch>();
  #donors: string[] = [];
  #vehicles = 0;
  #requests = 0;
  /** Who waited before the step that is checked. */
  #waited: readonly Instance[] = [];
  passesSeen = 0;

  constructor(dueEvery: number) {
    const patient = { stayBarMillis: [0, 0, 0, 0], preemptAfterMs: 1e9, subPools: false } as const;
    this.pile = new SimulatedPile({ ageBoundMs: 5_000, dueEvery, ...patient });
    this.pile.addAlgorithm('any');
    this.pile.addAlgorithm('gpu', [{ gpu: { shareMillis: 500, vramMib: 1 } }]);
    this.pile.addAlgorithm('memory', [{ memoryMib: 4096 }]);
    this.pile.ask('asker');
    for (const [kind] of [...KINDS, ...KINDS].entries()) this.#come(kind % KINDS.length);
    this.pile.afterStep = (sent) => this.#count(sent);
  }

  perform(act: Act): void {
    switch (act.do) {
      case 'ask':
        return this.#ask(act.wishes);
      case 'finish':
        return this.#finish(act);
      case 'wait':
        return this.#wait(act.ms);
    }
  }

  /** Short enough for every report and every lease: those who are there say so. */
  #wait(ms: number): void {
    this.pile.nowMs += ms;
    this.#step(...this.#donors.flatMap((vehicleId) => this.#stillThere(vehicleId)));
  }

  #stillThere(vehicleId: string): Event[] {
    const { report } = this.pile.state.donors.get(vehicleId as VehicleId) ?? {};
    assert.ok(report, `${vehicleId} has said nothing`);
    const held = this.#heldBy(vehicleId).map((lease) => ({ lease, progressPermille: 1, cpuMs: 1 }));
    const clientId = `${vehicleId}.lend`;
    return [this.pile.message(clientId, { kind: 'renewal', held }), this.pile.message(clientId, report)];
  }

  #heldBy(vehicleId: string): LeaseId[] {
    const { leased } = this.pile.state.donors.get(vehicleId as VehicleId) ?? {};
    return [...(leased?.values() ?? [])].flatMap(({ instanceId, lease }) =>
      lease === undefined ? [] : [{ instanceId, fencingToken: lease.fencingToken }],
    );
  }

  #step(...events: Event[]): void {
    this.#waited = [...this.pile.state.waiting.instances()];
    this.pile.step(...events);
  }

  #come(kind: number): void {
    this.#vehicles += 1;
    const vehicleId = `v${this.#vehicles}`;
    this.#donors.push(vehicleId);
    const has = KINDS[kind] ?? {};
    this.pile.plug(vehicleId);
    this.pile.lend(vehicleId, has);
  }

  #ask(wishes: readonly Wish[]): void {
    this.#step(
      ...wishes.map(({ program, latencyMs, instances }) => {
        this.#requests += 1;
        const parts: Wants = instances === 1 ? {} : { instances, allAtOnce: true };
        const wants = { ...parts, ...(latencyMs === undefined ? {} : { latencyMs }) };
        return this.pile.message('asker.ask-1', request(`r${this.#requests}`, program, { wants }));
      }),
    );
  }

  /** The vehicle goes in the moment in which its program ends, so that nothing is lost and waits again. */
  #finish({ nth, leaves, kind }: Extract<Act, { do: 'finish' }>): void {
    const { pile } = this;
    const vehicleId = this.#donors[nth % this.#donors.length] ?? '';
    const results = this.#heldBy(vehicleId).map((lease) => completed(lease));
    const messages = results.map((result) => pile.message(`${vehicleId}.lend`, result));
    if (!leaves) return this.#step(...messages);
    this.#step(...messages, pile.message(`${vehicleId}.lend`, capacityReport({}, { lending: false })));
    pile.disconnect(`${vehicleId}.lend`);
    this.#donors = this.#donors.filter((each) => each !== vehicleId);
    this.#come(kind);
  }

  /** Every grant that a request saw go to another on a donor that could have run it, a gang's parts being one. */
  #count(sent: readonly SentBody[]): void {
    const { state } = this.pile;
    const now = this.pile.now();
    const grants = sent.flatMap(({ clientId, body }) =>
      body.kind === 'offer' ? [{ vehicleId: clientId.replace('.lend', ''), taskId: body.taskId }] : [],
    );
    for (const instance of state.waiting.instances()) {
      if (!isDue(instance, now)) continue;
      const watch = this.#watchOf(instance);
      if (instance.task.instances.length > 1) continue;
      const passedBy = new Set(
        grants.filter(({ vehicleId }) => this.#suits(instance, vehicleId)).map(({ taskId }) => taskId),
      );
      watch.passes += passedBy.size;
      this.passesSeen = Math.max(this.passesSeen, watch.passes);
      const bound = (watch.dueBefore + 1) * state.settings.dueEvery - 1;
      assert.ok(
        watch.passes <= bound,
        `${instance.instanceId} was passed over ${watch.passes} times, ${watch.dueBefore} were due before it`,
      );
    }
  }

  #watchOf(instance: Instance): Watch {
    let watch = this.#watches.get(instance);
    if (watch === undefined) {
      // Those that the very step granted were before it too.
      const dueBefore = this.#waited.filter((other) => compareTurns(other, instance) < 0).length;
      this.#watches.set(instance, (watch = { dueBefore, passes: 0 }));
    }
    return watch;
  }

  /** As if nothing ran there. */
  #suits(instance: Instance, vehicleId: string): boolean {
    const { state } = this.pile;
    const donor = state.donors.get(vehicleId as VehicleId);
    const need = instance.waitsIn?.need;
    if (donor === undefined || need === undefined) return false;
    const freeNow = donor.free;
    donor.free = donor.lendable;
    const choice = choose(state, need, donor, this.pile.now());
    const own = choice && choiceFor(state, instance, need, donor, choice, this.pile.now());
    donor.free = freeNow;
    return own !== undefined;
  }
}

/** The most that any request of any run saw, so that the bound is known to be met and not only never reached. */
let passesSeen = 0;

test('a request that is due with d others before it is passed over at most (d + 1) × dueEvery − 1 times', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 2, 4),
      fc.array(act, { minLength: 40, maxLength: 120, size: 'max' }),
      (dueEvery, acts) => {
        const play = new Play(dueEvery);
        for (const each of acts) play.perform(each);
        passesSeen = Math.max(passesSeen, play.passesSeen);
      },
    ),
    { numRuns: 150 },
  );
  assert.ok(passesSeen >= 3, `nobody was passed over more than ${passesSeen} times: this tests little`);
});
