/** What makes a waiting task possible, or a lease impossible, although neither a request nor a donor is new. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { AlgorithmId, LeaseId, Result, VehicleId } from '@plugpool/proto';
import type { OperatorCommand } from '../../agent/core/events.ts';
import { AWAITED_BLOBS_PER_VEHICLE_MAX } from '../../agent/core/limits.ts';
import type { SimulatedPile } from '../simulation/simulated-pile.ts';
import {
  bodiesOf,
  capacityReport,
  completed,
  connectorOf,
  digestOf,
  hello,
  request,
  type SentBody,
  pileWith,
} from '../simulation/simulated-pile.ts';

function offered(sent: readonly SentBody[]): LeaseId {
  const [offer] = bodiesOf(sent, 'offer');
  assert.ok(offer, 'no offer was sent');
  return offer.lease;
}

function operate(pile: SimulatedPile, command: OperatorCommand): SentBody[] {
  return pile.step({ kind: 'operator', question: 1, command });
}

const retire = (id: string, version?: string): OperatorCommand => ({
  verb: 'retireAlgorithm',
  id: id as AlgorithmId,
  ...(version === undefined ? {} : { version }),
});

test('a task that waits runs when an algorithm of its type is added that fits', () => {
  const pile = pileWith('donor');
  pile.addAlgorithm('large', [{ cpuMillicores: 8000 }], { type: 'plan' });
  const plan = request('r1', '', { selector: { by: 'type', type: 'plan' } });
  assert.deepEqual(bodiesOf(pile.say('asker.ask-1', plan), 'offer'), []);
  const before = pile.sent.length;
  pile.addAlgorithm('small', [{ cpuMillicores: 500 }], { type: 'plan' });
  offered(pile.sent.slice(before));
});

test('a task that waits runs when the newest version is retired and the one before fits', () => {
  const pile = pileWith('donor');
  pile.addAlgorithm('sum', [{ cpuMillicores: 500 }]);
  pile.addAlgorithm('sum', [{ cpuMillicores: 8000 }], { version: '2' });
  assert.deepEqual(bodiesOf(pile.say('asker.ask-1', request('r1', 'sum')), 'offer'), []);
  offered(operate(pile, retire('sum', '2')));
});

test('a task whose algorithm was retired ends when its donor leaves', () => {
  const pile = pileWith('donor', 'other');
  pile.addAlgorithm('sum');
  const lease = offered(pile.say('asker.ask-1', request('r1', 'sum')));
  operate(pile, retire('sum'));
  assert.equal(pile.state.tasks.size, 1);
  const [task] = pile.state.tasks.values();
  const donor = task?.instances[0]?.lease?.vehicleId ?? '';
  const sent = pile.say(`${donor}.lend`, { kind: 'decline', lease, reason: 'busy' });
  assert.equal(bodiesOf(sent, 'delivery')[0]?.failure?.code, 'algorithm_unknown');
});

test('an instance that was declined twice is tried again at each donor as soon as that one’s rest is over', () => {
  const pile = pileWith('donor');
  pile.addAlgorithm('sum');
  const first = offered(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.say('donor.lend', { kind: 'decline', lease: first, reason: 'busy' });
  pile.pass(4_000);
  pile.plug('late');
  const second = offered(pile.lend('late'));
  pile.say('late.lend', { kind: 'decline', lease: second, reason: 'busy' });
  const [offer] = pile.pass(pile.settings.restMs - 4_000).filter(({ body }) => body.kind === 'offer');
  assert.equal(offer?.clientId, 'donor.lend');
});

test('a task that lost its donor goes before those of its requester that never ran', () => {
  const pile = pileWith('donor');
  pile.addAlgorithm('sum', [{ cpuMillicores: 4000 }]);
  const first = offered(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.pass(10);
  pile.say('asker.ask-1', request('r2', 'sum'));
  pile.unplug('donor');
  pile.pass(pile.settings.revokeGraceMs);
  pile.plug('other');
  assert.equal(offered(pile.lend('other')).instanceId, first.instanceId);
});

test('what the firmware says between hello and the first report takes no lease back', () => {
  const pile = pileWith('donor');
  pile.addAlgorithm('sum');
  const lease = offered(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.restart();
  pile.connect('donor.lend');
  pile.say('donor.lend', hello({}, [lease]));
  const before = pile.sent.length;
  pile.plug('donor');
  assert.deepEqual(bodiesOf(pile.sent.slice(before), 'revoke'), []);
});

test('a connection that was not welcomed is offered nothing, though the end of the one before was not heard', () => {
  const pile = pileWith('donor');
  pile.addAlgorithm('sum');
  pile.connect('donor.lend');
  assert.deepEqual(bodiesOf(pile.say('asker.ask-1', request('r1', 'sum')), 'offer'), []);
});

test('a stated departure does not move away while the report of it grows old', () => {
  const pile = pileWith('donor');
  pile.addAlgorithm('sum', [{}], { workCoreS: 30 });
  pile.say('donor.lend', capacityReport({}, { departureInMs: 40_000 }));
  pile.pass(15_000);
  pile.firmware({ kind: 'meter', connectorId: connectorOf('donor'), powerMw: 1 });
  assert.deepEqual(bodiesOf(pile.say('asker.ask-1', request('r1', 'sum')), 'offer'), []);
});

test('a GPU that is reported twice is there once', () => {
  const pile = pileWith();
  pile.addAlgorithm('net', [{ gpu: { shareMillis: 600, vramMib: 1 } }]);
  pile.plug('donor');
  pile.lend('donor', { gpu: 1000 });
  const report = capacityReport({ gpu: 1000 });
  const gpus = [...report.lendable.gpus, ...report.lendable.gpus];
  pile.say('donor.lend', { ...report, lendable: { ...report.lendable, gpus } });
  offered(pile.say('asker.ask-1', request('r1', 'net')));
  assert.deepEqual(bodiesOf(pile.say('asker.ask-1', request('r2', 'net')), 'offer'), []);
});

test('each silence of the firmware has a whole grace', () => {
  const pile = pileWith('donor');
  pile.addAlgorithm('sum');
  const connectorId = connectorOf('donor');
  const first = offered(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.firmware({ kind: 'linkLost', connectorId, reason: 'test' });
  pile.say('donor.lend', completed(first));
  pile.pass(pile.settings.unverifiedGraceMs - 2_000);
  pile.firmware({ kind: 'meter', connectorId });
  pile.say('donor.lend', capacityReport({}));
  offered(pile.say('asker.ask-1', request('r2', 'sum')));
  pile.firmware({ kind: 'linkLost', connectorId, reason: 'test' });
  assert.deepEqual(bodiesOf(pile.pass(5_000), 'revoke'), []);
});

test('a vehicle is where it was identified last, whatever its old connector still measures', () => {
  const pile = pileWith('donor');
  pile.plug('donor', 'elsewhere');
  pile.firmware({ kind: 'meter', connectorId: connectorOf('donor'), powerMw: 1 });
  assert.equal(pile.state.connectorOf.get('donor' as VehicleId), connectorOf('elsewhere'));
});

test('a result whose upload is one too many is told to come again', () => {
  const pile = pileWith('donor');
  pile.addAlgorithm('sum');
  const lease = offered(pile.say('asker.ask-1', request('r1', 'sum')));
  const upload = (index: number): Result => ({
    ...(completed(lease) as Result),
    outcome: {
      ok: true,
      output: { where: 'blob', blob: { digest: digestOf(`blob ${index}`), sizeBytes: 1e6 } },
    },
  });
  const say = (index: number): SentBody[] => {
    const message = pile.message('donor.lend', upload(index));
    return pile.step({ ...message, blobHeld: false } as typeof message);
  };
  for (let index = 0; index < AWAITED_BLOBS_PER_VEHICLE_MAX; index++) assert.deepEqual(say(index), []);
  const [refused] = bodiesOf(say(AWAITED_BLOBS_PER_VEHICLE_MAX), 'refused');
  assert.deepEqual([refused?.retryable, refused?.reasons[0]?.code], [true, 'rate_limited']);
});

test('an end that nobody came back for is forgotten after the retention, and its request id is free again', () => {
  const pile = pileWith();
  pile.addAlgorithm('sum');
  pile.say('asker.ask-1', request('r1', 'sum', { deadlineMs: 1_000 }));
  pile.disconnect('asker.ask-1');
  pile.pass(pile.settings.retentionMs + 2_000);
  pile.step({ kind: 'housekeeping' });
  pile.ask('asker');
  const [accepted] = bodiesOf(pile.say('asker.ask-1', request('r1', 'sum')), 'accepted');
  assert.ok(accepted);
});

test('a firmware that falls silent is noticed although the state was loaded again meanwhile', () => {
  const pile = pileWith();
  pile.addAlgorithm('sum');
  const at = { receivedWallMs: 0 };
  const connectorId = connectorOf('donor');
  const identity = {
    kind: 'identity',
    connectorId,
    vehicleId: 'donor' as VehicleId,
    assurance: 'mac',
  } as const;
  pile.step({
    kind: 'firmware',
    event: { kind: 'chargingStarted', connectorId, at },
    source: { name: 'test', staleAfterMs: 3_000 },
  });
  pile.step({ kind: 'firmware', event: { ...identity, at }, source: { name: 'test', staleAfterMs: 3_000 } });
  pile.lend('donor');
  offered(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.failedStep();
  pile.step({ kind: 'tick' });
  pile.pass(3_001);
  assert.ok(pile.state.timers.has('unverified:donor' as never));
});
