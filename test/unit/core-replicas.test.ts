/** Results of donors that nobody knows are run twice and compared; who lies is outvoted, and believed no more. */
import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import {
  QUORUM_MAX,
  type Delivery,
  type FailureCode,
  type LeaseId,
  type UpBody,
  type VehicleId,
} from '@plugpool/proto';
import { knownVehicles } from '../../agent/core/donors/known-vehicles.ts';
import { JSON_COMPARED_IN_STEP_BYTES_MAX, REPLICAS_MAX } from '../../agent/core/limits.ts';
import type { AlgorithmRecord } from '../../agent/core/records.ts';
import type { Settings } from '../../agent/core/settings.ts';
import {
  bodiesOf,
  capacityReport,
  request,
  SimulatedPile,
  type SentBody,
} from '../simulation/simulated-pile.ts';

const RIGHT = Uint8Array.of(1, 2, 3);
const WRONG = Uint8Array.of(9, 9, 9);
const KEY = 'sum@1';

interface Scene {
  readonly donors: readonly string[];
  readonly settings?: Partial<Settings>;
  readonly algorithm?: Partial<AlgorithmRecord>;
}

function pileWith({ donors, settings = {}, algorithm = {} }: Scene): SimulatedPile {
  const pile = new SimulatedPile({ trustAfter: 2, auditFloorMillis: 0, ...settings });
  pile.addAlgorithm('sum', [{}], { compare: { by: 'bytes' }, ...algorithm });
  for (const donor of donors) {
    pile.plug(donor);
    pile.lend(donor);
  }
  pile.ask('asker');
  return pile;
}

interface Offered {
  readonly donor: string;
  readonly lease: LeaseId;
}

function offersIn(sent: readonly SentBody[]): Offered[] {
  return sent.flatMap(({ clientId, body }) =>
    body.kind === 'offer' ? [{ donor: clientId.replace('.lend', ''), lease: body.lease }] : [],
  );
}

function resultOf(lease: LeaseId, bytes: Uint8Array, cpuMs = 100): UpBody {
  const used = { cpuMs, wallMs: cpuMs, memoryPeakMib: 10, gpuMs: 0 };
  return { kind: 'result', lease, used, outcome: { ok: true, output: { where: 'inline', bytes } } };
}

function failureOf(lease: LeaseId, code: FailureCode = 'exit_nonzero'): UpBody {
  const used = { cpuMs: 1, wallMs: 1, memoryPeakMib: 10, gpuMs: 0 };
  const failure = { code, detail: 'as the test has it', stderrTail: '' };
  return { kind: 'result', lease, used, outcome: { ok: false, failure } };
}

function deliveryIn(sent: readonly SentBody[]): Delivery | undefined {
  return bodiesOf(sent, 'delivery')[0];
}

/** Everybody who is offered something answers; the last delivery. */
function runAll(
  pile: SimulatedPile,
  sent: readonly SentBody[],
  answer: (offer: Offered) => UpBody,
): Delivery | undefined {
  let delivery = deliveryIn(sent);
  const open = offersIn(sent);
  for (let offer = open.shift(); offer !== undefined; offer = open.shift()) {
    const said = pile.say(`${offer.donor}.lend`, answer(offer));
    delivery ??= deliveryIn(said);
    open.push(...offersIn(said));
  }
  return delivery;
}

function ask(pile: SimulatedPile, id: string, wants: object = {}): SentBody[] {
  return pile.say('asker.ask-1', request(id, 'sum', { wants }));
}

const honest = ({ lease }: Offered): UpBody => resultOf(lease, RIGHT);

function isBelieved(pile: SimulatedPile, donor: string): boolean {
  return pile.state.trust.isBelieved(donor as VehicleId, KEY, pile.now());
}

test('a part has no more replicas than may have to agree', () => {
  assert.equal(REPLICAS_MAX, QUORUM_MAX);
});

describe('a donor that nobody knows', () => {
  test('is run beside another owner’s in the same step, and both must agree', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c'] });
    const sent = ask(pile, 'r1');
    const offers = offersIn(sent);
    assert.equal(offers.length, 2);
    assert.notEqual(offers[0]?.donor, offers[1]?.donor);
    const [first, second] = offers as [Offered, Offered];
    const one = pile.say(`${first.donor}.lend`, honest(first));
    assert.equal(bodiesOf(one, 'resultAck')[0]?.accepted, true);
    assert.equal(deliveryIn(one), undefined, 'one result is not enough');
    const delivery = deliveryIn(pile.say(`${second.donor}.lend`, honest(second)));
    assert.equal(delivery?.state, 'completed');
    assert.equal(delivery.agreeing, 2);
    assert.deepEqual(delivery.output, { where: 'inline', bytes: RIGHT });
  });

  test('is believed after enough results that agreed, and then runs alone, but for what is checked by lot', () => {
    const pile = pileWith({ donors: ['a', 'b'] });
    for (const id of ['r1', 'r2']) assert.equal(runAll(pile, ask(pile, id), honest)?.agreeing, 2);
    assert.ok(isBelieved(pile, 'a') && isBelieved(pile, 'b'));
    const agreeing = Array.from(
      { length: 100 },
      (_, i) => runAll(pile, ask(pile, `s${i}`), honest)?.agreeing,
    );
    const checked = agreeing.filter((owners) => owners === 2).length;
    assert.deepEqual(new Set(agreeing), new Set([1, 2]));
    // The rarer, the longer it agrees: 1 in 2 at first, 1 in 20 after a while.
    assert.ok(checked > 5 && checked < 40, String(checked));
  });

  test('is still believed after a restart, once that was written, and one that lied is not', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c', 'd'] });
    for (const id of ['r1', 'r2', 'r3', 'r4', 'r5']) runAll(pile, ask(pile, id), honest);
    const before = ['a', 'b', 'c', 'd'].filter((id) => isBelieved(pile, id));
    pile.step({ kind: 'housekeeping' });
    ask(pile, 'r9');
    pile.restart();
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].filter((id) => isBelieved(pile, id)),
      before,
    );
  });

  test('of an algorithm whose outputs do not compare runs alone', () => {
    const pile = new SimulatedPile();
    pile.addAlgorithm('sum');
    for (const donor of ['a', 'b']) {
      pile.plug(donor);
      pile.lend(donor);
    }
    pile.ask('asker');
    const sent = ask(pile, 'r1');
    assert.equal(offersIn(sent).length, 1);
    assert.equal(runAll(pile, sent, honest)?.agreeing, 1);
  });

  test('of the same fleet confirms nothing', () => {
    const vehicles = knownVehicles([{ id: 'van-*', make: '', fleet: 'north' }]);
    const pile = pileWith({ donors: ['van-1', 'van-2'], settings: { vehicles } });
    const sent = ask(pile, 'r1');
    assert.equal(offersIn(sent).length, 1);
    // Nobody of another owner is there: it is taken as it is, and nobody is believed for it.
    const delivery = runAll(pile, sent, honest);
    assert.equal(delivery?.agreeing, 1);
    assert.ok(!isBelieved(pile, 'van-1') && pile.state.trust.size === 0);
  });
});

describe('a lie', () => {
  const liar = (name: string) => (offer: Offered) => {
    return offer.donor === name ? resultOf(offer.lease, WRONG) : honest(offer);
  };

  test('raises the quorum by one, is outvoted, and costs its donor all trust and a rest', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c', 'd', 'e'] });
    const offers = offersIn(ask(pile, 'r1')) as [Offered, Offered];
    const [first, second] = offers;
    pile.say(`${first.donor}.lend`, resultOf(first.lease, WRONG));
    const sent = pile.say(`${second.donor}.lend`, honest(second));
    assert.equal(deliveryIn(sent), undefined);
    assert.equal(offersIn(sent).length, 2, 'two more, since three must agree');
    const delivery = runAll(pile, sent, honest);
    assert.equal(delivery?.agreeing, 3);
    assert.deepEqual(delivery.output, { where: 'inline', bytes: RIGHT });
    const { trust, health } = pile.state;
    assert.ok(trust.outvoted(first.donor as VehicleId, pile.now()) > 0.99);
    assert.equal(health.verdict(first.donor as VehicleId, 'cpu', pile.now()).state, 'resting');
    assert.equal(health.verdict(second.donor as VehicleId, 'cpu', pile.now()).state, 'well');
  });

  test('suspends who is part of the dispute until it is decided', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c', 'd'] });
    for (const id of ['r1', 'r2', 'r3', 'r4', 'r5']) runAll(pile, ask(pile, id), honest);
    const offers = offersIn(ask(pile, 'q', { quorum: 2 })) as [Offered, Offered];
    const [first, second] = offers;
    const was = isBelieved(pile, second.donor);
    pile.say(`${first.donor}.lend`, resultOf(first.lease, WRONG));
    const sent = pile.say(`${second.donor}.lend`, honest(second));
    assert.ok(!isBelieved(pile, first.donor) && !isBelieved(pile, second.donor));
    runAll(pile, sent, honest);
    assert.equal(isBelieved(pile, second.donor), was);
    assert.ok(!isBelieved(pile, first.donor));
  });

  test('is remembered: who was outvoted needs twice as many that agree', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c', 'd', 'e'] });
    runAll(pile, ask(pile, 'r1'), liar('a'));
    assert.ok(pile.state.trust.outvoted('a' as VehicleId, pile.now()) > 0);
    const needed = (): number => {
      let n = 0;
      for (; !isBelieved(pile, 'a'); n += 1)
        pile.state.trust.learnAgreed('a' as VehicleId, KEY, pile.now(), 'replica');
      return n;
    };
    assert.equal(needed(), 4);
  });

  test('that a program fails is outvoted like any other, and a failure that others confirm ends the task', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c', 'd', 'e'] });
    const failing = ({ donor, lease }: Offered): UpBody =>
      donor === 'a' ? failureOf(lease) : resultOf(lease, RIGHT);
    assert.equal(runAll(pile, ask(pile, 'r1'), failing)?.state, 'completed');
    const delivery = runAll(pile, ask(pile, 'r2'), ({ lease }) => failureOf(lease));
    assert.equal(delivery?.state, 'failed');
    assert.equal(delivery.failure?.code, 'exit_nonzero');
    assert.equal(delivery.agreeing, 2);
  });

  test('is not told by a limit that was reached: who ends there is not outvoted, and not believed the more', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c', 'd', 'e'], settings: { trustAfter: 100 } });
    const agreed = (donor: string): number => pile.state.trust.agreed(donor as VehicleId, KEY, pile.now());
    const small = ({ donor, lease }: Offered): UpBody =>
      donor === 'a' ? failureOf(lease, 'memory_limit') : resultOf(lease, RIGHT);
    runAll(pile, ask(pile, 'r1'), honest);
    for (let i = 0; i < 2; i += 1) {
      pile.state.trust.learnAgreed('a' as VehicleId, KEY, pile.now(), 'replica');
      assert.equal(runAll(pile, ask(pile, `s${i}`), small)?.state, 'completed');
    }
    assert.equal(pile.state.trust.outvoted('a' as VehicleId, pile.now()), 0);
    assert.equal(pile.state.health.verdict('a' as VehicleId, 'cpu', pile.now()).state, 'well');
    assert.ok(agreed('a') > 1.9, 'two ends at a limit took nothing back');
    const credited = [...pile.disk.bookings.values()].flatMap(({ taskId, entries }) =>
      taskId === [...pile.disk.tasks.keys()].at(-1) ? entries.map(({ account }) => String(account)) : [],
    );
    assert.ok(!credited.includes('vehicle:a'));
    const before = ['a', 'b', 'c', 'd', 'e'].map(agreed);
    const failed = runAll(pile, ask(pile, 'all'), ({ lease }) => failureOf(lease, 'cpu_time_limit'));
    assert.equal(failed?.failure?.code, 'cpu_time_limit', 'what reaches it anywhere has failed');
    assert.deepEqual(['a', 'b', 'c', 'd', 'e'].map(agreed), before, 'and nobody is believed for it');
  });

  test('of everybody in another way ends the task with its history, after five replicas at most', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] });
    let n = 0;
    const delivery = runAll(pile, ask(pile, 'r1'), ({ lease }) => resultOf(lease, Uint8Array.of((n += 1))));
    assert.equal(delivery?.state, 'dead');
    assert.equal(delivery.failure?.code, 'no_agreement');
    assert.ok(n <= REPLICAS_MAX);
    assert.equal(pile.disk.bookings.size, 0);
  });

  test('of as many colluders as must agree is accepted, and of fewer is not', () => {
    const colluding = (liars: readonly string[]) => (offer: Offered) =>
      liars.includes(offer.donor) ? resultOf(offer.lease, WRONG) : honest(offer);
    const both = pileWith({ donors: ['a', 'b'] });
    const fooled = runAll(both, ask(both, 'r1'), colluding(['a', 'b']));
    assert.deepEqual(fooled?.output, { where: 'inline', bytes: WRONG });
    const one = pileWith({ donors: ['a', 'b', 'c', 'd', 'e'] });
    const right = runAll(one, ask(one, 'r1'), colluding(['a']));
    assert.deepEqual(right?.output, { where: 'inline', bytes: RIGHT });
  });
});

describe('a quorum that is asked for', () => {
  test('is met by so many owners before the result is accepted, whoever is believed', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c', 'd'], settings: { trustAfter: 0 } });
    assert.equal(offersIn(ask(pile, 'r0')).length, 1, 'nobody is checked without');
    const delivery = runAll(pile, ask(pile, 'r1', { quorum: 3 }), honest);
    assert.equal(delivery?.agreeing, 3);
  });

  test('waits until the deadline where there are not as many owners', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c'] });
    pile.unplug('c');
    const asked = request('r1', 'sum', { wants: { quorum: 3 }, deadlineMs: 600_000 });
    assert.equal(runAll(pile, pile.say('asker.ask-1', asked), honest), undefined);
    const late = pile.pass(600_001);
    assert.equal(deliveryIn(late)?.state, 'expired');
    const told = '2 results are here, and 3 vehicles of different owners must give the same';
    assert.equal(deliveryIn(late)?.failure?.detail, told);
  });

  test('of an algorithm whose outputs do not compare is refused, with what to do', () => {
    const pile = new SimulatedPile();
    pile.addAlgorithm('sum');
    pile.ask('asker');
    const [refused] = bodiesOf(ask(pile, 'r1', { quorum: 2 }), 'refused');
    assert.equal(refused?.reasons[0]?.code, 'not_supported');
    assert.match(refused.reasons[0].hint, /--compare/);
  });

  test('of several parts holds for each of them', () => {
    const pile = pileWith({ donors: ['a', 'b', 'c'], settings: { trustAfter: 0 } });
    const sent = ask(pile, 'r1', { quorum: 2, instances: 3, allAtOnce: true });
    const delivery = runAll(pile, sent, honest);
    assert.equal(delivery?.outputs?.length, 3);
    assert.equal(delivery.agreeing, 2);
  });
});

describe('where no other owner is', () => {
  test('a result waits for one that is busy, and is taken as it is when the patience is over', () => {
    const pile = pileWith({ donors: ['a', 'b'], settings: { confirmWithinMs: 60_000 } });
    pile.addAlgorithm('long', [{ cpuMillicores: 4000 }], { workCoreS: 600 });
    const [busy] = offersIn(pile.say('asker.ask-1', request('l', 'long')));
    const [offer] = offersIn(ask(pile, 'r1')) as [Offered];
    assert.notEqual(offer.donor, busy?.donor);
    assert.equal(deliveryIn(pile.say(`${offer.donor}.lend`, honest(offer))), undefined);
    const sent: SentBody[] = [];
    for (let ms = 0; ms < 61_000; ms += 1_000) {
      const held = busy === undefined ? [] : [{ lease: busy.lease, progressPermille: 1, cpuMs: 1 }];
      for (const id of ['a', 'b']) pile.say(`${id}.lend`, capacityReport({}));
      pile.say(`${busy?.donor}.lend`, { kind: 'renewal', held });
      sent.push(...pile.pass(1_000));
    }
    const delivery = deliveryIn(sent);
    assert.equal(delivery?.agreeing, 1);
    assert.ok(!isBelieved(pile, offer.donor));
  });

  test('a restart does not take it for a pile with nobody else', () => {
    const pile = pileWith({ donors: ['a', 'b'] });
    const [first, second] = offersIn(ask(pile, 'r1')) as [Offered, Offered];
    pile.say(`${first.donor}.lend`, honest(first));
    pile.restart();
    pile.ask('asker');
    assert.equal(deliveryIn(pile.step({ kind: 'tick' })), undefined);
    pile.plug(second.donor);
    pile.lend(second.donor, {}, [second.lease]);
    const delivery = deliveryIn(pile.say(`${second.donor}.lend`, honest(second)));
    assert.equal(delivery?.agreeing, 2);
  });
});

test('replicas that are not needed any more are told to stop, and what they say then counts for nothing', () => {
  const pile = pileWith({ donors: ['a', 'b', 'c', 'd', 'e'], settings: { trustAfter: 0 } });
  const offers = offersIn(ask(pile, 'r1', { quorum: 2 })) as [Offered, Offered];
  pile.say(`${offers[0].donor}.lend`, resultOf(offers[0].lease, WRONG));
  const more = offersIn(pile.say(`${offers[1].donor}.lend`, honest(offers[1]))) as [Offered, Offered];
  assert.equal(more.length, 2);
  pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'request', requestId: 'r1' as never } });
  const [ack] = bodiesOf(pile.say(`${more[0].donor}.lend`, honest(more[0])), 'resultAck');
  assert.equal(ack?.accepted, false);
  assert.equal(pile.disk.bookings.size, 0, 'what no others confirmed is credited to nobody');
});

test('numbers within the tolerance are the same result, and those beyond it are not', () => {
  const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
  const algorithm = { compare: { by: 'numbers', format: 'float32', tolerance: 1e-3 } } as const;
  const near = pileWith({ donors: ['a', 'b'], algorithm });
  let n = 0;
  const wobbling = ({ lease }: Offered): UpBody => resultOf(lease, floats(1, 2 + (n += 1e-4)));
  assert.equal(runAll(near, ask(near, 'r1'), wobbling)?.agreeing, 2);
  const far = pileWith({ donors: ['a', 'b'], algorithm });
  const off = ({ lease }: Offered): UpBody => resultOf(lease, floats(1, 2 + (n += 0.1)));
  assert.equal(runAll(far, ask(far, 'r1'), off), undefined);
});

test('results whose bytes lie on the disk are compared there, and the answer decides', () => {
  const algorithm = { compare: { by: 'numbers', format: 'float32', tolerance: 1e-3 } } as const;
  for (const isSame of [true, false]) {
    const pile = pileWith({ donors: ['a', 'b'], algorithm });
    const asked: unknown[] = [];
    pile.compareBlobs = (a, b) => asked.push([a, b]) > 0 && isSame;
    const blob = (name: string) => ({
      digest: Buffer.from(name.padEnd(32)).toString('hex') as never,
      sizeBytes: 1e6,
    });
    const big = ({ donor, lease }: Offered): UpBody => ({
      ...(resultOf(lease, RIGHT) as Extract<UpBody, { kind: 'result' }>),
      outcome: { ok: true, output: { where: 'blob', blob: blob(donor) } },
    });
    const delivery = runAll(pile, ask(pile, 'r1'), big);
    assert.equal(asked.length, 1);
    assert.equal(delivery?.agreeing, isSame ? 2 : undefined);
  }
});

test('JSON that takes long to read is left to the daemon, though it came within the message; what is short is not', () => {
  const algorithm = { compare: { by: 'numbers', format: 'json', tolerance: 1e-3 } } as const;
  for (const [count, asked] of [
    [10, 0],
    [JSON_COMPARED_IN_STEP_BYTES_MAX / 2, 1],
  ] as const) {
    const pile = pileWith({ donors: ['a', 'b'], algorithm });
    let n = 0;
    pile.compareBlobs = () => (n += 1) > 0;
    const text = (first: number): Uint8Array =>
      new TextEncoder().encode(JSON.stringify([first, ...Array.from({ length: count }, () => 1)]));
    let wobble = 0;
    const delivery = runAll(pile, ask(pile, 'r1'), ({ lease }) =>
      resultOf(lease, text(1 + (wobble += 1e-4))),
    );
    assert.equal(delivery?.agreeing, 2);
    assert.equal(n, asked);
  }
});
