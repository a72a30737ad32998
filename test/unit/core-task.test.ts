/** How a task goes through an agent's decisions: accepted, granted, moved, ended, delivered, once. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { RequestId, TaskId, VehicleId } from '@plugpool/proto';
import { step } from '../../agent/core/step.ts';
import { explain } from '../../agent/core/explain/explain.ts';
import {
  bodiesOf,
  capacityReport,
  completed,
  connectorOf,
  digestOf,
  request,
  SimulatedPile,
  type SentBody,
  leaseIn,
  pileWith,
} from '../simulation/simulated-pile.ts';

function deliveryIn(sent: readonly SentBody[]) {
  const [delivery] = bodiesOf(sent, 'delivery');
  assert.ok(delivery, 'no delivery was sent');
  return delivery;
}

test('a request is accepted and granted in one step, its result delivered and booked in another', () => {
  const pile = pileWith('donor');
  const sent = pile.say('asker.ask-1', request('r1', 'sum'));
  assert.deepEqual(
    sent.map(({ clientId, body }) => [clientId, body.kind]),
    [
      ['asker.ask-1', 'accepted'],
      ['donor.lend', 'offer'],
    ],
  );
  pile.pass(1000);
  const done = pile.say('donor.lend', completed(leaseIn(sent)));
  assert.equal(deliveryIn(done).state, 'completed');
  assert.deepEqual(bodiesOf(done, 'resultAck')[0]?.accepted, true);
  const [booking] = [...pile.disk.bookings.values()];
  assert.deepEqual(
    booking?.entries.map((entry) => [entry.account, entry.amount]),
    [
      ['vehicle:asker', -500],
      ['vehicle:donor', 450],
      ['operator', 50],
      // What half a core-second is taken to draw.
      ['station:station', -1],
      ['vehicle:donor', 1],
    ],
  );
});

test('a part that only ends with its task is not written again, and holds no lease on disk', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  const effects = step(pile.state, [pile.message('donor.lend', completed(lease))], pile.now());
  pile.commit(effects);
  assert.equal(
    effects.changes.some(({ change }) => change === 'putInstance'),
    false,
  );
  const { attempts, lease: kept } = pile.disk.instances.get(lease.instanceId) ?? {};
  assert.deepEqual([attempts, kept], [1, undefined]);
});

test('a vehicle that says it charges when the firmware does not is granted nothing', () => {
  const pile = new SimulatedPile();
  pile.addAlgorithm('sum');
  pile.lend('liar');
  pile.ask('asker');
  const sent = pile.say('asker.ask-1', request('r1', 'sum'));
  assert.deepEqual(bodiesOf(sent, 'offer'), []);
  const [taskId] = [...pile.state.tasks.keys()];
  assert.deepEqual(explain(pile.state, taskId as TaskId, pile.now())?.donors[0]?.obstacles, [
    { test: 'not_plugged' },
  ]);
});

test("an explanation gives the owner's own reason, and what is needed, free and lent", () => {
  const pile = new SimulatedPile();
  pile.addAlgorithm('large', [{ cpuMillicores: 4000 }]);
  pile.plug('donor');
  pile.lend('donor', { cpu: 500 });
  pile.ask('asker');
  pile.say('asker.ask-1', request('r1', 'large'));
  const [taskId] = [...pile.state.tasks.keys()];
  const explained = () => explain(pile.state, taskId as TaskId, pile.now());
  assert.equal(explained()?.summary, '1 donor is known, 1 may lend now, it fits on none: cpu on 1');
  assert.deepEqual(explained()?.donors[0]?.because, ['cpu: needs 4,000 millicores, 500 free of 500 lent']);

  pile.say('donor.lend', capacityReport({ cpu: 0 }, { lending: false, reason: 'the owner paused lending' }));
  assert.equal(explained()?.summary, '1 donor is known, none may lend now: policy not lending on 1');
  assert.deepEqual(explained()?.donors[0]?.because, [
    'its owner does not lend now: the owner paused lending',
  ]);
});

test('a donor that is plugged in later chooses the target requester among all who wait', () => {
  const pile = new SimulatedPile();
  pile.addAlgorithm('small', [{ cpuMillicores: 500 }]);
  pile.addAlgorithm('large', [{ cpuMillicores: 4000 }]);
  pile.ask('first');
  pile.ask('second');
  pile.say('first.ask-1', request('r1', 'small'));
  pile.pass(10);
  pile.say('second.ask-1', request('r2', 'large'));
  pile.lend('donor', { cpu: 4000 });
  pile.plug('donor');
  const offers = bodiesOf(pile.sent, 'offer');
  assert.deepEqual(
    offers.map((offer) => offer.algorithmId),
    ['large'],
    'the demand that fills the idle capacity goes first',
  );
});

test('a request that has waited longer than the bound goes before one that would fill more', () => {
  const pile = new SimulatedPile({ dueEvery: 1 });
  pile.addAlgorithm('small', [{ cpuMillicores: 500 }]);
  pile.addAlgorithm('large', [{ cpuMillicores: 4000 }]);
  pile.ask('first');
  pile.ask('second');
  pile.say('first.ask-1', request('r1', 'small'));
  pile.pass(pile.settings.ageBoundMs);
  pile.say('second.ask-1', request('r2', 'large'));
  pile.lend('donor', { cpu: 4000 });
  pile.plug('donor');
  assert.equal(bodiesOf(pile.sent, 'offer')[0]?.algorithmId, 'small');
});

test('a request takes the donor that has the image, and leaves a GPU to those who need one', () => {
  const pile = pileWith();
  pile.plug('rich');
  pile.lend('rich', { gpu: 1000 });
  pile.plug('plain');
  pile.lend('plain');
  const [{ clientId } = { clientId: '' }] = pile
    .say('asker.ask-1', request('r1', 'sum'))
    .filter(({ body }) => body.kind === 'offer');
  assert.equal(clientId, 'plain.lend');
  const image = [...pile.state.algorithms.values()][0]?.image.digest;
  assert.ok(image);
  pile.say('rich.lend', capacityReport({ gpu: 1000 }, { cachedImages: [image] }));
  const [second] = pile.say('asker.ask-1', request('r2', 'sum')).filter(({ body }) => body.kind === 'offer');
  assert.equal(second?.clientId, 'rich.lend');
});

test('an algorithm with alternatives runs on the GPU where there is one, and on the cpu alone elsewhere', () => {
  const pile = pileWith('plain');
  pile.addAlgorithm('see', [{ gpu: { shareMillis: 500, vramMib: 1024 } }, { cpuMillicores: 2000 }]);
  const onCpu = bodiesOf(pile.say('asker.ask-1', request('r1', 'see')), 'offer')[0];
  assert.equal(onCpu?.demand.gpu, undefined);
  pile.plug('rich');
  pile.lend('rich', { gpu: 1000 });
  const onGpu = bodiesOf(pile.say('asker.ask-1', request('r2', 'see')), 'offer')[0];
  assert.equal(onGpu?.demand.gpu?.shareMillis, 500);
});

test('of a type the algorithm is chosen that the donor can run', () => {
  const pile = pileWith('donor');
  pile.addAlgorithm('plan-gpu', [{ gpu: { shareMillis: 1000, vramMib: 1 } }], {
    type: 'plan',
    workCoreS: 0.1,
  });
  pile.addAlgorithm('plan-cpu', [{}], { type: 'plan', workCoreS: 5 });
  const sent = pile.say('asker.ask-1', { ...request('r1', ''), selector: { by: 'type', type: 'plan' } });
  assert.equal(bodiesOf(sent, 'offer')[0]?.algorithmId, 'plan-cpu');
});

test('when its donor is unplugged a task finishes elsewhere, and the late result of the first changes nothing', () => {
  const pile = pileWith('one', 'two');
  const sent = pile.say('asker.ask-1', request('r1', 'sum'));
  const lost = leaseIn(sent);
  const first = sent.find(({ body }) => body.kind === 'offer')?.clientId ?? '';
  const [name] = first.split('.');
  const other = name === 'one' ? 'two' : 'one';
  assert.equal(bodiesOf(pile.unplug(name ?? ''), 'revoke')[0]?.reason, 'unplugged');
  const moved = pile.pass(pile.settings.revokeGraceMs);
  const again = moved.find(({ body }) => body.kind === 'offer');
  assert.equal(again?.clientId, `${other}.lend`);
  const late = pile.say(first, completed(lost));
  assert.deepEqual(bodiesOf(late, 'resultAck')[0], {
    kind: 'resultAck',
    lease: lost,
    accepted: false,
    reason: 'lease_void',
  });
  assert.equal(pile.disk.bookings.size, 0);
  const done = pile.say(`${other}.lend`, completed(leaseIn(moved)));
  assert.equal(deliveryIn(done).attempts, 2);
  assert.equal(pile.disk.bookings.size, 1);
});

test('a result that comes within the grace of a revocation still counts', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.unplug('donor');
  pile.pass(pile.settings.revokeGraceMs - 1);
  assert.equal(deliveryIn(pile.say('donor.lend', completed(lease))).state, 'completed');
});

test('a result for somebody else’s lease changes nothing and earns nothing', () => {
  const pile = pileWith('donor', 'thief');
  const sent = pile.say('asker.ask-1', request('r1', 'sum'));
  const holder = sent.find(({ body }) => body.kind === 'offer')?.clientId;
  const thief = holder === 'donor.lend' ? 'thief.lend' : 'donor.lend';
  const answer = pile.say(thief, completed(leaseIn(sent)));
  assert.equal(bodiesOf(answer, 'resultAck')[0]?.accepted, false);
  assert.equal(pile.disk.bookings.size, 0);
});

test('a donor that falls silent loses its lease when it expires; one that renews keeps it', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.pass(pile.settings.leaseMs - 1);
  const entry = { lease, progressPermille: 500, cpuMs: 10 };
  const renewed = pile.say('donor.lend', { kind: 'renewal', held: [entry] });
  assert.deepEqual(bodiesOf(renewed, 'renewed')[0]?.held, [lease]);
  assert.equal(bodiesOf(renewed, 'taskUpdate')[0]?.progressPermille, 500);
  pile.pass(pile.settings.leaseMs - 1);
  assert.equal(pile.state.tasks.size, 1);
  pile.pass(2);
  const afterwards = pile.say('donor.lend', { kind: 'renewal', held: [entry] });
  assert.deepEqual(bodiesOf(afterwards, 'renewed')[0]?.held, []);
});

test('a lease survives a reconnection that lists it, and is lost by one that does not', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.disconnect('donor.lend');
  const back = pile.lend('donor', {}, [lease]);
  assert.deepEqual(bodiesOf(back, 'welcome')[0]?.keep, [lease]);
  pile.disconnect('donor.lend');
  const forgetful = pile.lend('donor');
  const next = leaseIn(forgetful);
  assert.notDeepEqual(next, lease);
  assert.ok(next.fencingToken > lease.fencingToken);
});

test('when what a donor lends falls below its leases, the newest is revoked in the same step', () => {
  const pile = pileWith('donor');
  pile.say('asker.ask-1', request('r1', 'sum'));
  const newest = leaseIn(pile.say('asker.ask-1', request('r2', 'sum')));
  const sent = pile.say('donor.lend', capacityReport({ cpu: 1500 }));
  assert.deepEqual(
    bodiesOf(sent, 'revoke').map(({ lease, reason }) => [lease, reason]),
    [[newest, 'capacity_fell']],
  );
});

test('the station without supply takes its leases back, the vehicle that is full keeps them', () => {
  const pile = pileWith('donor');
  pile.say('asker.ask-1', request('r1', 'sum'));
  const connectorId = connectorOf('donor');
  assert.deepEqual(bodiesOf(pile.firmware({ kind: 'suspended', connectorId, by: 'EV' }), 'revoke'), []);
  const sent = pile.firmware({ kind: 'suspended', connectorId, by: 'EVSE' });
  assert.equal(bodiesOf(sent, 'revoke')[0]?.reason, 'session_not_lending');
});

test('a connector that is not heard is granted nothing at once, and keeps its leases for the grace', () => {
  const pile = pileWith('donor');
  pile.say('asker.ask-1', request('r1', 'sum'));
  const connectorId = connectorOf('donor');
  const lost = pile.firmware({ kind: 'linkLost', connectorId, reason: 'test' });
  assert.deepEqual(bodiesOf(lost, 'revoke'), []);
  assert.deepEqual(bodiesOf(pile.say('asker.ask-1', request('r2', 'sum')), 'offer'), []);
  let sent: SentBody[] = [];
  // The donor goes on renewing, so that only the firmware's silence can take the lease.
  for (let ms = 0; ms <= pile.settings.unverifiedGraceMs; ms += 5_000) {
    pile.step(...renewals(pile));
    sent = [...sent, ...pile.pass(5_000)];
  }
  assert.equal(bodiesOf(sent, 'revoke')[0]?.reason, 'session_unverified');
});

function renewals(pile: SimulatedPile) {
  const held = [...(pile.state.donors.get('donor' as VehicleId)?.leased.values() ?? [])].flatMap((i) =>
    i.lease === undefined
      ? []
      : [
          {
            lease: { instanceId: i.instanceId, fencingToken: i.lease.fencingToken },
            progressPermille: 0,
            cpuMs: 0,
          },
        ],
  );
  return held.length === 0 ? [] : [pile.message('donor.lend', { kind: 'renewal', held })];
}

test('the same request again is answered with what is stored, another body under its id is refused', () => {
  const pile = pileWith('donor');
  const first = pile.say('asker.ask-1', request('r1', 'sum'));
  const again = pile.say('asker.ask-1', request('r1', 'sum'));
  assert.equal(bodiesOf(again, 'accepted')[0]?.taskId, bodiesOf(first, 'accepted')[0]?.taskId);
  assert.equal(pile.state.tasks.size, 1);
  const other = pile.say('asker.ask-1', request('r1', 'sum', { args: ['other'] }));
  assert.equal(bodiesOf(other, 'refused')[0]?.reasons[0]?.code, 'request_id_reused');
});

test('what cannot be is refused at once, with every reason', () => {
  const pile = pileWith('donor');
  const unknown = pile.say('asker.ask-1', request('r1', 'nonsense', { deadlineMs: 1e12 }));
  assert.deepEqual(
    bodiesOf(unknown, 'refused')[0]?.reasons.map((reason) => reason.code),
    ['algorithm_unknown', 'deadline_invalid'],
  );
  pile.step({
    kind: 'operator',
    question: 2,
    command: {
      verb: 'addAlgorithm',
      algorithm: {
        id: 'huge' as never,
        version: '1',
        type: 'huge',
        runtime: 'wasm',
        image: { digest: 'aa' as never, sizeBytes: 1 },
        demands: [{ cpuMillicores: 1_000_000, memoryMib: 1, threads: 1 }],
        workCoreS: 1,
      },
    },
  });
  assert.equal(pile.state.algorithms.has('huge@1'), false);
});

test('a deadline that passes ends the task, stops its donor and tells the requester', () => {
  const pile = pileWith('donor');
  pile.say('asker.ask-1', request('r1', 'sum', { deadlineMs: 5_000 }));
  const sent = pile.pass(5_000);
  assert.equal(bodiesOf(sent, 'revoke')[0]?.reason, 'deadline_passed');
  assert.equal(deliveryIn(sent).state, 'expired');
});

test('a cancelled task stops at its donor and is delivered as cancelled', () => {
  const pile = pileWith('donor');
  pile.say('asker.ask-1', request('r1', 'sum'));
  const [taskId] = [...pile.state.tasks.keys()];
  const sent = pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'task', taskId: taskId as TaskId } });
  assert.equal(bodiesOf(sent, 'revoke')[0]?.reason, 'cancelled');
  assert.equal(deliveryIn(sent).state, 'cancelled');
});

test('a request that is taken back while its input is on the way is not accepted any more', () => {
  const pile = pileWith('donor');
  const input = { where: 'blob', blob: { digest: digestOf('input'), sizeBytes: 100_000 } } as const;
  const asked = pile.message('asker.ask-1', request('r1', 'sum', { input }));
  pile.step({ ...asked, blobHeld: false } as typeof asked);
  pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'request', requestId: 'r1' as RequestId } });
  const arrived = pile.step({
    kind: 'blobArrived',
    digest: digestOf('input'),
    vehicleId: 'asker' as VehicleId,
  });
  assert.deepEqual(arrived, []);
  assert.equal(pile.state.tasks.size, 0);
});

test('outputs that nobody acknowledged take no memory, and come from disk when they are asked for', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.say('donor.lend', completed(lease));
  const [task] = [...pile.state.tasks.values()];
  assert.equal(task?.end?.output, undefined);
  assert.equal(pile.state.inlineBytes, 0);
  const again = pile.say('asker.ask-1', request('r1', 'sum'));
  assert.deepEqual(deliveryIn(again).output, { where: 'inline', bytes: new Uint8Array([42]) });
});

test('a vehicle that lends may ask at the same time; its own request runs on another', () => {
  const pile = pileWith('one');
  pile.plug('two');
  pile.lend('two', { cpu: 1000 });
  pile.ask('one');
  const own = pile.say('one.ask-1', request('r1', 'sum'));
  assert.equal(own.find(({ body }) => body.kind === 'offer')?.clientId, 'two.lend');
  const others = pile.say('asker.ask-1', request('r2', 'sum'));
  assert.equal(others.find(({ body }) => body.kind === 'offer')?.clientId, 'one.lend');
});

test('nobody cancels or reads another vehicle’s task', () => {
  const pile = pileWith('donor');
  pile.ask('stranger');
  pile.say('asker.ask-1', request('r1', 'sum'));
  const [taskId] = [...pile.state.tasks.keys()];
  const sent = pile.say('stranger.ask-1', {
    kind: 'cancel',
    which: { by: 'task', taskId: taskId as TaskId },
  });
  assert.equal(bodiesOf(sent, 'refused')[0]?.reasons[0]?.code, 'task_unknown');
  pile.say('stranger.ask-1', { kind: 'statusQuery', deliver: true });
  assert.deepEqual(bodiesOf(pile.sent, 'statusReport')[0]?.tasks, []);
});

test('a program’s own failure ends the task and charges nobody', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  const failure = { code: 'exit_nonzero', detail: '3', stderrTail: 'oops' } as const;
  const used = { cpuMs: 5, wallMs: 5, memoryPeakMib: 1, gpuMs: 0 };
  const sent = pile.say('donor.lend', { kind: 'result', lease, used, outcome: { ok: false, failure } });
  assert.deepEqual(deliveryIn(sent).failure, failure);
  assert.equal(pile.disk.bookings.size, 0);
});

test('a donor’s own failure sends the task elsewhere, and after the bound it is dead with its history', () => {
  const pile = pileWith('one', 'two', 'three', 'four');
  const failure = { code: 'runtime_crashed', detail: 'x', stderrTail: '' } as const;
  const used = { cpuMs: 0, wallMs: 0, memoryPeakMib: 0, gpuMs: 0 };
  let sent = pile.say('asker.ask-1', request('r1', 'sum'));
  const holders = new Set<string>();
  for (let crash = 0; crash < pile.settings.crashesMax; crash++) {
    const holder = sent.find(({ body }) => body.kind === 'offer')?.clientId ?? '';
    assert.ok(!holders.has(holder), 'it is not tried again where it failed');
    holders.add(holder);
    const lease = leaseIn(sent);
    sent = pile.say(holder, { kind: 'result', lease, used, outcome: { ok: false, failure } });
  }
  assert.equal(deliveryIn(sent).state, 'dead');
  assert.equal(deliveryIn(sent).failure?.code, 'donors_crashed');
  const [record] = [...pile.disk.instances.values()];
  assert.equal(record?.crashes, pile.settings.crashesMax, 'the crash that ended it is on disk too');
});

test('a delivery is said again at each hello of its slot until it is acknowledged', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.disconnect('asker.ask-1');
  pile.say('donor.lend', completed(lease));
  pile.ask('asker');
  const owed = bodiesOf(pile.sent, 'delivery');
  assert.equal(owed.length, 1);
  pile.say('asker.ask-1', { kind: 'deliveryAck', taskId: owed[0]?.taskId as TaskId });
  pile.ask('asker');
  assert.equal(bodiesOf(pile.sent, 'delivery').length, 1);
  assert.equal(pile.state.tasks.size, 0);
});

test('after a restart waiting tasks wait, held leases are kept for their donors, ended ones are still owed', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.say('asker.ask-1', request('r2', 'nothing'));
  pile.restart();
  pile.plug('donor');
  const back = pile.lend('donor', {}, [lease]);
  assert.deepEqual(bodiesOf(back, 'welcome')[0]?.keep, [lease]);
  pile.say('donor.lend', completed(lease));
  pile.ask('asker');
  assert.equal(bodiesOf(pile.sent, 'delivery').length, 1);
  assert.equal(pile.disk.bookings.size, 1);
});

test('a step whose commit failed did not happen, and the same request later does', () => {
  const pile = pileWith('donor');
  pile.failedStep(pile.message('asker.ask-1', request('r1', 'sum')));
  assert.equal(pile.state.tasks.size, 0);
  assert.equal(pile.disk.tasks.size, 0);
  const sent = pile.say('asker.ask-1', request('r1', 'sum'));
  assert.equal(bodiesOf(sent, 'accepted').length, 1);
  assert.equal(bodiesOf(sent, 'offer').length, 1, 'donors that were there are there still');
});

test('a donor whose unplugging came with a commit that failed has the grace of an unplugging, and no longer one', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.failedStep({
    kind: 'firmware',
    event: { kind: 'unplugged', connectorId: connectorOf('donor'), at: { receivedWallMs: 0 } },
    source: { name: 'test', staleAfterMs: 0 },
  });
  const [revoked] = bodiesOf(pile.step({ kind: 'tick' }), 'revoke');
  assert.deepEqual([revoked?.lease, revoked?.reason], [lease, 'unplugged']);
  pile.pass(pile.settings.revokeGraceMs);
  assert.equal(bodiesOf(pile.say('donor.lend', completed(lease)), 'resultAck')[0]?.accepted, false);
});

test('nothing but a hello is heard before the welcome', () => {
  const pile = pileWith('donor');
  pile.connect('asker.ask-2');
  const sent = pile.say('asker.ask-2', request('r1', 'sum'));
  assert.equal(bodiesOf(sent, 'refused')[0]?.reasons[0]?.code, 'not_welcomed');
});

test('a donor that reports more than its hardware is believed no further than that', () => {
  const pile = pileWith();
  pile.plug('boaster');
  pile.lend('boaster', { cpu: 2000 });
  pile.say('boaster.lend', capacityReport({ cpu: 64_000 }));
  assert.equal(pile.state.donors.get('boaster' as VehicleId)?.lendable.cpuMillicores, 2000);
});

test('a claim of more than the lease could hold is booked no higher than that', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.pass(100);
  pile.say('donor.lend', completed(lease, 1_000_000));
  const [booking] = [...pile.disk.bookings.values()];
  assert.equal(booking?.entries[0]?.amount, -100);
});

test('an end whose commit reached the disk and was reported as failed is told to whoever is there', () => {
  const pile = pileWith('donor');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  pile.pass(1000);
  // Written, and then taken for failed: what the step would have said is dropped with it.
  pile.commit(step(pile.state, [pile.message('donor.lend', completed(lease))], pile.now()));
  pile.failedStep();
  assert.equal(deliveryIn(pile.step({ kind: 'tick' })).state, 'completed');
});
