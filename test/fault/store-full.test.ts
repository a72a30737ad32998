/** A full disk: a commit is refused whole with a reason, reading goes on, and so does writing once there is space. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Digest } from '@plugpool/proto';
import { createBlobFiles } from '../../agent/adapters/blob-files/blob-files.ts';
import { openDatabase } from '../../agent/adapters/store-sqlite/database.ts';
import { storeErrorOf } from '../../agent/adapters/store-sqlite/sqlite-errors.ts';
import { connect } from '../../agent/adapters/store-sqlite/store-connection.ts';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import type { StoreChange } from '../../agent/core/records.ts';
import { DiskRoom } from '../../agent/blobs/disk-room.ts';
import { StoreError } from '../../agent/store-error.ts';
import { lifeOf, lifeWith } from '../store-records.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';

const MIB = 1024 * 1024;

const stillClock = { now: () => ({ monoMs: 0, wallMs: 0 }), setTimer: () => () => undefined };

const isFull = (error: unknown): boolean =>
  error instanceof StoreError && error.code === 'full' && error.retryable;

/** What must be closed before its file system goes. */
const closing: (() => Promise<void>)[] = [];

/** Undefined where none can be mounted. */
function smallDisk(context: TestContext, sizeKib: number): SmallDisk | undefined {
  const place = mkdtempSync(join(tmpdir(), 'plugpool-small-'));
  const mounted = mountSmallDisk(join(place, 'disk'), sizeKib);
  if (!mounted.ok) {
    rmSync(place, { recursive: true });
    context.skip(mounted.why);
    return undefined;
  }
  context.after(async () => {
    for (const close of closing.splice(0)) await close();
    mounted.disk.unmount();
    rmSync(place, { recursive: true });
  });
  return mounted.disk;
}

function tasksFrom(from: number, count: number): StoreChange[] {
  return Array.from({ length: count }, (_, n) => lifeOf(from + n).flat()).flat();
}

test('a file that may not grow refuses a commit whole, and takes it when it may', (context) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-store-'));
  context.after(() => rmSync(dataDir, { recursive: true }));
  const { db } = openDatabase(join(dataDir, 'agent.db'));
  const connection = connect(db);
  connection.commit(tasksFrom(0, 10));
  const pages = db.pragma('page_count', { simple: true }) as number;
  db.pragma(`max_page_count = ${pages + 1}`);
  assert.throws(
    () => connection.commit(tasksFrom(10, 200)),
    (error) => isFull(storeErrorOf(error, 'commit')),
  );
  assert.equal(db.inTransaction, false);
  assert.equal(connection.load(1).closedTasks.length, 10, 'nothing of it is there');
  db.pragma(`max_page_count = ${pages + 1_000}`);
  connection.commit(tasksFrom(10, 200));
  assert.equal(connection.load(1).closedTasks.length, 210);
  connection.close();
});

test('on a full disk commits are refused, the state loads again, and space brings commits back', async (context) => {
  const disk = smallDisk(context, 4 * 1024);
  if (disk === undefined) return;
  const { directory } = disk;
  const store = createSqliteStore({ dataDir: join(directory, 'data') });
  closing.push(() => store.close());
  const { generation } = await store.open();
  await store.commit(tasksFrom(0, 10));
  disk.fillUp();
  await assert.rejects(store.commit(tasksFrom(10, 300)), isFull);
  await assert.rejects(store.commit(tasksFrom(10, 300)), isFull);

  for (let times = 1; times <= 20; times += 1) {
    assert.equal((await store.reload()).generation, generation, 'however often');
    await assert.rejects(store.commit(tasksFrom(10, 300)), isFull);
  }
  const state = await store.reload();
  assert.equal(state.closedTasks.length, 10);
  assert.equal((await store.ledger()).bookings, 10);

  disk.free();
  await store.commit(tasksFrom(10, 300));
  assert.equal((await store.reload()).closedTasks.length, 310);
  assert.equal((await store.ledger()).balanced, true);
});

test('a start on a disk that is full already says so, and works when it is not', async (context) => {
  const disk = smallDisk(context, 1024);
  if (disk === undefined) return;
  const { directory } = disk;
  disk.fillUp();
  const store = createSqliteStore({ dataDir: join(directory, 'data') });
  closing.push(() => store.close());
  await assert.rejects(store.open(), isFull);
  disk.free();
  assert.ok((await store.open()).generation > 0);
});

test('a blob that does not fit on the disk is refused, and its upload goes on when there is space', async (context) => {
  const disk = smallDisk(context, 1024);
  if (disk === undefined) return;
  const { directory } = disk;
  const blobs = createBlobFiles({ dataDir: directory, totalBytesMax: 10 * 1024 * 1024 });
  closing.push(() => blobs.stop());
  await blobs.start();
  const bytes = randomBytes(512 * 1024);
  const digest = createHash('sha256').update(bytes).digest('hex') as Digest;
  const upload = await blobs.upload({ digest, sizeBytes: bytes.byteLength });
  await upload.write(0, bytes.subarray(0, 64 * 1024));
  disk.fillUp();
  await assert.rejects(upload.write(64 * 1024, bytes.subarray(64 * 1024)), isFull);
  assert.equal(upload.nextOffset, 64 * 1024);
  await assert.rejects(blobs.put(randomBytes(300 * 1024)), isFull);
  disk.free();
  await upload.write(64 * 1024, bytes.subarray(64 * 1024));
  await upload.finish();
  assert.deepEqual(Buffer.from(await blobs.read(digest, 0, bytes.byteLength)), bytes);
});

test('blobs leave to the store what is kept for it, whatever fills the disk, and let go of what is spare', async (context) => {
  const disk = smallDisk(context, 8 * 1024);
  if (disk === undefined) return;
  const { directory } = disk;
  const store = createSqliteStore({ dataDir: join(directory, 'data') });
  const blobs = createBlobFiles({
    dataDir: join(directory, 'data'),
    totalBytesMax: 64 * MIB,
    keepFreeBytes: 512 * MIB,
  });
  closing.push(
    () => store.close(),
    () => blobs.stop(),
  );
  await store.open();
  await blobs.start();
  assert.equal(blobs.usage().disk?.keepBytes, MIB, 'an eighth of it');
  for (let i = 0; i < 5; i += 1) await blobs.put(randomBytes(MIB));
  await assert.rejects(blobs.put(randomBytes(3 * MIB)), isFull);

  disk.fillUp(512 * 1024);
  await blobs.lookAtDisk();
  await assert.rejects(blobs.put(randomBytes(1)), isFull);
  const { maxBytes, usedBytes } = blobs.usage();
  assert.equal(usedBytes - maxBytes, 512 * 1024, 'what is missing of it');
  const [oldest] = await blobs.spare(new Set(), 0);
  assert.ok(oldest);
  assert.equal(await blobs.letGo(oldest), MIB);
  await blobs.lookAtDisk();
  assert.equal(blobs.usage().disk?.freeBytes, 1_536 * 1024);
  await store.commit(tasksFrom(0, 300));
});

test('a disk that the store has filled with what was delivered takes further tasks, and all that is owed is kept', async (context) => {
  const disk = smallDisk(context, 64 * 1024);
  if (disk === undefined) return;
  const dataDir = join(disk.directory, 'data');
  const store = createSqliteStore({ dataDir });
  const blobs = createBlobFiles({ dataDir, totalBytesMax: 64 * MIB, keepFreeBytes: 512 * MIB });
  closing.push(
    () => store.close(),
    () => blobs.stop(),
  );
  await store.open();
  await blobs.start();
  const lines: object[] = [];
  const log = { info: (fields: object) => lines.push(fields), warn: (fields: object) => lines.push(fields) };
  const room = new DiskRoom({ blobs, store, log, clock: stillClock, isResident: () => false });
  const owed = lifeWith(0, 16 * 1024);
  for (const changes of owed.commits.slice(0, 2)) await store.commit(changes);
  const before = await store.readTask(owed.taskId);
  for (let n = 1; n <= 400; n += 1) {
    await store.commit(lifeWith(n, 64 * 1024).commits.flat());
    if (n % 10 !== 0) continue;
    await store.checkpoint();
    await room.look();
  }
  assert.deepEqual(await store.readTask(owed.taskId), before);
  assert.equal((await store.reload()).closedTasks.length, 400, 'all are known: 100 MiB on 64');
  assert.ok(lines.length > 0);
});
