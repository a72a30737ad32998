/** Who runs where: what one request needs, wants and pays, and what that does to the others. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Demand, TaskId, UpBody, VehicleId } from '@plugpool/proto';
import { knownVehicles } from '../../agent/core/donors/known-vehicles.ts';
import {
  capacityReport,
  completed,
  digestOf,
  hello,
  leaseIn,
  pileWith,
  request,
  SimulatedPile,
} from '../simulation/simulated-pile.ts';
import { ask, compute, finishAll, heldBy, offersIn, pileOf, tasks } from './core-donors-and-asker.ts';

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
