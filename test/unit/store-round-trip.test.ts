/** Whatever a valid run of commits wrote is what a start finds: random runs against a model in memory. */
import type { Payload, TaskId } from '@plugpool/proto';
import fc from 'fast-check';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import type { Store } from '../../agent/ports.ts';
import type { StoreChange } from '../../agent/core/records.ts';
import { timeless } from '../store-records.ts';
import { runOfCommits } from '../random-commits.ts';
import { MemoryModel } from '../store-model.ts';
import { lifeOf } from '../store-records.ts';

async function withStore(run: (reopen: () => Promise<Store>) => Promise<void>): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-store-'));
  let store: Store | undefined;
  try {
    await run(async () => {
      await store?.close();
      store = createSqliteStore({ dataDir, inProcess: true });
      return store;
    });
  } finally {
    await store?.close();
    rmSync(dataDir, { recursive: true });
  }
}

async function assertEqualToModel(store: Store, model: MemoryModel): Promise<void> {
  for (const taskId of model.taskIds()) {
    const history = model.history(taskId);
    assert.deepEqual(await store.readTask(taskId), history, taskId);
    for (const attempt of history.attempts)
      assert.deepEqual(await store.readAttempt(taskId, attempt), attempt, 'by its lease');
  }
  assert.deepEqual(await store.recentTasks(1_000), model.recent());
  assert.deepEqual(await store.ledger(), model.ledger());
  assert.deepEqual(await store.referencedBlobs(), model.referencedBlobs());
}

test('what was committed is what the next start finds, whatever it was', async () => {
  await fc.assert(
    fc.asyncProperty(runOfCommits, async (commits: readonly (readonly StoreChange[])[]) => {
      await withStore(async (reopen) => {
        const model = new MemoryModel();
        let store = await reopen();
        const fresh = await store.open();
        const { generation } = fresh;
        assert.deepEqual(fresh, { generation, ...model.state() });
        for (const changes of commits) {
          await store.commit(changes);
          model.apply(changes);
        }
        await assertEqualToModel(store, model);
        store = await reopen();
        assert.deepEqual(timeless(await store.open()), { generation: generation + 1, ...model.state() });
        await assertEqualToModel(store, model);
        assert.deepEqual(timeless(await store.reload()), { generation: generation + 1, ...model.state() });
        assert.equal(await store.readTask('never-was' as TaskId), undefined);
      });
    }),
    { numRuns: 25 },
  );
});

test('bytes come back whole, however few or many, and though they lay in a larger buffer', async () => {
  await withStore(async (reopen) => {
    const store = await reopen();
    await store.open();
    const sizes = [0, 1, 255, 256, 257, 65_536];
    const received = new Uint8Array(200_000).map((_, at) => at % 251);
    for (const [n, size] of sizes.entries()) {
      const payload = { where: 'inline', bytes: received.subarray(7, 7 + size) } as const;
      await store.commit(
        lifeOf(n).flatMap((changes) => changes.map((change) => withPayload(change, payload))),
      );
    }
    received.fill(0);
    for (const [n, size] of sizes.entries()) {
      const expected = new Uint8Array(size).map((_, at) => (at + 7) % 251);
      const history = await store.readTask(`t1-${n.toString(36)}` as TaskId);
      assert.deepEqual(history?.task.input, { where: 'inline', bytes: expected }, `input of ${size} bytes`);
      assert.deepEqual(history.end?.output, { where: 'inline', bytes: expected }, `output of ${size} bytes`);
    }
  });
});

function withPayload(change: StoreChange, payload: Payload): StoreChange {
  if (change.change === 'insertTask') return { ...change, task: { ...change.task, input: payload } };
  if (change.change === 'endTask') return { ...change, end: { ...change.end, output: payload } };
  return change;
}
