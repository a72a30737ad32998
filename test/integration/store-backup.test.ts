/** A backup is made while commits go on, is there whole or not at all, and is put back so that no old number counts again. */
import Database from 'better-sqlite3';
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SCHEMA_VERSION } from '../../agent/adapters/store-sqlite/migrations.ts';
import { restoreStore } from '../../agent/adapters/store-sqlite/restore.ts';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import { BackupError } from '../../agent/backup-error.ts';
import type { CopyProgress, Store } from '../../agent/ports.ts';
import { StoreError } from '../../agent/store-error.ts';
import { lifeOf, timeless } from '../store-records.ts';

interface Place {
  readonly dataDir: string;
  readonly path: string;
  /** In another directory. */
  readonly backup: string;
  open(): Promise<Store>;
}

function makePlace(context: TestContext): Place {
  const directory = mkdtempSync(join(tmpdir(), 'plugpool-backup-'));
  const dataDir = join(directory, 'data');
  mkdirSync(join(directory, 'mnt'));
  const opened: Store[] = [];
  context.after(async () => {
    await Promise.all(opened.map((store) => store.close()));
    rmSync(directory, { recursive: true });
  });
  return {
    dataDir,
    path: join(dataDir, 'agent.db'),
    backup: join(directory, 'mnt', 'monday.db'),
    open: async () => {
      const store = createSqliteStore({ dataDir });
      opened.push(store);
      await store.open();
      return store;
    },
  };
}

const never = new AbortController().signal;
const silent = (): void => undefined;

async function filled(place: Place, tasks: number): Promise<Store> {
  const store = await place.open();
  await store.commit(Array.from({ length: tasks }, (_, n) => lifeOf(n).flat()).flat());
  return store;
}

function isBackupError(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BackupError && error.code === code && error.hint.length > 0;
}

test('commits go on while a backup is made, and it holds one moment of them', async (context) => {
  const place = makePlace(context);
  const store = await filled(place, 3_000);
  const progress: CopyProgress[] = [];
  let made = false;
  const backup = store
    .backUp(place.backup, never, (step) => progress.push(step))
    .finally(() => (made = true));
  let tasks = 3_000;
  while (!made) {
    await store.commit(lifeOf(tasks).flat());
    tasks += 1;
  }
  const { file, sizeBytes } = await backup;
  assert.ok(tasks > 3_001, 'commits went on');
  assert.ok(progress.length > 3 && progress.at(-1)!.pagesTotal > 100);
  const done = progress.map(({ pagesDone }) => pagesDone);
  assert.deepEqual(
    done,
    done.toSorted((a, b) => a - b),
    'no commit made it begin anew',
  );
  assert.equal(new Set(progress.map(({ pagesTotal }) => pagesTotal)).size, 1, 'of one moment');
  assert.deepEqual([file, sizeBytes], [place.backup, statSync(place.backup).size]);
  assert.deepEqual(readdirSync(join(place.backup, '..')), ['monday.db'], 'one file, nothing beside it');
  assert.equal(statSync(place.backup).mode & 0o077, 0, 'for its user alone');
  const copy = new Database(place.backup, { readonly: true });
  const count = (table: string): unknown => copy.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  const held = count('task') as number;
  assert.ok(held >= 3_000 && held <= tasks);
  assert.deepEqual([count('booking'), count('attempt')], [held, held], 'each task whole');
  copy.close();
});

test('a target that cannot be is refused, and nothing is written', async (context) => {
  const place = makePlace(context);
  const store = await filled(place, 1);
  const folder = join(place.backup, '..');
  writeFileSync(join(folder, 'taken'), 'mine');
  symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
  const cases: [string, string][] = [
    [join(folder, 'taken'), 'target_exists'],
    [join(folder, 'link'), 'target_exists'],
    [folder, 'target_exists'],
    [join(folder, 'missing', 'a.db'), 'target_unusable'],
    [join(folder, 'taken', 'a.db'), 'target_unusable'],
    [place.path, 'target_unusable'],
    [join(place.dataDir, 'agent.db-wal'), 'target_unusable'],
    [join(place.dataDir, 'blobs', 'a.db'), 'target_unusable'],
  ];
  for (const [file, code] of cases)
    await assert.rejects(store.backUp(file, never, silent), isBackupError(code), file);
  assert.equal(readFileSync(join(folder, 'taken'), 'utf8'), 'mine');
  assert.deepEqual(readdirSync(folder).toSorted(), ['link', 'taken']);
  assert.equal((await store.ledger()).bookings, 1);
});

test('a backup that is given up leaves nothing behind', async (context) => {
  const place = makePlace(context);
  const store = await filled(place, 3_000);
  const giveUp = new AbortController();
  const made = store.backUp(place.backup, giveUp.signal, () => giveUp.abort());
  await assert.rejects(made, (error: unknown) => error instanceof StoreError);
  assert.deepEqual(readdirSync(join(place.backup, '..')), []);
});

test('what is put back is what was backed up; what was there is set aside whole', async (context) => {
  const place = makePlace(context);
  const store = await filled(place, 5);
  await store.backUp(place.backup, never, silent);
  const before = await store.reload();
  await store.commit(lifeOf(77).flat());
  await store.close();
  const replacedBytes = readFileSync(place.path);

  const restored = restoreStore(place.dataDir, place.backup);
  assert.equal(restored.replaced, `${place.path}.replaced-1`);
  assert.ok(readFileSync(`${place.path}.replaced-1`).equals(replacedBytes));
  assert.equal(restored.state.closedTasks.length, 5);

  const again = createSqliteStore({ dataDir: place.dataDir, inProcess: true });
  const after = await again.open();
  await again.close();
  assert.deepEqual(timeless({ ...after, generation: 0 }), timeless({ ...before, generation: 0 }));
  assert.equal(after.generation, restored.generation);
  assert.ok(after.generation > before.generation + 65_000);
  assert.equal(restoreStore(place.dataDir, place.backup).replaced, `${place.path}.replaced-2`);
});

test('on a fresh disk the generation is above all that the lost one can have given', async (context) => {
  const place = makePlace(context);
  const store = await filled(place, 1);
  await store.backUp(place.backup, never, silent);
  await store.close();
  let lostGeneration = 0;
  for (let starts = 0; starts < 3; starts += 1) {
    const run = createSqliteStore({ dataDir: place.dataDir, inProcess: true });
    lostGeneration = (await run.open()).generation;
    await run.close();
  }
  rmSync(place.dataDir, { recursive: true });
  assert.equal(restoreStore(place.dataDir, place.backup).replaced, undefined);
  const run = createSqliteStore({ dataDir: place.dataDir, inProcess: true });
  const { generation } = await run.open();
  await run.close();
  assert.ok(generation > lostGeneration + 65_000);
});

test('a store that is carried to another disk without its generation begins far above its copy too', async (context) => {
  const place = makePlace(context);
  await (await filled(place, 1)).close();
  rmSync(join(place.dataDir, 'agent.generation'));
  const run = createSqliteStore({ dataDir: place.dataDir, inProcess: true });
  assert.ok((await run.open()).generation > 65_000);
  await run.close();
});

test('a file that is no backup is refused, and the store stays as it was', async (context) => {
  const place = makePlace(context);
  const store = await filled(place, 300);
  await store.backUp(place.backup, never, silent);
  await store.close();
  const bytes = readFileSync(place.path);
  const folder = join(place.backup, '..');
  const changed = (name: string, change: (db: Database.Database) => void): string => {
    const file = join(folder, name);
    copyFileSync(place.backup, file);
    const db = new Database(file);
    change(db);
    db.close();
    return file;
  };
  const damaged = join(folder, 'damaged');
  const whole = readFileSync(place.backup);
  writeFileSync(
    damaged,
    whole.fill(0xa5, Math.floor(whole.length / 2), Math.floor(whole.length / 2) + 32_768),
  );
  writeFileSync(join(folder, 'text'), 'not a database'.repeat(1_000));
  const foreign = join(folder, 'foreign');
  new Database(foreign).exec('CREATE TABLE somebody_elses (x)').close();
  const cases: [string, RegExp][] = [
    [join(folder, 'missing'), /not there/],
    [folder, /not a file/],
    [place.path, /the store itself/],
    [join(folder, 'text'), /no database/],
    [damaged, /./],
    [foreign, /another program/],
    [
      changed('newer', (db) => db.pragma(`user_version = ${SCHEMA_VERSION + 1}`)),
      /a newer version of Plugpool made it \(schema/,
    ],
  ];
  for (const [file, why] of cases)
    assert.throws(
      () => restoreStore(place.dataDir, file),
      (error: unknown) => isBackupError('backup_unusable')(error) && why.test((error as Error).message),
      file,
    );
  assert.ok(readFileSync(place.path).equals(bytes));
  assert.deepEqual(
    readdirSync(place.dataDir).toSorted(),
    ['agent.db', 'agent.generation', 'agent.lock'],
    'nothing is left of it',
  );
});

test('a store that an agent holds is not restored', async (context) => {
  const place = makePlace(context);
  const store = await filled(place, 1);
  await store.backUp(place.backup, never, silent);
  assert.throws(
    () => restoreStore(place.dataDir, place.backup),
    (error: unknown) => error instanceof StoreError && error.code === 'held',
  );
  await store.commit(lifeOf(2).flat());
});

test('a store of a dead pile is restored with the log that lay beside it', async (context) => {
  const place = makePlace(context);
  const store = await filled(place, 5);
  const dead = join(place.backup, '..', 'dead.db');
  for (const suffix of ['', '-wal']) copyFileSync(place.path + suffix, dead + suffix);
  await store.close();
  assert.equal(restoreStore(place.dataDir, dead).state.closedTasks.length, 5);
});

test('a restore that a power cut ended lets no agent begin anew, and ends when it is run again', async (context) => {
  const place = makePlace(context);
  const store = await filled(place, 5);
  await store.backUp(place.backup, never, silent);
  await store.close();
  // After the old store was set aside, before the new one has its name.
  copyFileSync(place.backup, `${place.path}.restoring`);
  rmSync(place.path);
  const start = createSqliteStore({ dataDir: place.dataDir, inProcess: true });
  await assert.rejects(
    start.open(),
    (error: unknown) => error instanceof StoreError && /plugpool restore/.test(error.hint),
  );
  assert.equal(existsSync(place.path), false);
  restoreStore(place.dataDir, place.backup);
  assert.equal((await start.open()).closedTasks.length, 5);
  await start.close();
});
