/** Who is credited and charged for checkpoints, results, tasks that came to nothing, and replicas; and how much of a claim is believed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { InstanceId, LeaseId, RequestId, TaskId, UpBody, Used, VehicleId, Wants } from '@plugpool/proto';
import { bookAgreement } from '../../agent/core/ledger/bookings.ts';
import type { BookingRecord } from '../../agent/core/records.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { beginTurn } from '../../agent/core/turn.ts';
import { checkLaws } from '../simulation/laws.ts';
import {
  bodiesOf,
  digestOf,
  leaseIn,
  request,
  SimulatedPile,
  type Has,
  type SentBody,
  connectorOf,
} from '../simulation/simulated-pile.ts';

const KEPT = digestOf('kept');

function used(cpuMs: number, more: Partial<Used> = {}): Used {
  return { cpuMs, wallMs: cpuMs, memoryPeakMib: 10, gpuMs: 0, ...more };
}

/** A pile that keeps checkpoints, with a program of a hundred core-seconds, and whoever lends. */
function pileOf(donors: readonly string[], settings: Partial<Settings> = {}, has: Has = {}): SimulatedPile {
  const pile = new SimulatedPile({
    checkpoints: true,
    leaseMs: 3_600_000,
    capacityStaleMs: 3_600_000,
    ...settings,
  });
  pile.afterStep = (sent) => checkLaws(pile, sent);
  pile.addAlgorithm('long', [{}], { checkpoints: true, workCoreS: 100 });
  pile.addAlgorithm('gpu', [{ gpu: { shareMillis: 500, vramMib: 10 } }], { workCoreS: 100 });
  for (const donor of donors) {
    pile.plug(donor);
    pile.lend(donor, has);
  }
  pile.ask('asker');
  return pile;
}

function ask(pile: SimulatedPile, wants?: Wants, algorithm = 'long'): LeaseId {
  return leaseIn(
    pile.say('asker.ask-1', request('r1', algorithm, { deadlineMs: 3_600_000, ...(wants && { wants }) })),
  );
}

function checkpoint(pile: SimulatedPile, donor: string, lease: LeaseId, cpuMs: number): SentBody[] {
  const body: UpBody = {
    kind: 'checkpoint',
    lease,
    state: { digest: KEPT, sizeBytes: 10 },
    used: used(cpuMs),
  };
  return pile.say(`${donor}.lend`, body);
}

function result(pile: SimulatedPile, donor: string, lease: LeaseId, did: Used): SentBody[] {
  const outcome = { ok: true, output: { where: 'inline', bytes: Uint8Array.of(1) } } as const;
  return pile.say(`${donor}.lend`, { kind: 'result', lease, used: did, outcome });
}

function bookings(pile: SimulatedPile): BookingRecord[] {
  return [...pile.disk.bookings.values()];
}

/** `account unit`: amount; energy left out. */
function entriesOf({ entries }: BookingRecord): Record<string, number> {
  return Object.fromEntries(
    entries
      .filter(({ unit }) => unit !== 'mWh')
      .map(({ account, unit, amount }) => [`${account} ${unit}`, amount]),
  );
}

function balanceOf(pile: SimulatedPile, account: string, unit = 'cpuMncs'): number {
  return bookings(pile)
    .flatMap(({ entries }) => entries)
    .filter((entry) => entry.account === account && entry.unit === unit)
    .reduce((sum, { amount }) => sum + amount, 0);
}

test('a checkpoint credits its donor at once, and its payer is charged with the result, once for all', () => {
  const pile = pileOf(['donor']);
  const lease = ask(pile);
  pile.pass(10_000);
  checkpoint(pile, 'donor', lease, 10_000);
  assert.deepEqual(bookings(pile).map(entriesOf), [
    { 'unsettled cpuMncs': -10_000, 'vehicle:donor cpuMncs': 9_000, 'operator cpuMncs': 1_000 },
  ]);
  pile.pass(5_000);
  const [delivery] = bodiesOf(result(pile, 'donor', lease, used(15_000)), 'delivery');
  assert.deepEqual(
    bookings(pile).map(({ kind, segment }) => [kind, segment]),
    [
      ['checkpoint', 0],
      ['result', 1],
    ],
  );
  assert.deepEqual(bookings(pile).map(entriesOf)[1], {
    'vehicle:asker cpuMncs': -15_000,
    'unsettled cpuMncs': 10_000,
    'vehicle:donor cpuMncs': 4_500,
    'operator cpuMncs': 500,
  });
  assert.equal(delivery?.chargedMncs, 15_000);
});

test('a second donor that goes on from a checkpoint is credited for its own part alone', () => {
  const pile = pileOf(['first', 'second']);
  const lease = ask(pile);
  const [first, second] =
    pile.state.donors.get('first' as VehicleId)?.leased.size === 1
      ? ['first', 'second']
      : ['second', 'first'];
  pile.pass(10_000);
  checkpoint(pile, first, lease, 10_000);
  const moved = leaseIn(pile.say(`${first}.lend`, { kind: 'decline', lease, reason: 'heat' }));
  pile.pass(4_000);
  result(pile, second, moved, used(4_000));
  assert.equal(balanceOf(pile, `vehicle:${first}`), 9_000);
  assert.equal(balanceOf(pile, `vehicle:${second}`), 3_600);
  assert.equal(balanceOf(pile, 'vehicle:asker'), -14_000);
  assert.equal(balanceOf(pile, 'unsettled'), 0);
});

test('a donor that is lost is credited up to its last checkpoint, though it came too soon after another to be booked at once', () => {
  for (const restarts of [false, true]) {
    const pile = pileOf(['donor']);
    const lease = ask(pile);
    pile.pass(10_000);
    checkpoint(pile, 'donor', lease, 10_000);
    pile.pass(1_000);
    const [ack] = bodiesOf(checkpoint(pile, 'donor', lease, 11_000), 'checkpointAck');
    assert.equal(ack?.accepted, true);
    assert.equal(bookings(pile).length, 1);
    if (restarts) pile.restart();
    pile.pass(3_600_000);
    assert.equal(balanceOf(pile, 'vehicle:donor'), 9_900);
    // Its deadline has passed as well: what was kept of it is the operator's loss.
    assert.equal(balanceOf(pile, 'unsettled'), 0);
    assert.equal(balanceOf(pile, 'operator:failures'), -11_000);
  }
});

test('what was owed for checkpoints is still owed after a restart', () => {
  const pile = pileOf(['donor']);
  const lease = ask(pile);
  pile.pass(10_000);
  checkpoint(pile, 'donor', lease, 10_000);
  pile.restart();
  pile.plug('donor');
  pile.lend('donor', {}, [lease]);
  pile.ask('asker');
  pile.pass(5_000);
  result(pile, 'donor', lease, used(15_000));
  assert.equal(balanceOf(pile, 'vehicle:donor'), 13_500);
  assert.equal(balanceOf(pile, 'vehicle:asker'), -15_000);
});

test('who cancels pays for what was kept by then; what the pile gives up is the operator’s loss', () => {
  const ends = {
    cancelled: (pile: SimulatedPile) =>
      pile.say('asker.ask-1', {
        kind: 'cancel',
        which: { by: 'request', requestId: 'r1' as RequestId },
      }),
    expired: (pile: SimulatedPile) => pile.pass(3_600_000),
    failed: (pile: SimulatedPile, lease: LeaseId) =>
      pile.say('donor.lend', {
        kind: 'result',
        lease,
        used: used(20_000),
        outcome: { ok: false, failure: { code: 'exit_nonzero', detail: '', stderrTail: '' } },
      }),
  };
  for (const [how, end] of Object.entries(ends)) {
    const pile = pileOf(['donor']);
    const lease = ask(pile);
    pile.pass(10_000);
    checkpoint(pile, 'donor', lease, 10_000);
    end(pile, lease);
    const task = [...pile.disk.tasks.values()][0];
    const pays = how === 'cancelled';
    assert.equal(task?.end?.state, how);
    assert.equal(task.end.chargedMncs, pays ? 10_000 : 0, how);
    assert.equal(balanceOf(pile, 'vehicle:asker'), pays ? -10_000 : 0, how);
    assert.equal(balanceOf(pile, 'operator:failures'), pays ? 0 : -10_000, how);
    assert.equal(balanceOf(pile, 'vehicle:donor'), 9_000, 'the donor keeps what it earned');
    assert.equal(balanceOf(pile, 'unsettled'), 0, how);
  }
});

test('a checkpoint that says no more than the one before earns nothing, nor does one that says less', () => {
  const pile = pileOf(['donor']);
  const lease = ask(pile);
  pile.pass(10_000);
  for (const cpuMs of [10_000, 10_000, 3_000]) checkpoint(pile, 'donor', lease, cpuMs);
  assert.equal(bookings(pile).length, 1);
});

test('a budget bounds all attempts together, what checkpoints cost among them', () => {
  const pile = pileOf(['donor']);
  const lease = ask(pile, { budgetMncs: 100_000 });
  pile.pass(60_000);
  checkpoint(pile, 'donor', lease, 60_000);
  pile.restart();
  pile.plug('donor');
  pile.lend('donor', {}, [lease]);
  pile.pass(60_000);
  result(pile, 'donor', lease, used(120_000));
  assert.equal(balanceOf(pile, 'vehicle:asker'), -100_000);
});

test('a claim of more than the lease could hold is cut down to it, on the CPU, on the GPU and of energy', () => {
  const pile = pileOf(['donor'], { computingPowerMaxMw: 3_600 }, { gpu: 1000 });
  const lease = ask(pile, undefined, 'gpu');
  pile.pass(10_000);
  result(pile, 'donor', lease, used(1e9, { gpuMs: 1e9, energyMwh: 1e9 }));
  assert.equal(balanceOf(pile, 'vehicle:asker'), -10_000);
  assert.equal(balanceOf(pile, 'vehicle:asker', 'gpuMncs'), -5_000, 'half of the GPU was granted');
  assert.equal(balanceOf(pile, 'vehicle:donor', 'mWh'), 10, 'ten seconds of 3.6 W');
});

test('a GPU earns by what it computes against the reference GPU', () => {
  const pile = pileOf([], {
    referenceMachine: { ...new SimulatedPile().settings.referenceMachine, gpuGflops: 1_000 },
  });
  pile.plug('donor');
  const clientId = 'donor.lend';
  pile.lend('donor', { gpu: 1000 });
  const donor = pile.state.donors.get('donor' as VehicleId);
  assert.ok(donor?.hardware);
  // 512 shader units at 1377 MHz, two operations a cycle: 1410 thousand million a second.
  donor.hardware = {
    ...donor.hardware,
    gpus: donor.hardware.gpus.map((gpu) => ({ ...gpu, model: 'NVIDIA Jetson AGX Xavier' })),
  };
  const lease = ask(pile, undefined, 'gpu');
  pile.pass(10_000);
  assert.ok(clientId);
  result(pile, 'donor', lease, used(1_000, { gpuMs: 2_000 }));
  assert.equal(balanceOf(pile, 'vehicle:asker', 'gpuMncs'), -2_820);
});

test('replicas that agree are each credited the least of their claims, and the payer is charged for one', () => {
  const pile = pileOf(['donor']);
  ask(pile);
  const turn = beginTurn(pile.state, pile.now());
  const [task] = [...pile.state.tasks.values()];
  const part = task?.instances[0];
  assert.ok(task && part);
  const charged = bookAgreement(
    turn,
    part,
    (['a', 'b', 'c'] as const).map((vehicle, position) => ({
      instanceId: `${task.record.taskId}_${position}` as InstanceId,
      fencingToken: (1_000 + position) as LeaseId['fencingToken'],
      vehicleId: vehicle as VehicleId,
      connectorId: connectorOf(vehicle),
      claim: { cpuMncs: 1_000 + position * 100, gpuMncs: 90 - position, energyMwh: position },
    })),
  );
  pile.commit(turn.effects);
  assert.equal(charged, 1_000);
  assert.equal(balanceOf(pile, 'vehicle:asker'), -1_000);
  assert.equal(balanceOf(pile, 'operator:replication'), -2_000);
  for (const vehicle of ['a', 'b', 'c']) {
    assert.equal(balanceOf(pile, `vehicle:${vehicle}`), 900);
    assert.equal(balanceOf(pile, `vehicle:${vehicle}`, 'gpuMncs'), 80);
  }
  assert.equal(balanceOf(pile, 'vehicle:c', 'mWh'), 2, 'energy is each one’s own');
  assert.deepEqual(
    new Set(bookings(pile).map(({ taskId }) => taskId)),
    new Set<TaskId>([task.record.taskId]),
  );
});
