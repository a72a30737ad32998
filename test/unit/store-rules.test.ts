/** What a commit may and may not do: all or nothing, one end a task, one booking a fencing token, balanced bookings. */
import type {
  AlgorithmId,
  Digest,
  FencingToken,
  InstanceId,
  RequestId,
  TaskId,
  VehicleId,
} from '@plugpool/proto';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import { CPU } from '../../agent/core/ledger/units.ts';
import type { Account, AlgorithmRecord, BookingRecord, StoreChange } from '../../agent/core/records.ts';
import type { Store } from '../../agent/ports.ts';
import { StoreError } from '../../agent/store-error.ts';
import { lifeOf, withoutLease } from '../store-records.ts';

async function openStore(context: TestContext): Promise<Store> {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-store-'));
  const store = createSqliteStore({ dataDir, inProcess: true });
  await store.open();
  context.after(async () => {
    await store.close();
    rmSync(dataDir, { recursive: true });
  });
  return store;
}

const taskIdOf = (n: number): TaskId => `t1-${n.toString(36)}` as TaskId;

function bookingOf(n: number): BookingRecord {
  const change = lifeOf(n)[1].find((candidate) => candidate.change === 'book');
  assert.ok(change);
  return change.booking;
}

/** A broken promise of our own code: not a `StoreError`, which the daemon would answer with `storage_unavailable`. */
async function assertBrokenPromise(promise: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error: Error) => {
    assert.ok(!(error instanceof StoreError), `${error.message} is a StoreError`);
    assert.match(error.message, message);
    return true;
  });
}

test('a fencing token is booked once; the second booking fails its whole commit', async (context) => {
  const store = await openStore(context);
  const [accept, end] = lifeOf(1);
  await store.commit([...accept, ...end]);
  const again: StoreChange = { change: 'book', booking: bookingOf(1) };
  await assertBrokenPromise(store.commit([...lifeOf(2)[0], again]), /UNIQUE/);
  assert.equal(
    await store.readTask(taskIdOf(2)),
    undefined,
    'what stood before it in the commit is not there',
  );
  assert.equal((await store.ledger()).bookings, 1);
});

test('a booking whose entries do not add up to 0 is refused', async (context) => {
  const store = await openStore(context);
  await store.commit(lifeOf(1)[0]);
  const booking = {
    ...bookingOf(1),
    entries: [
      { account: 'vehicle:a' as Account, unit: CPU, amount: 10 },
      { account: 'operator' as Account, unit: CPU, amount: -9 },
    ],
  };
  await assertBrokenPromise(store.commit([{ change: 'book', booking }]), /differ by 1/);
  assert.deepEqual(await store.ledger(), { bookings: 0, balanced: true, balances: [] });
});

test('an amount that is no integer is refused even where the sum is 0', async (context) => {
  const store = await openStore(context);
  const entries = [0.5, -0.5].map((amount) => ({ account: 'operator' as Account, unit: CPU, amount }));
  const booking = { ...bookingOf(1), entries };
  await assertBrokenPromise(store.commit([{ change: 'book', booking }]), /not an integer/);
});

test('a change that breaks a rule in the middle leaves nothing of its commit, and the next commit works', async (context) => {
  const store = await openStore(context);
  const orphan: StoreChange = {
    change: 'putInstance',
    instance: {
      instanceId: 'x.0' as InstanceId,
      taskId: 'x' as TaskId,
      index: 0,
      attempts: 0,
      departures: 0,
      crashes: 0,
    },
  };
  const [accept, end, delivered] = lifeOf(1);
  await assertBrokenPromise(store.commit([...accept, orphan, ...end]), /FOREIGN KEY/);
  assert.equal(await store.readTask(taskIdOf(1)), undefined);
  await store.commit([...accept, ...end, ...delivered]);
  assert.equal((await store.readTask(taskIdOf(1)))?.delivered, true);
});

test('a task ends once', async (context) => {
  const store = await openStore(context);
  const [accept, end] = lifeOf(1);
  await store.commit([...accept, ...end]);
  const endAgain: StoreChange = {
    change: 'endTask',
    taskId: taskIdOf(1),
    end: { state: 'failed', endedWallMs: 5, attempts: 1, chargedMncs: 0 },
  };
  await assertBrokenPromise(store.commit([endAgain]), /ends once/);
  assert.equal((await store.readTask(taskIdOf(1)))?.end?.state, 'completed');
});

test('the parts of a task that has ended hold no lease, although none of them was written again', async (context) => {
  const store = await openStore(context);
  const [accept, end] = lifeOf(1);
  await store.commit(accept);
  const leased = (await store.readTask(taskIdOf(1)))?.instances ?? [];
  assert.equal(leased[0]?.lease?.vehicleId, 'donor-1');
  await store.commit(end);
  const ended = leased.map(withoutLease);
  assert.deepEqual((await store.readTask(taskIdOf(1)))?.instances, ended);
  assert.deepEqual((await store.reload()).openTasks[0]?.instances, ended);
});

test('a task that has not ended is neither delivered nor forgotten', async (context) => {
  const store = await openStore(context);
  const [accept] = lifeOf(1);
  await store.commit(accept);
  await assertBrokenPromise(store.commit(lifeOf(1)[2]), /only what ended/);
  await assertBrokenPromise(
    store.commit([{ change: 'forgetTasks', taskIds: [taskIdOf(1)] }]),
    /has not ended/,
  );
});

test('the end of a task that no requester came back for can be forgotten', async (context) => {
  const store = await openStore(context);
  const [accept, end] = lifeOf(1);
  await store.commit([...accept, ...end]);
  await store.commit([{ change: 'forgetTasks', taskIds: [taskIdOf(1)] }]);
  assert.equal(await store.readTask(taskIdOf(1)), undefined);
});

test('the same request id of a vehicle is stored once', async (context) => {
  const store = await openStore(context);
  const [first] = lifeOf(1)[0];
  assert.equal(first?.change, 'insertTask');
  await store.commit([first]);
  const again: StoreChange = { change: 'insertTask', task: { ...first.task, taskId: 'other' as TaskId } };
  await assertBrokenPromise(store.commit([again]), /UNIQUE/);
  const otherVehicle = { ...first.task, taskId: 'other' as TaskId, vehicleId: 'somebody-else' as VehicleId };
  await store.commit([{ change: 'insertTask', task: otherVehicle }]);
});

test('an attempt is found under its own lease alone, until its task is forgotten', async (context) => {
  const store = await openStore(context);
  const changes = lifeOf(1).flat();
  await store.commit(changes);
  await store.commit(lifeOf(2).flat());
  const attempt = changes.flatMap((each) => (each.change === 'insertAttempt' ? [each.attempt] : []))[0];
  assert.ok(attempt);
  const { taskId, instanceId, fencingToken } = attempt;
  assert.deepEqual(await store.readAttempt(taskId, { instanceId, fencingToken }), attempt);
  const later = (fencingToken + 1) as typeof fencingToken;
  assert.equal(await store.readAttempt(taskId, { instanceId, fencingToken: later }), undefined);
  assert.equal(await store.readAttempt(taskIdOf(2), { instanceId, fencingToken }), undefined);
  await store.commit([{ change: 'forgetTasks', taskIds: [taskId] }]);
  assert.equal(await store.readAttempt(taskId, { instanceId, fencingToken }), undefined);
});

test('forgetting takes a task with its instances and attempts, and leaves its booking', async (context) => {
  const store = await openStore(context);
  await store.commit(lifeOf(1).flat());
  await store.commit(lifeOf(2).flat());
  await store.commit([{ change: 'forgetTasks', taskIds: [taskIdOf(1), 'never-was' as TaskId] }]);
  assert.equal(await store.readTask(taskIdOf(1)), undefined);
  const left = await store.readTask(taskIdOf(2));
  assert.deepEqual([left?.instances.length, left?.attempts.length, left?.bookings.length], [1, 1, 1]);
  const ledger = await store.ledger();
  assert.equal(ledger.bookings, 2);
  assert.equal(ledger.balanced, true);
  assert.deepEqual(
    ledger.balances.map(({ account, balance }) => [account, balance]),
    [
      ['operator', 2],
      ['vehicle:donor-1', 18],
      ['vehicle:vehicle-1', -10],
      ['vehicle:vehicle-2', -10],
    ],
  );
});

test('a booking of a forgotten task still keeps its fencing token from a second booking', async (context) => {
  const store = await openStore(context);
  await store.commit(lifeOf(1).flat());
  await store.commit([{ change: 'forgetTasks', taskIds: [taskIdOf(1)] }]);
  await assertBrokenPromise(store.commit([{ change: 'book', booking: bookingOf(1) }]), /UNIQUE/);
});

test('sums of the ledger stay exact at the edge of what a number holds', async (context) => {
  const store = await openStore(context);
  const entries = [
    { account: 'vehicle:a' as Account, unit: CPU, amount: Number.MAX_SAFE_INTEGER },
    { account: 'vehicle:b' as Account, unit: CPU, amount: -Number.MAX_SAFE_INTEGER },
  ];
  await store.commit([{ change: 'book', booking: { ...bookingOf(1), entries } }]);
  const back = entries.map((entry) => ({ ...entry, amount: -entry.amount }));
  const fencingToken = Number.MAX_SAFE_INTEGER as FencingToken;
  await store.commit([{ change: 'book', booking: { ...bookingOf(1), fencingToken, entries: back } }]);
  const { balances, balanced } = await store.ledger();
  assert.equal(balanced, true);
  assert.deepEqual(
    balances.map(({ credited, balance }) => [credited, balance]),
    [
      [Number.MAX_SAFE_INTEGER, 0],
      [Number.MAX_SAFE_INTEGER, 0],
    ],
  );
});

test('recent tasks come newest first, closed tasks of a vehicle too, and both keep to their limit', async (context) => {
  const store = await openStore(context);
  for (const n of [1, 51, 101, 2]) await store.commit(lifeOf(n).flat());
  await store.commit(lifeOf(151)[0]);
  const recent = await store.recentTasks(3);
  assert.deepEqual(
    recent.map(({ task }) => task.taskId),
    [151, 2, 101].map(taskIdOf),
  );
  const closed = await store.closedTasksOf('vehicle-1' as VehicleId, 2);
  assert.deepEqual(
    closed.map(({ taskId }) => taskId),
    [101, 51].map(taskIdOf),
    'the open one is not closed',
  );
});

test('blobs of tasks and algorithms are referenced until they are forgotten or removed', async (context) => {
  const store = await openStore(context);
  const [input, output, image] = ['1', '2', '3'].map((digit) => digit.repeat(64) as Digest);
  assert.ok(input && output && image);
  const [first] = lifeOf(1)[0];
  assert.equal(first?.change, 'insertTask');
  const algorithm: AlgorithmRecord = {
    id: 'route-plan' as AlgorithmId,
    version: '1.0.0',
    type: 'route-plan',
    runtime: 'wasm',
    image: { digest: image, sizeBytes: 9 },
    demands: [{ cpuMillicores: 1000, memoryMib: 64, threads: 1 }],
    workCoreS: 0.25,
    state: 'active',
    addedWallMs: 1,
  };
  const task = {
    ...first.task,
    requestId: 'with-blobs' as RequestId,
    input: { where: 'blob', blob: { digest: input, sizeBytes: 100_000 } },
  } as const;
  await store.commit([
    { change: 'putAlgorithm', algorithm },
    { change: 'insertTask', task },
  ]);
  assert.deepEqual(await store.owedBlobs(), new Set([input, image]));
  await store.commit([
    {
      change: 'endTask',
      taskId: task.taskId,
      end: {
        state: 'completed',
        endedWallMs: 3,
        attempts: 1,
        chargedMncs: 0,
        output: { where: 'blob', blob: { digest: output, sizeBytes: 70_000 } },
      },
    },
  ]);
  assert.deepEqual(await store.owedBlobs(), new Set([output, image]), 'it is not run again');
  await store.commit([{ change: 'taskDelivered', taskId: task.taskId }]);
  assert.deepEqual(await store.owedBlobs(), new Set([image]), 'it was acknowledged');
  assert.deepEqual(await store.referencedBlobs(), new Set([input, output, image]));
  await store.commit([{ change: 'forgetTasks', taskIds: [task.taskId] }]);
  assert.deepEqual(await store.referencedBlobs(), new Set([image]));
  await store.commit([{ change: 'removeAlgorithm', id: algorithm.id, version: algorithm.version }]);
  assert.deepEqual(await store.referencedBlobs(), new Set());
});

test('a vehicle is bound to its first token until that is unbound', async (context) => {
  const store = await openStore(context);
  const vehicleId = 'vehicle-1' as VehicleId;
  assert.equal(await store.tokenHash(vehicleId), undefined);
  assert.equal(await store.bindToken(vehicleId, 'first'), true);
  assert.equal(await store.bindToken(vehicleId, 'second'), false);
  assert.equal(await store.tokenHash(vehicleId), 'first');
  assert.equal(await store.unbindToken(vehicleId), true);
  assert.equal(await store.unbindToken(vehicleId), false);
  assert.equal(await store.bindToken(vehicleId, 'second'), true);
});

test('a commit of nothing is done without the disk', async (context) => {
  const store = await openStore(context);
  await store.commit([]);
  assert.deepEqual(await store.recentTasks(10), []);
});
