/** Leases that are taken back for the latency priority: after how long, how often, and whose. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { bodiesOf, request } from '../simulation/simulated-pile.ts';
import { ask, compute, finishAll, heldBy, pileOf, tasks } from './core-donors-and-asker.ts';

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
