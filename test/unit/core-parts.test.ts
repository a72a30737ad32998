/** The parts of one request: those that start together or wait together, and results that come one by one. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { AlgorithmId, TaskId, UpBody, Wants } from '@plugpool/proto';
import { explain } from '../../agent/core/explain/explain.ts';
import { GANGS_TRIED_MAX } from '../../agent/core/limits.ts';
import { bodiesOf, completed, pileWith, type SentBody } from '../simulation/simulated-pile.ts';
import { ask, compute, heldBy, offersIn, pileOf, tasks } from './core-donors-and-asker.ts';

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
  assert.equal(bodiesOf(pile.say('donor.lend', completed(first)), 'resultAck')[0]?.accepted, true);
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
