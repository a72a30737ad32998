/** Who runs where: what one request needs, wants and pays, and what that does to the others. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type {
  AlgorithmId,
  Demand,
  DownBody,
  LeaseId,
  TaskId,
  UpBody,
  VehicleId,
  Wants,
} from '@plugpool/proto';
import { explain } from '../../agent/core/explain/explain.ts';
import { knownVehicles } from '../../agent/core/donors/known-vehicles.ts';
import { GANGS_TRIED_MAX } from '../../agent/core/limits.ts';
import {
  bodiesOf,
  capacityReport,
  completed,
  digestOf,
  hello,
  leaseIn,
  pileWith,
  request,
  SimulatedPile,
  type Has,
  type SentBody,
} from '../simulation/simulated-pile.ts';

type Offer = Extract<DownBody, { kind: 'offer' }>;

function offersIn(sent: readonly SentBody[]): Offer[] {
  return bodiesOf(sent, 'offer');
}

function pileOf(donors: Readonly<Record<string, Has>>, settings = {}): SimulatedPile {
  const pile = new SimulatedPile(settings);
  for (const [vehicleId, has] of Object.entries(donors)) {
    pile.plug(vehicleId);
    pile.lend(vehicleId, has);
  }
  pile.ask('asker');
  return pile;
}

function ask(pile: SimulatedPile, id: string, algorithm: string, wants: Wants = {}): SentBody[] {
  return pile.say('asker.ask-1', request(id, algorithm, { wants }));
}

/** All that a vehicle runs ends. */
function finishAll(pile: SimulatedPile, vehicleId: string): SentBody[] {
  return pile.step(
    ...heldBy(pile, vehicleId).map((lease) => pile.message(`${vehicleId}.lend`, completed(lease))),
  );
}

function heldBy(pile: SimulatedPile, vehicleId: string): LeaseId[] {
  const donor = [...pile.state.donors.values()].find((each) => each.vehicleId === vehicleId);
  return [...(donor?.leased.values() ?? [])].flatMap(({ instanceId, lease }) =>
    lease === undefined ? [] : [{ instanceId, fencingToken: lease.fencingToken }],
  );
}

/** Time passes while vehicles say that they are there and compute. */
function compute(pile: SimulatedPile, forMs: number, ...vehicles: string[]): SentBody[] {
  const sent: SentBody[] = [];
  for (let leftMs = forMs; leftMs > 0; leftMs -= 5_000) {
    sent.push(...pile.pass(Math.min(5_000, leftMs)));
    for (const vehicleId of vehicles) {
      const held = heldBy(pile, vehicleId).map((lease) => ({ lease, progressPermille: 1, cpuMs: 1 }));
      sent.push(...pile.say(`${vehicleId}.lend`, { kind: 'renewal', held }));
      const donor = [...pile.state.donors.values()].find((each) => each.vehicleId === vehicleId);
      if (donor?.report !== undefined) sent.push(...pile.say(`${vehicleId}.lend`, donor.report));
    }
  }
  return sent;
}

function tasks(sent: readonly SentBody[]): string[] {
  return offersIn(sent).map(({ taskId }) => taskId);
}

test('who states hardly any work does not share the needs of one who states none', () => {
  const pile = pileOf({});
  pile.addAlgorithm('sum', [{}], { workCoreS: 3600 });
  ask(pile, 'r1', 'sum', { demand: { cpuMillicores: 500 } });
  ask(pile, 'r2', 'sum', { demand: { cpuMillicores: 500, workMncs: 1 } });
  const works = [...pile.state.waiting.groups()].map(({ need }) => Math.round(need.ways[0]?.workMncs ?? 0));
  assert.equal(works.length, 2);
  assert.ok(works.some((mncs) => mncs >= 3_600_000) && works.includes(1), works.join());
});

test('what an owner forbids in the preferred way runs in the other that he allows', () => {
  const pile = pileOf({ donor: { gpu: 1000 } });
  const onGpu: Partial<Demand> = { gpu: { shareMillis: 500, vramMib: 512 } };
  pile.addAlgorithm('either', [onGpu, { cpuMillicores: 2000 }]);
  pile.say('donor.lend', capacityReport({ gpu: 1000 }, { constraint: 'request.gpuMillis == 0' }));
  const [offer] = offersIn(ask(pile, 'r1', 'either'));
  assert.equal(offer?.demand.cpuMillicores, 2000);
  assert.equal(offer.demand.gpu, undefined);
});

test('what would be late in the preferred way runs in the one that is in time', () => {
  const pile = pileOf({ donor: { gpu: 1000 } });
  pile.addAlgorithm('either', [
    { cpuMillicores: 100, gpu: { shareMillis: 500, vramMib: 512 } },
    { cpuMillicores: 2000, threads: 2 },
  ]);
  const [offer] = offersIn(pile.say('asker.ask-1', request('r1', 'either', { deadlineMs: 5_000 })));
  assert.equal(offer?.demand.cpuMillicores, 2000);
});

test('a budget bounds what is charged to the last unit, on the fastest core', () => {
  const pile = new SimulatedPile();
  pile.addAlgorithm('tiny', [{}], { workCoreS: 0.003 });
  pile.plug('donor');
  pile.connect('donor.lend');
  const said = hello({}) as Extract<UpBody, { kind: 'hello' }>;
  assert.ok(said.hardware);
  pile.say('donor.lend', { ...said, hardware: { ...said.hardware, speedMillis: 10_000 } });
  pile.say('donor.lend', capacityReport({}));
  pile.ask('asker');
  const lease = leaseIn(ask(pile, 'r1', 'tiny', { budgetMncs: 3 }));
  pile.pass(1_000);
  pile.say('donor.lend', completed(lease, 900));
  const [booking] = [...pile.disk.bookings.values()];
  assert.equal(booking?.entries[0]?.amount, -3);
});

test('a fleet that the operator knows pays for its vehicle', () => {
  const vehicles = knownVehicles([{ id: 'asker', make: '', fleet: 'north' }]);
  const pile = pileOf({ donor: {} }, { vehicles });
  pile.addAlgorithm('sum');
  const lease = leaseIn(ask(pile, 'r1', 'sum', { payer: 'north' }));
  pile.pass(1_000);
  pile.say('donor.lend', completed(lease));
  const [booking] = [...pile.disk.bookings.values()];
  assert.deepEqual(
    booking?.entries.map(({ account, amount }) => [account, amount]),
    [
      ['fleet:north', -500],
      ['vehicle:donor', 450],
      ['operator', 50],
      // What half a core-second is taken to draw.
      ['station:station', -1],
      ['vehicle:donor', 1],
    ],
  );
});

test('the quicker an answer is needed, and the more parts run at once, the sooner it runs', () => {
  const pile = pileOf({});
  pile.addAlgorithm('whole', [{ cpuMillicores: 4000 }]);
  ask(pile, 'plain', 'whole');
  ask(pile, 'few', 'whole', { instances: 2 });
  ask(pile, 'soon', 'whole', { latencyMs: 10_000 });
  ask(pile, 'at once', 'whole', { latencyMs: 1_000 });
  const names = new Map(
    [...pile.state.tasks.values()].map(({ record }) => [record.taskId, record.requestId]),
  );
  pile.plug('donor');
  const order = tasks(pile.lend('donor'));
  for (let i = 0; i < 4; i++) order.push(...tasks(finishAll(pile, 'donor')));
  assert.deepEqual(
    order.map((taskId) => names.get(taskId as TaskId)),
    ['at once', 'soon', 'few', 'few', 'plain'],
  );
});

test('a request for many parts goes before one for a few, and one for a few before a single one', () => {
  const pile = pileOf({});
  pile.addAlgorithm('whole', [{ cpuMillicores: 4000 }]);
  ask(pile, 'one', 'whole', { instances: 1 });
  ask(pile, 'two', 'whole', { instances: 2 });
  ask(pile, 'four', 'whole', { instances: pile.settings.manyInstances });
  pile.plug('donor');
  const sent = [...pile.lend('donor'), ...finishAll(pile, 'donor')];
  for (let i = 0; i < 5; i++) sent.push(...finishAll(pile, 'donor'));
  const parts = offersIn(sent).map(({ part }) => part?.count ?? 1);
  assert.deepEqual(parts, [4, 4, 4, 4, 2, 2, 1]);
});

test('a request whose turn has come is not starved by others for whom another donor always has room', () => {
  const pile = pileOf({ rich: { cpu: 1000, gpu: 1000 }, plain: { cpu: 1000 } }, { dueEvery: 2 });
  pile.addAlgorithm('cpu', [{}]);
  pile.addAlgorithm('gpu', [{ gpu: { shareMillis: 1000, vramMib: 1 } }]);
  for (let i = 0; i < 2; i++) ask(pile, `first${i}`, i === 0 ? 'gpu' : 'cpu');
  ask(pile, 'patient', 'gpu');
  for (let i = 0; i < 20; i++) ask(pile, `old${i}`, 'cpu');
  const [patient] = [...pile.state.tasks.values()].filter(({ record }) => record.requestId === 'patient');
  compute(pile, pile.settings.ageBoundMs, 'rich', 'plain');
  let passes = 0;
  for (; patient?.instances[0]?.lease === undefined && passes < 20; passes++) {
    // Turn about, so that a count which both donors shared would be used up on the one that it cannot run on.
    ask(pile, `quick${passes}`, 'gpu', { latencyMs: 500 });
    ask(pile, `also${passes}`, 'cpu', { latencyMs: 500 });
    finishAll(pile, 'rich');
    finishAll(pile, 'plain');
  }
  assert.equal(passes, pile.settings.dueEvery, 'grants until it ran');
});

test('two donors that are freed at once do not let others by, when the one prefers what the other owes', () => {
  const pile = pileOf({ rich: { cpu: 1000, gpu: 1000 }, plain: { cpu: 1000 } }, { dueEvery: 1 });
  pile.addAlgorithm('cpu', [{}]);
  pile.addAlgorithm('gpu', [{ gpu: { shareMillis: 1000, vramMib: 1 } }]);
  ask(pile, 'first', 'gpu');
  ask(pile, 'second', 'cpu');
  ask(pile, 'patient', 'gpu');
  compute(pile, pile.settings.ageBoundMs, 'rich', 'plain');
  ask(pile, 'quick', 'cpu', { latencyMs: 500 });
  // The quick one would rather go where its image is, which is the only donor that the patient one can run on.
  const done = ['plain', 'rich'].flatMap((vehicleId) =>
    heldBy(pile, vehicleId).map((lease) => pile.message(`${vehicleId}.lend`, completed(lease))),
  );
  const hasImage = capacityReport({ cpu: 1000, gpu: 1000 }, { cachedImages: [digestOf('cpu')] });
  const sent = pile.step(...done, pile.message('rich.lend', hasImage));
  assert.deepEqual(
    sent
      .flatMap(({ clientId, body }) => (body.kind === 'offer' ? [[clientId, body.algorithmId]] : []))
      .sort(),
    [
      ['plain.lend', 'cpu'],
      ['rich.lend', 'gpu'],
    ],
  );
});

test('a request has waited since it was accepted, whatever was started anew meanwhile', () => {
  const pile = pileOf({}, { dueEvery: 1 });
  pile.addAlgorithm('small', [{ cpuMillicores: 500 }]);
  pile.addAlgorithm('large', [{ cpuMillicores: 4000 }]);
  ask(pile, 'r1', 'small');
  pile.pass(pile.settings.ageBoundMs - 1_000);
  pile.restart();
  pile.ask('asker');
  ask(pile, 'r2', 'large');
  pile.plug('donor');
  assert.equal(offersIn(pile.lend('donor', { cpu: 4000 }))[0]?.algorithmId, 'small');
});

test('room is made for one more by moving what was planned in the same step', () => {
  const pile = pileOf({ small: { cpu: 1000 }, large: { cpu: 2000, memory: 16_384 } });
  pile.addAlgorithm('lasting', [{ cpuMillicores: 1000, memoryMib: 64 }], { workCoreS: 60 });
  pile.addAlgorithm('brief', [{ cpuMillicores: 2000, memoryMib: 16 }], { workCoreS: 0.1 });
  // The image makes the large donor the better one for the first, which takes the room that only the second needs.
  pile.say(
    'large.lend',
    capacityReport({ cpu: 2000, memory: 16_384 }, { cachedImages: [digestOf('lasting')] }),
  );
  const sent = pile.step(
    pile.message('asker.ask-1', request('r1', 'lasting')),
    pile.message('asker.ask-1', request('r2', 'brief')),
  );
  assert.deepEqual(
    sent
      .flatMap(({ clientId, body }) => (body.kind === 'offer' ? [[clientId, body.algorithmId]] : []))
      .sort(),
    [
      ['large.lend', 'brief'],
      ['small.lend', 'lasting'],
    ],
  );
});

test('room that is made in a step goes to whom it is owed, and not to who just came', () => {
  const pile = pileOf({ small: { cpu: 1000 }, large: { cpu: 2000, memory: 16_384 } }, { dueEvery: 2 });
  pile.addAlgorithm('quick', [{ cpuMillicores: 1000 }]);
  pile.addAlgorithm('whole', [{ cpuMillicores: 2000 }]);
  pile.addAlgorithm('other', [{ cpuMillicores: 2000 }], { workCoreS: 60 });
  ask(pile, 'first', 'whole');
  ask(pile, 'patient', 'whole');
  compute(pile, pile.settings.ageBoundMs, 'small', 'large');
  const hasImage = capacityReport({ cpu: 2000, memory: 16_384 }, { cachedImages: [digestOf('quick')] });
  const sent = pile.step(
    ...heldBy(pile, 'large').map((lease) => pile.message('large.lend', completed(lease))),
    pile.message('large.lend', hasImage),
    pile.message('asker.ask-1', request('quick', 'quick', { wants: { latencyMs: 5_000 } })),
    pile.message('asker.ask-1', request('late', 'other')),
  );
  assert.deepEqual(
    sent
      .flatMap(({ clientId, body }) => (body.kind === 'offer' ? [[clientId, body.algorithmId]] : []))
      .sort(),
    [
      ['large.lend', 'whole'],
      ['small.lend', 'quick'],
    ],
  );
});

// Parts that start together.

function gang(instances: number, more: Partial<Wants> = {}): Wants {
  return { instances, allAtOnce: true, ...more };
}

test('parts that start together do so in one step, where they all fit, and wait together where they do not', () => {
  const pile = pileOf({ one: { cpu: 2000 } });
  pile.addAlgorithm('sum');
  assert.deepEqual(tasks(ask(pile, 'r1', 'sum', gang(3))), []);
  const [taskId] = [...pile.state.tasks.keys()];
  assert.deepEqual(explain(pile.state, taskId as TaskId, pile.now())?.donors[0]?.obstacles, [
    { test: 'waits_for_all', need: 3, have: 2 },
  ]);
  pile.plug('two');
  assert.deepEqual(tasks(pile.lend('two', { cpu: 1000 })), [taskId, taskId, taskId]);
});

test('parts that wait to start together keep nobody else waiting', () => {
  const pile = pileOf({ one: { cpu: 2000 } });
  pile.addAlgorithm('sum');
  ask(pile, 'r1', 'sum', gang(4));
  assert.equal(tasks(ask(pile, 'r2', 'sum')).length, 1);
  assert.equal(tasks(ask(pile, 'r3', 'sum', { instances: 2 })).length, 1);
});

test('a part of a gang that lost its donor goes on alone', () => {
  const pile = pileOf({ one: { cpu: 1000 }, two: { cpu: 1000 } });
  pile.addAlgorithm('sum');
  ask(pile, 'r1', 'sum', gang(2));
  pile.unplug('two');
  pile.pass(pile.settings.revokeGraceMs);
  pile.plug('three');
  assert.equal(tasks(pile.lend('three', { cpu: 1000 })).length, 1);
});

test('many gangs that do not fit keep none that fits from starting', () => {
  const pile = pileOf({ one: { cpu: 1000 } });
  pile.addAlgorithm('sum');
  for (let i = 0; i < 2 * GANGS_TRIED_MAX; i++) ask(pile, `many${i}`, 'sum', gang(4));
  ask(pile, 'two', 'sum', gang(2));
  pile.plug('two');
  const sent = pile.lend('two', { cpu: 1000 });
  for (let i = 0; i < 3; i++) sent.push(...compute(pile, 5_000, 'one', 'two'));
  assert.deepEqual(
    offersIn(sent).map(({ part }) => part?.count),
    [2, 2],
  );
});

test('whoever has the higher priority goes before a gang, and a gang before those of its own', () => {
  const pile = pileOf({ one: {}, two: {} });
  pile.addAlgorithm('whole', [{ cpuMillicores: 4000 }]);
  const names = new Map<TaskId, string>();
  const nameAll = (): void => {
    for (const { record } of pile.state.tasks.values()) names.set(record.taskId, record.requestId);
  };
  const finishBoth = (): (string | undefined)[] => {
    const results = ['one', 'two'].flatMap((vehicleId) =>
      heldBy(pile, vehicleId).map((lease) => pile.message(`${vehicleId}.lend`, completed(lease))),
    );
    return tasks(pile.step(...results)).map((taskId) => names.get(taskId as TaskId));
  };
  ask(pile, 'first', 'whole', { instances: 2 });
  ask(pile, 'single', 'whole', { latencyMs: 60_000 });
  ask(pile, 'another', 'whole', { latencyMs: 60_000 });
  ask(pile, 'gang', 'whole', gang(2));
  ask(pile, 'quick', 'whole', { latencyMs: 500 });
  nameAll();
  assert.deepEqual(finishBoth().sort(), ['quick', 'single']);
  assert.deepEqual(finishBoth(), ['gang', 'gang']);
  assert.deepEqual(finishBoth(), ['another']);
});

test('of two gangs the one of the higher priority starts first, however long the other has waited', () => {
  const pile = pileOf({ one: { cpu: 1000 } });
  pile.addAlgorithm('sum');
  ask(pile, 'earlier', 'sum', gang(2));
  ask(pile, 'urgent', 'sum', gang(2, { latencyMs: 500 }));
  pile.plug('two');
  const [taskId] = tasks(pile.lend('two', { cpu: 1000 }));
  assert.equal(pile.state.tasks.get(taskId as TaskId)?.record.requestId, 'urgent');
});

test('each part’s result is booked as it comes, and the last one ends the task with the outputs in order', () => {
  const pile = pileWith('donor', 'other');
  const offers = offersIn(ask(pile, 'r1', 'sum', { instances: 3 }));
  assert.deepEqual(
    offers.map(({ part }) => part),
    [0, 1, 2].map((index) => ({ index, count: 3 })),
  );
  pile.pass(1_000);
  const deliveries: SentBody[] = [];
  for (const { lease, part } of [...offers].reverse()) {
    const holder = pile.disk.instances.get(lease.instanceId)?.lease?.vehicleId ?? '';
    const result = completed(lease) as Extract<UpBody, { kind: 'result' }>;
    const output = { where: 'inline', bytes: new Uint8Array([part?.index ?? 9]) } as const;
    deliveries.push(...pile.say(`${holder}.lend`, { ...result, outcome: { ok: true, output } }));
  }
  const [delivery, ...more] = bodiesOf(deliveries, 'delivery');
  assert.deepEqual(more, []);
  assert.deepEqual(
    delivery?.outputs?.map((output) => output.where === 'inline' && [...output.bytes]),
    [[0], [1], [2]],
  );
  assert.equal(delivery.chargedMncs, 1_500);
  assert.equal(pile.disk.bookings.size, 3);
});

test('a start between the results of two parts loses none and books none twice', () => {
  const pile = pileWith('donor');
  const offers = offersIn(ask(pile, 'r1', 'sum', { instances: 3 }));
  const [first, ...others] = offers.map(({ lease }) => lease);
  assert.ok(first);
  pile.pass(1_000);
  pile.say('donor.lend', completed(first));
  pile.restart();
  pile.ask('asker');
  pile.plug('donor');
  const again = pile.lend('donor', {}, others);
  assert.deepEqual(tasks(again), [], 'a part that was through runs again');
  assert.equal(bodiesOf(pile.say('donor.lend', completed(first)), 'resultAck')[0]?.accepted, false);
  const sent = others.flatMap((lease) => pile.say('donor.lend', completed(lease)));
  assert.equal(bodiesOf(sent, 'delivery')[0]?.outputs?.length, 3);
  assert.equal(pile.disk.bookings.size, 3);
});

test('a part whose program fails ends the task: what ran is stopped, what was through stays paid', () => {
  const pile = pileWith('donor');
  const [first, second] = offersIn(ask(pile, 'r1', 'sum', { instances: 3 })).map(({ lease }) => lease);
  assert.ok(first && second);
  pile.pass(1_000);
  pile.say('donor.lend', completed(first));
  const failure = { code: 'exit_nonzero', detail: '1', stderrTail: '' } as const;
  const { used } = completed(second) as Extract<UpBody, { kind: 'result' }>;
  const sent = pile.say('donor.lend', {
    kind: 'result',
    lease: second,
    used,
    outcome: { ok: false, failure },
  });
  const [delivery] = bodiesOf(sent, 'delivery');
  assert.equal(delivery?.state, 'failed');
  assert.equal(delivery.chargedMncs, 500);
  assert.equal(bodiesOf(sent, 'revoke').length, 1);
  assert.equal(pile.disk.bookings.size, 1);
  assert.equal(pile.state.waiting.size, 0);
});

test('a task of two parts whose program is no more ends once, whether they wait or are lost together', () => {
  const id = 'sum' as AlgorithmId;
  for (const donors of [[], ['donor']]) {
    const pile = pileWith(...donors);
    ask(pile, 'r1', 'sum', { instances: 2 });
    pile.step({ kind: 'operator', question: 1, command: { verb: 'retireAlgorithm', id } });
    if (donors.length > 0) pile.lend('donor', {}, []);
    const [task] = [...pile.disk.tasks.values()];
    assert.equal(task?.end?.failure?.code, 'algorithm_unknown');
  }
});

test('a budget holds for what ran before a start', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(ask(pile, 'r1', 'sum', { budgetMncs: 2_000, instances: 2 }));
  pile.restart();
  pile.plug('donor');
  pile.lend('donor', {}, [lease]);
  pile.pass(10_000);
  pile.say('donor.lend', completed(lease, 9_000));
  const [booking] = [...pile.disk.bookings.values()];
  assert.equal(booking?.entries[0]?.amount, -1_000);
});

// Pre-emption.

test('the latency priority takes a lease back that was held for the minimum time, and no other priority does', () => {
  const pile = pileOf({ donor: { cpu: 4000 } });
  pile.addAlgorithm('whole', [{ cpuMillicores: 4000 }], { workCoreS: 600 });
  pile.addAlgorithm('brief', [{ cpuMillicores: 4000 }]);
  ask(pile, 'long', 'whole');
  compute(pile, pile.settings.preemptAfterMs - 10_000, 'donor');
  assert.deepEqual(bodiesOf(ask(pile, 'early', 'brief', { latencyMs: 500 }), 'revoke'), []);
  pile.say('asker.ask-1', {
    kind: 'cancel',
    which: { by: 'request', requestId: request('early', '').requestId },
  });
  compute(pile, 20_000, 'donor');
  assert.deepEqual(bodiesOf(ask(pile, 'soon', 'brief', { latencyMs: 10_000 }), 'revoke'), []);
  assert.deepEqual(
    bodiesOf(ask(pile, 'quick', 'brief', { latencyMs: 500 }), 'revoke').map(({ reason }) => reason),
    ['preempted'],
  );
});

test('what was pre-empted once is not pre-empted again, after a start neither', () => {
  const pile = pileOf({ donor: { cpu: 4000 } });
  pile.addAlgorithm('whole', [{ cpuMillicores: 4000 }], { workCoreS: 600 });
  pile.addAlgorithm('brief', [{ cpuMillicores: 4000 }], { workCoreS: 1 });
  ask(pile, 'long', 'whole');
  const long = [...pile.state.tasks.keys()][0];
  compute(pile, pile.settings.preemptAfterMs, 'donor');
  ask(pile, 'quick', 'brief', { latencyMs: 500 });
  assert.deepEqual(
    tasks(pile.pass(pile.settings.revokeGraceMs)).map((taskId) => taskId === long),
    [false],
  );
  assert.deepEqual(tasks(finishAll(pile, 'donor')), [long]);
  pile.restart();
  pile.ask('asker');
  pile.plug('donor');
  pile.lend('donor', { cpu: 4000 }, heldBy(pile, 'donor'));
  compute(pile, 2 * pile.settings.preemptAfterMs, 'donor');
  assert.deepEqual(bodiesOf(ask(pile, 'again', 'brief', { latencyMs: 500 }), 'revoke'), []);
});

test('a start while a lease is taken back does not forget that it was', () => {
  const pile = pileOf({ donor: { cpu: 4000 } });
  pile.addAlgorithm('whole', [{ cpuMillicores: 4000 }], { workCoreS: 600 });
  pile.addAlgorithm('brief', [{ cpuMillicores: 4000 }]);
  ask(pile, 'long', 'whole');
  compute(pile, pile.settings.preemptAfterMs, 'donor');
  assert.equal(bodiesOf(ask(pile, 'quick', 'brief', { latencyMs: 500 }), 'revoke').length, 1);
  pile.restart();
  pile.ask('asker');
  pile.plug('donor');
  const sent = pile.lend('donor', { cpu: 4000 }, heldBy(pile, 'donor'));
  sent.push(...compute(pile, 2 * pile.settings.preemptAfterMs, 'donor'));
  assert.deepEqual(bodiesOf(sent, 'revoke'), []);
});

test('whoever takes nothing that the latency priority lacks is not pre-empted for it', () => {
  const pile = pileOf({ donor: { cpu: 4000, gpu: 1000 } });
  pile.addAlgorithm('onGpu', [{ gpu: { shareMillis: 1000, vramMib: 1 } }], { workCoreS: 600 });
  pile.addAlgorithm('onCpu', [{ cpuMillicores: 500 }], { workCoreS: 600 });
  pile.addAlgorithm('brief', [{ gpu: { shareMillis: 1000, vramMib: 1 } }]);
  ask(pile, 'gpu', 'onGpu');
  compute(pile, 5_000, 'donor');
  // The younger lease loses less, and would go first.
  ask(pile, 'cpu', 'onCpu');
  compute(pile, pile.settings.preemptAfterMs, 'donor');
  const revoked = bodiesOf(ask(pile, 'quick', 'brief', { latencyMs: 500 }), 'revoke');
  assert.deepEqual(
    revoked.map(({ lease }) => pile.disk.instances.get(lease.instanceId)?.lease?.algorithmId),
    ['onGpu'],
  );
});

// What is refused at once.

const REFUSED: readonly [what: string, algorithm: string, wants: Wants, code: string][] = [
  ['a payer that is not its own', 'sum', { payer: 'somebody' }, 'payer_not_allowed'],
  ['a trust in its fleet where it has none', 'sum', { trust: { whom: 'fleet' } }, 'fleet_unknown'],
  ['a budget below what the work is expected to take', 'sum', { budgetMncs: 999 }, 'over_budget'],
  ['a budget that all its parts would exceed', 'sum', { budgetMncs: 1_999, instances: 2 }, 'over_budget'],
  ['a constraint that does not parse', 'sum', { constraint: 'donor.cores >' }, 'constraint_invalid'],
  ['a constraint that is no question', 'sum', { constraint: 'donor.cores + 1' }, 'constraint_invalid'],
  ['a demand above any donor', 'sum', { demand: { memoryMib: 1e7 } }, 'never_feasible'],
  [
    'a trust in a make that nobody is of',
    'sum',
    { trust: { whom: 'makes', makes: ['Ohm'] } },
    'never_feasible',
  ],
  ['work that no donor could end in time', 'sum', { demand: { workMncs: 1e11 } }, 'never_feasible'],
];

for (const [what, algorithm, wants, code] of REFUSED)
  test(`${what} is refused at once with its code and a hint, and nothing is stored`, () => {
    const pile = pileWith('donor');
    const [refused] = bodiesOf(ask(pile, 'r1', algorithm, wants), 'refused');
    assert.deepEqual(
      refused?.reasons.map((reason) => reason.code),
      [code],
    );
    assert.ok(refused.reasons.every(({ hint, detail }) => hint !== '' && detail !== ''));
    assert.equal(refused.retryable, false);
    assert.equal(pile.disk.tasks.size + pile.disk.instances.size + pile.state.tasks.size, 0);
    assert.equal(pile.state.waiting.size, 0);
  });

test('what is too large and what is too long is said in numbers with their units', () => {
  const pile = pileWith('donor');
  const detailOf = (id: string, demand: NonNullable<Wants['demand']>): string | undefined =>
    bodiesOf(ask(pile, id, 'sum', { demand }), 'refused')[0]?.reasons[0]?.detail;
  assert.equal(
    detailOf('large', { cpuMillicores: 99_999, memoryMib: 1e7 }),
    'no vehicle could ever run it: cpu needs 99,999 millicores, the largest vehicle has 32,000; memory needs 10,000,000 MiB, the largest vehicle has 131,072',
  );
  assert.match(
    detailOf('long', { workMncs: 1e11 }) ?? '',
    /^no vehicle could ever be through in time: it runs for at least \d+ h \d+ min, the deadline is in 24 h 0 min$/,
  );
});

test('everything that is wrong with a request is said at once', () => {
  const pile = pileWith('donor');
  const wants: Wants = { payer: 'x', budgetMncs: 1, constraint: '1', demand: { memoryMib: 1e7 } };
  const [refused] = bodiesOf(ask(pile, 'r1', 'sum', wants), 'refused');
  assert.deepEqual(
    new Set(refused?.reasons.map(({ code }) => code)),
    new Set(['payer_not_allowed', 'over_budget', 'constraint_invalid', 'never_feasible']),
  );
});

test('requests that need the same share one need and one verdict about a donor, whoever asks', () => {
  const pile = pileWith('donor');
  const wants = { constraint: 'donor.memoryMib >= 1048576' };
  for (const asker of ['p', 'q', 'r']) {
    pile.ask(asker);
    for (const id of ['1', '2']) pile.say(`${asker}.ask-1`, request(id, 'sum', { wants }));
  }
  assert.equal(pile.state.waiting.size, 6);
  assert.equal([...pile.state.waiting.groups()].length, 1);
  const donor = pile.state.donors.get('donor' as VehicleId);
  assert.deepEqual([...(donor?.verdicts ?? [])], [[wants.constraint, false]]);
});
