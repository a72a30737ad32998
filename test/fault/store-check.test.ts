/** What a start and the nightly check find: a start of a large store leaves the ledger's past to the night, and damage is not forgotten. */
import Database from 'better-sqlite3';
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readCheckRecord, writeCheckRecord } from '../../agent/adapters/store-sqlite/check-record.ts';
import { checkWhole } from '../../agent/adapters/store-sqlite/reading-jobs.ts';
import { startProblem } from '../../agent/adapters/store-sqlite/start-check.ts';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import type { StoreChange } from '../../agent/core/records.ts';
import { StoreError } from '../../agent/store-error.ts';
import { lifeOf } from '../store-records.ts';

const PAGE_BYTES = 4096;
const never = new AbortController().signal;

async function filledStore(context: TestContext, tasks = 2_000): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-check-'));
  context.after(() => rmSync(dataDir, { recursive: true }));
  const store = createSqliteStore({ dataDir, inProcess: true });
  await store.open();
  const changes: StoreChange[] = Array.from({ length: tasks }, (_, n) => lifeOf(n).flat()).flat();
  await store.commit(changes);
  await store.close();
  return join(dataDir, 'agent.db');
}

/** The pages of a table's tree, its root first. */
function pagesOf(path: string, table: string): number[] {
  const db = new Database(path, { readonly: true });
  const pages = db
    .prepare<[string], number>('SELECT pageno FROM dbstat WHERE name = ? ORDER BY path')
    .pluck()
    .all(table);
  db.close();
  return pages;
}

function damagePage(path: string, page: number | undefined): void {
  assert.ok(page !== undefined);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, (page - 1) * PAGE_BYTES);
  closeSync(file);
}

/** As a start sees it that takes this store for a large one. */
function problemAtStart(path: string): string | undefined {
  const db = new Database(path, { readonly: true });
  try {
    return startProblem(db, path, 0);
  } catch (error) {
    return (error as Error).message;
  } finally {
    db.close();
  }
}

test('a start of a large store finds damage wherever it reads or writes next, and leaves the past of the ledger to the night', async (context) => {
  const path = await filledStore(context);
  const whole = readFileSync(path);
  const restored = (): void => {
    const file = openSync(path, 'r+');
    writeSync(file, whole, 0, whole.length, 0);
    closeSync(file);
  };
  assert.equal(problemAtStart(path), undefined);
  for (const table of ['task', 'instance', 'attempt', 'task_bytes', 'stay', 'meta']) {
    damagePage(path, pagesOf(path, table).at(-1));
    assert.notEqual(problemAtStart(path), undefined, table);
    restored();
  }
  damagePage(path, pagesOf(path, 'booking').at(-1));
  assert.notEqual(problemAtStart(path), undefined, 'the newest bookings');
  restored();
  damagePage(path, pagesOf(path, 'booking')[2]);
  assert.equal(problemAtStart(path), undefined, 'bookings of long ago');
  assert.notDeepEqual(checkWhole(path), [], 'which the night finds');
});

test('a store in which damage was met is looked at whole by the next start, and set aside', async (context) => {
  const path = await filledStore(context);
  damagePage(path, pagesOf(path, 'booking')[2]);
  assert.equal(problemAtStart(path), undefined);
  writeCheckRecord(path, { state: 'suspect', wallMs: 1, findings: ['malformed'] });
  assert.notEqual(problemAtStart(path), undefined);
  const store = createSqliteStore({ dataDir: join(path, '..'), inProcess: true });
  await assert.rejects(
    store.open(),
    (error: unknown) => error instanceof StoreError && error.code === 'damaged',
  );
  assert.ok(existsSync(`${path}.damaged-1`));
  assert.equal(readCheckRecord(path), undefined, 'what was noted was of the file that is gone');
});

test('damage that a commit meets is noted for the next start', async (context) => {
  const path = await filledStore(context);
  const store = createSqliteStore({ dataDir: join(path, '..'), inProcess: true });
  context.after(() => store.close());
  await store.open();
  // Under the open store, where its checks do not look any more.
  for (const page of pagesOf(path, 'sqlite_autoindex_booking_1')) damagePage(path, page);
  const isDamaged = (error: unknown): boolean => error instanceof StoreError && error.code === 'damaged';
  await assert.rejects(
    (async () => {
      for (let n = 0; n < 2_000; n += 1) await store.commit(lifeOf(n + 5_000).flat());
    })(),
    isDamaged,
  );
  assert.equal(readCheckRecord(path)?.state, 'suspect');
  assert.equal((await store.lastCheck())?.state, 'suspect');
});

test('the whole check runs beside commits, finds what a start does not look for, and says so until it is mended', async (context) => {
  const path = await filledStore(context, 300);
  const db = new Database(path);
  db.unsafeMode();
  db.pragma('writable_schema = ON');
  // An index that misses rows: each page is as it should be.
  db.exec(
    "UPDATE sqlite_schema SET sql = replace(sql, 'delivered = 0', 'delivered = 1') WHERE name = 'task_open'",
  );
  db.close();
  const store = createSqliteStore({ dataDir: join(path, '..') });
  context.after(() => store.close());
  await store.open();
  const [, , checked] = await Promise.all([
    store.commit(lifeOf(1_000).flat()),
    store.commit(lifeOf(1_001).flat()),
    store.checkWhole(never),
  ]);
  assert.equal(checked, undefined);
  const failed = await store.lastCheck();
  assert.equal(failed?.state, 'failed');
  assert.match(failed.findings.join(), /index task_open/);
  await store.close();

  const mended = new Database(path);
  mended.exec('REINDEX');
  mended.close();
  const again = createSqliteStore({ dataDir: join(path, '..') });
  context.after(() => again.close());
  await again.open();
  await again.checkWhole(never);
  assert.equal((await again.lastCheck())?.state, 'ok');
});

test('a row that names one that is not there is found by night', async (context) => {
  const path = await filledStore(context, 10);
  assert.deepEqual(checkWhole(path), []);
  const db = new Database(path);
  db.pragma('foreign_keys = OFF');
  db.exec("DELETE FROM task WHERE task_id = 't1-3'");
  db.close();
  assert.match(checkWhole(path)[0] ?? '', /instance|attempt|task_bytes/);
});
