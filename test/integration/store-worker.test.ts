/** The store in its thread and among processes: one holder, nothing promised is lost to SIGKILL, a dead thread is replaced. */
import Database from 'better-sqlite3';
import type { TaskId, VehicleId } from '@plugpool/proto';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import { readGeneration } from '../../agent/adapters/store-sqlite/generation-file.ts';
import { startStoreWorker, WorkerCaller } from '../../agent/adapters/store-sqlite/worker-caller.ts';
import type { Store } from '../../agent/ports.ts';
import type { StoreChange } from '../../agent/core/records.ts';
import { StoreError } from '../../agent/store-error.ts';
import { lifeOf } from '../store-records.ts';

const HOLDER = join(import.meta.dirname, 'store-holder.ts');

function makeDataDir(context: TestContext): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-store-'));
  context.after(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** Closed after the test, however that ends: a thread that is left would keep the process. */
function makeStore(
  context: TestContext,
  dataDir: string,
  options: { readonly inProcess?: boolean } = {},
): Store {
  const store = createSqliteStore({ dataDir, ...options });
  context.after(() => store.close());
  return store;
}

interface Holder {
  readonly child: ChildProcess;
  /** The next line that it says. */
  nextLine(): Promise<string>;
  kill(): Promise<void>;
}

async function startHolder(context: TestContext, dataDir: string, ...work: string[]): Promise<Holder> {
  const child = spawn(process.execPath, [HOLDER, dataDir, ...work], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  context.after(kill);
  assert.ok(child.stdout);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => String((await lines.next()).value);
  assert.equal(await nextLine(), 'held');
  return { child, nextLine, kill };
}

function isStoreError(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code && error.hint.length > 0;
}

test('a second agent is refused while the first is alive and idle, and let in once that was killed', async (context) => {
  const dataDir = makeDataDir(context);
  const holder = await startHolder(context, dataDir);
  const store = makeStore(context, dataDir);
  await assert.rejects(store.open(), isStoreError('held'));
  await holder.kill();
  const held = readGeneration(join(dataDir, 'agent.generation'));
  assert.equal((await store.open()).generation, held + 1);
});

test('two stores of one process do not share a data directory either', async (context) => {
  const dataDir = makeDataDir(context);
  const first = makeStore(context, dataDir);
  const second = makeStore(context, dataDir, { inProcess: true });
  await first.open();
  await assert.rejects(second.open(), isStoreError('held'));
  await first.commit(lifeOf(1).flat());
  await first.close();
  assert.equal((await second.open()).closedTasks.length, 1);
});

test('what a killed agent promised is there at the next start', async (context) => {
  const dataDir = makeDataDir(context);
  const holder = await startHolder(context, dataDir, 'commit');
  let promised = 0;
  while (promised < 20) promised = Number(await holder.nextLine());
  await holder.kill();
  const store = makeStore(context, dataDir);
  const state = await store.open();
  assert.ok(state.closedTasks.length >= promised, `${state.closedTasks.length} of ${promised} are there`);
  const ledger = await store.ledger();
  assert.equal(ledger.bookings, state.closedTasks.length, 'each with its booking, as its commit was whole');
  assert.equal(ledger.balanced, true);
});

test('a thread that died fails its calls, and reload starts a new one with what is on disk', async (context) => {
  const dataDir = makeDataDir(context);
  const log = { info: () => undefined, warn: () => undefined };
  const workers: Worker[] = [];
  const caller = new WorkerCaller({ dataDir, log }, (directory) => {
    const worker = startStoreWorker(directory);
    workers.push(worker);
    return worker;
  });
  context.after(() => caller.stop());
  await caller.start();
  const { generation } = await caller.call('open');
  await caller.call('commit', lifeOf(1).flat());
  const dying = caller.call('commit', lifeOf(2).flat());
  await Promise.all([assert.rejects(dying, isStoreError('unavailable')), workers[0]?.terminate()]);
  assert.equal(caller.state, 'failed');
  await assert.rejects(caller.call('referencedBlobs'), isStoreError('unavailable'));
  await caller.start();
  const state = await caller.call('open');
  assert.equal(state.generation, generation + 1);
  assert.ok(state.closedTasks.some(({ taskId }) => taskId === 't1-1'));
  await caller.stop();
  assert.equal(caller.state, 'idle');
});

test('payloads that are views of a larger buffer arrive as their own bytes', async (context) => {
  const store = makeStore(context, makeDataDir(context));
  await store.open();
  const [insert] = lifeOf(1)[0];
  assert.equal(insert?.change, 'insertTask');
  const bytes = Buffer.alloc(64 * 1024, 7).subarray(100, 104);
  const task = { ...insert.task, input: { where: 'inline', bytes } } as const;
  await store.commit([{ change: 'insertTask', task }]);
  const history = await store.readTask(task.taskId);
  assert.deepEqual(history?.task.input, { where: 'inline', bytes: new Uint8Array([7, 7, 7, 7]) });
  assert.equal(bytes.byteLength, 4, "the caller's bytes are still its own");
});

test('a broken rule reaches the caller as no StoreError, and the thread goes on', async (context) => {
  const store = makeStore(context, makeDataDir(context));
  await store.open();
  await assert.rejects(store.commit(lifeOf(1)[2]), (error: Error) => {
    assert.equal(error.name, 'AssertionError');
    assert.match(error.message, /only what ended is delivered/);
    return !(error instanceof StoreError);
  });
  await store.commit(lifeOf(1).flat());
  assert.equal((await store.readTask('t1-1' as TaskId))?.delivered, true);
});

test('closing finishes the commit that is under way, and leaves one file with everything in it', async (context) => {
  const dataDir = makeDataDir(context);
  const store = makeStore(context, dataDir);
  await store.open();
  const committed = store.commit(lifeOf(1).flat());
  await Promise.all([committed, store.close()]);
  assert.equal(existsSync(join(dataDir, 'agent.db-wal')), false);
  await assert.rejects(store.commit(lifeOf(2).flat()), /not open/);
  const again = makeStore(context, dataDir);
  assert.equal((await again.open()).closedTasks.length, 1);
  await again.close();
});

test('a checkpoint empties the WAL, and says so where a reader is in its way', async (context) => {
  const dataDir = makeDataDir(context);
  const path = join(dataDir, 'agent.db');
  const store = makeStore(context, dataDir);
  await store.open();
  await store.commit(lifeOf(1).flat());
  assert.ok(statSync(`${path}-wal`).size > 0);
  assert.deepEqual(await store.checkpoint(), { busy: false, walBytes: 0 });
  assert.equal(statSync(`${path}-wal`).size, 0);

  const reader = new Database(path, { readonly: true });
  reader.exec('BEGIN');
  assert.equal(
    reader.prepare('SELECT count(*) FROM task').pluck().get(),
    1,
    'a person can look while it runs',
  );
  await store.commit(lifeOf(2).flat());
  const inTheWay = await store.checkpoint();
  assert.equal(inTheWay.busy, true);
  assert.ok(inTheWay.walBytes > 0);
  reader.close();
  assert.deepEqual(await store.checkpoint(), { busy: false, walBytes: 0 });
});

test('a start finds ten thousand closed tasks, oldest first, and the ledger adds up over its slices', async (context) => {
  const dataDir = makeDataDir(context);
  const store = makeStore(context, dataDir);
  await store.open();
  const count = 10_000;
  for (let from = 0; from < count; from += 500) {
    const changes: StoreChange[] = Array.from({ length: 500 }, (_, n) => lifeOf(from + n).flat()).flat();
    await store.commit(changes);
  }
  const extra: StoreChange[] = Array.from({ length: 15_000 }, (_, n) => lifeOf(count + n)[1])
    .flat()
    .filter((change) => change.change === 'book');
  await store.commit(extra);
  const { closedTasks } = await store.reload();
  assert.equal(closedTasks.length, count);
  assert.ok(
    closedTasks.every(({ endedWallMs }, n) => n === 0 || endedWallMs >= closedTasks[n - 1]!.endedWallMs),
  );
  const ledger = await store.ledger();
  assert.equal(ledger.bookings, 25_000, 'more than one slice');
  assert.equal(ledger.balanced, true);
  assert.equal(ledger.balances.find(({ account }) => account === 'operator')?.balance, 25_000);
  assert.equal((await store.closedTasksOf('vehicle-1' as VehicleId, 5)).length, 5);
  assert.equal((await store.recentTasks(100)).length, 100);
});
