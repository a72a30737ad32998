/** Files that a start must not trust: damaged, newer, somebody else's; none of them is written over. */
import Database from 'better-sqlite3';
import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openDatabase } from '../../agent/adapters/store-sqlite/database.ts';
import { SCHEMA_VERSION } from '../../agent/adapters/store-sqlite/migrations.ts';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import type { StoredState } from '../../agent/core/records.ts';
import type { Store } from '../../agent/ports.ts';
import { StoreError } from '../../agent/store-error.ts';
import { lifeOf } from '../store-records.ts';

interface Place {
  readonly dataDir: string;
  readonly path: string;
  open(): Promise<{ readonly store: Store; readonly state: StoredState }>;
}

function makePlace(context: TestContext): Place {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-store-'));
  const opened: Store[] = [];
  context.after(async () => {
    await Promise.all(opened.map((store) => store.close()));
    rmSync(dataDir, { recursive: true });
  });
  return {
    dataDir,
    path: join(dataDir, 'agent.db'),
    open: async () => {
      const store = createSqliteStore({ dataDir, inProcess: true });
      opened.push(store);
      return { store, state: await store.open() };
    },
  };
}

async function fill(place: Place, tasks: number): Promise<void> {
  const { store } = await place.open();
  await store.commit(Array.from({ length: tasks }, (_, n) => lifeOf(n).flat()).flat());
  await store.close();
}

/** Garbage where a page of a table lies; the header stays whole. */
function damage(path: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(8 * 4096, 0xa5), 0, 8 * 4096, Math.floor(statSync(path).size / 8192) * 4096);
  closeSync(file);
}

/** Without a difference: one of two files of this size takes gigabytes to draw. */
function assertSameFile(path: string, bytes: Buffer | undefined): void {
  assert.ok(bytes !== undefined && readFileSync(path).equals(bytes), `${path} was changed`);
}

async function refusedOpen(place: Place): Promise<StoreError> {
  const error: unknown = await place.open().then(
    () => undefined,
    (refused: unknown) => refused,
  );
  assert.ok(error instanceof StoreError, 'the start was not refused with a StoreError');
  return error;
}

test('a damaged file is set aside whole, byte for byte, and the start is refused with a way to go on', async (context) => {
  const place = makePlace(context);
  await fill(place, 300);
  damage(place.path);
  const bytes = readFileSync(place.path);
  const error = await refusedOpen(place);
  assert.equal(error.code, 'damaged');
  assert.equal(error.retryable, false);
  assert.match(error.hint, /agent\.db\.damaged-1/);
  assertSameFile(`${place.path}.damaged-1`, bytes);
  assert.equal(existsSync(place.path), false);
});

test('the WAL of a damaged file goes with it, unfolded', async (context) => {
  const place = makePlace(context);
  await fill(place, 300);
  const { store } = await place.open();
  await store.commit(lifeOf(1_000).flat());
  // As a power cut leaves it: file and WAL apart.
  const copies = ['', '-wal'].map((suffix) => [suffix, readFileSync(place.path + suffix)] as const);
  await store.close();
  for (const [suffix, bytes] of copies) writeFileSync(place.path + suffix, bytes);
  damage(place.path);
  const damaged = readFileSync(place.path);
  assert.equal((await refusedOpen(place)).code, 'damaged');
  assertSameFile(`${place.path}.damaged-1`, damaged);
  assertSameFile(`${place.path}.damaged-1-wal`, copies[1]?.[1]);
});

test('after damage every start is refused until a person decides, so that no supervisor begins anew unseen', async (context) => {
  const place = makePlace(context);
  await fill(place, 300);
  const backup = join(place.dataDir, 'backup.db');
  copyFileSync(place.path, backup);
  damage(place.path);
  await refusedOpen(place);
  assert.equal((await refusedOpen(place)).code, 'damaged');
  assert.equal(existsSync(place.path), false, 'nothing was made in its place');

  writeFileSync(place.path, '');
  assert.equal((await refusedOpen(place)).code, 'damaged', 'an empty file replaces nothing');

  renameSync(backup, place.path);
  const { state, store } = await place.open();
  assert.equal(state.closedTasks.length, 300);
  await store.close();

  damage(place.path);
  assert.match((await refusedOpen(place)).hint, /damaged-2/);
  for (const n of [1, 2]) rmSync(`${place.path}.damaged-${n}`);
  const empty = (await place.open()).state;
  assert.deepEqual(empty.closedTasks, [], 'moved away: a person wants an empty store');
  assert.ok(empty.generation > state.generation, 'no fencing token of the lost store is given again');
});

test('a file that is no database at all is set aside too', async (context) => {
  const place = makePlace(context);
  writeFileSync(place.path, 'this is not a database, and it is longer than a header would be.'.repeat(20));
  assert.equal((await refusedOpen(place)).code, 'damaged');
  assert.ok(existsSync(`${place.path}.damaged-1`));
});

test('a file of a newer version is refused, and not a byte of it changes', async (context) => {
  const place = makePlace(context);
  await fill(place, 3);
  const db = new Database(place.path);
  db.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
  db.close();
  const bytes = readFileSync(place.path);
  const error = await refusedOpen(place);
  assert.equal(error.code, 'newer');
  assertSameFile(place.path, bytes);
  assert.match(error.hint, /later/);
});

test('a database of another program is refused and left alone', async (context) => {
  const place = makePlace(context);
  const db = new Database(place.path);
  db.exec('CREATE TABLE somebody_elses (x)');
  db.close();
  const bytes = readFileSync(place.path);
  const error = await refusedOpen(place);
  assert.equal(error.code, 'unavailable');
  assert.match(error.message, /another program/);
  assertSameFile(place.path, bytes);
});

test('a start that was refused lets the next one in', async (context) => {
  const place = makePlace(context);
  await fill(place, 3);
  const db = new Database(place.path);
  db.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
  db.close();
  await refusedOpen(place);
  const back = new Database(place.path);
  back.pragma(`user_version = ${SCHEMA_VERSION}`);
  back.close();
  assert.equal((await place.open()).state.closedTasks.length, 3);
});

test('a commit is synced: synchronous is FULL, after WAL was set and after the file was opened again', (context) => {
  const place = makePlace(context);
  for (const opening of ['new', 'again']) {
    const { db } = openDatabase(place.path);
    assert.equal(db.pragma('journal_mode', { simple: true }), 'wal', opening);
    assert.equal(db.pragma('synchronous', { simple: true }), 2, opening);
    assert.equal(db.pragma('foreign_keys', { simple: true }), 1, opening);
    db.close();
  }
});

test('the generation grows past a lost or torn file of its own, and past a store that was put back', async (context) => {
  const place = makePlace(context);
  const file = join(place.dataDir, 'agent.generation');
  const generationOfStart = async (): Promise<number> => {
    const { store, state } = await place.open();
    await store.close();
    return state.generation;
  };
  const first = await generationOfStart();
  const backup = join(place.dataDir, 'backup.db');
  copyFileSync(place.path, backup);
  assert.equal(await generationOfStart(), first + 1);
  copyFileSync(backup, place.path);
  assert.equal(await generationOfStart(), first + 2);
  // The fourth is written over the second: a power cut in the middle of it leaves the third.
  const [second, fourth] = [`generation ${first + 1} ${first + 1}`, `generation ${first + 3}\0`];
  writeFileSync(file, readFileSync(file, 'latin1').replace(second, fourth), 'latin1');
  assert.equal(await generationOfStart(), first + 3);
  rmSync(file);
  assert.ok((await generationOfStart()) > first + 3 + 65_000, 'far above the copy in the store');
});

test('only its user may read the store', async (context) => {
  const place = makePlace(context);
  const { store } = await place.open();
  await store.commit(lifeOf(1)[0]);
  for (const suffix of ['', '-wal', '-shm'])
    assert.equal(statSync(place.path + suffix).mode & 0o077, 0, suffix);
});
