/**
 * A power cut in the middle of writing: the write-ahead log ends at any byte, has a byte that is not what was written, or is gone.
 * The store opens every time, and what is in it is what the first so many transactions wrote: none is there in half, and none
 * is missing whose bytes are all there.
 *
 * Here every byte around the edges of frames is tried, and one in a few hundred between them; `WAL_CUT_EVERY_BYTE=1` tries all bytes
 * of the last two transactions.
 */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { openDatabase } from '../../agent/adapters/store-sqlite/database.ts';
import { connect, type StoreConnection } from '../../agent/adapters/store-sqlite/store-connection.ts';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import type { StoreChange } from '../../agent/core/records.ts';
import { lifeOf, timeless } from '../store-records.ts';

/** SQLite's file format, sections 4.1 and 4.2. */
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const PAGE_BYTES = 4096;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
/** Bytes before and after each edge of a frame that are all tried. */
const EDGE_BYTES = 26;
const STRIDE_BYTES = 409;
const TRIES_EVERY_BYTE = process.env['WAL_CUT_EVERY_BYTE'] === '1';
/** In memory, where there is such a place: thousands of stores are written and opened. */
const FAST_DIRECTORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A store with known transactions, of which the last are in its log. */
interface Written {
  readonly db: Buffer;
  readonly wal: Buffer;
  /** What the store says after each transaction; the first is what the file says without its log. */
  readonly said: readonly string[];
  /** Where the log ends after each of them. */
  readonly ends: readonly number[];
}

const TRANSACTIONS: readonly (readonly StoreChange[])[] = [
  ...lifeOf(10),
  [...lifeOf(11)[0], ...lifeOf(12)[0]],
  [{ change: 'putLearned', name: 'run-times', value: { echo: [1, 2, 3] } }],
  [...lifeOf(11)[1], ...lifeOf(12)[1], ...lifeOf(13)[0]],
  [...lifeOf(12)[2], { change: 'forgetTasks', taskIds: [lifeOf(1)[2][0]!].flatMap(taskIdsOf) }],
  [...lifeOf(13)[1], ...lifeOf(14)[0]],
];

function taskIdsOf(change: StoreChange) {
  return change.change === 'taskDelivered' ? [change.taskId] : [];
}

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(path.join(FAST_DIRECTORY, 'plugpool-wal-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

function write(directory: string): Written {
  const file = path.join(directory, 'agent.db');
  const connection = connect(openDatabase(file).db);
  for (const n of [1, 2, 3]) for (const changes of lifeOf(n)) connection.commit(changes);
  connection.checkpoint();
  const said = [sayings(connection)];
  const ends = [0];
  for (const changes of TRANSACTIONS) {
    connection.commit(changes);
    said.push(sayings(connection));
    ends.push(statSync(`${file}-wal`).size);
  }
  const written = { db: readFileSync(file), wal: readFileSync(`${file}-wal`), said, ends };
  connection.close();
  return written;
}

/** All that can be read from a store, as text. */
function sayings(connection: StoreConnection): string {
  const histories = connection.histories(connection.tasks.recentTaskIds(100));
  const bookings = [connection.ledger.rowsBetween(0, 1_000, 1_000), connection.ledger.balances()];
  return JSON.stringify([timeless(connection.load(0)), histories, bookings], (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value instanceof Map ? [...value] : value,
  );
}

/** As a power cut leaves it: without the index of the log, which is rebuilt. */
function leave(directory: string, db: Buffer, wal: Buffer | undefined): string {
  for (const name of readdirSync(directory)) rmSync(path.join(directory, name), { recursive: true });
  const file = path.join(directory, 'agent.db');
  writeFileSync(file, db);
  if (wal !== undefined) writeFileSync(`${file}-wal`, wal);
  return file;
}

/** Opens it as a start does, `quick_check` and all. */
function read(file: string): string {
  const connection = connect(openDatabase(file).db);
  try {
    return sayings(connection);
  } finally {
    connection.close();
  }
}

function assertPrefix({ said }: Written, found: string, transactions: number, how: string): void {
  // Without a difference: two of these texts take a while to compare for a person.
  if (found === said[transactions]) return;
  const other = said.indexOf(found);
  assert.fail(
    `${how}: ${transactions} transactions are whole, and the store says ` +
      (other < 0 ? 'what none of them left' : `what the first ${other} left`),
  );
}

function wholeBefore({ ends }: Written, bytes: number): number {
  return ends.findLastIndex((end) => end <= bytes);
}

/** Where a log of so many bytes is cut, or damaged: at least around each frame's edges. */
function* places({ ends, wal }: Written): Generator<number> {
  const lastTwoFrom = ends.at(-3) ?? 0;
  for (let byte = 0; byte < wal.length; byte += 1) {
    const inFrame = (byte - WAL_HEADER_BYTES) % FRAME_BYTES;
    const isAtEdge =
      byte < WAL_HEADER_BYTES + EDGE_BYTES || inFrame < EDGE_BYTES || inFrame >= FRAME_BYTES - EDGE_BYTES;
    const isOfLastTwo = byte >= lastTwoFrom;
    if (isOfLastTwo && (TRIES_EVERY_BYTE || isAtEdge || byte % STRIDE_BYTES === 0)) yield byte;
    // Before, one look at each side of each edge.
    else if (inFrame === 0 || inFrame === 1 || inFrame === FRAME_HEADER_BYTES || byte < WAL_HEADER_BYTES)
      yield byte;
  }
}

test('a log that is cut anywhere leaves what the transactions before the cut wrote, and nothing of the one in it', (t) => {
  const written = write(temporaryDirectory(t));
  const place = temporaryDirectory(t);
  let tried = 0;
  for (const bytes of places(written)) {
    const file = leave(place, written.db, written.wal.subarray(0, bytes));
    assertPrefix(written, read(file), wholeBefore(written, bytes), `cut at byte ${bytes}`);
    tried += 1;
  }
  t.diagnostic(`${tried} cuts of a log of ${written.wal.length} bytes`);
  assert.equal(read(leave(place, written.db, written.wal)), written.said.at(-1), 'uncut, all is there');
});

test('a byte of the log that is not what was written takes its transaction and those behind it, and no other', (t) => {
  const written = write(temporaryDirectory(t));
  const place = temporaryDirectory(t);
  let tried = 0;
  for (const byte of places(written)) {
    const wal = Buffer.from(written.wal);
    wal[byte] = (wal[byte] ?? 0) ^ (1 << (byte % 8));
    const frameFrom = byte - ((byte - WAL_HEADER_BYTES) % FRAME_BYTES);
    const whole = byte < WAL_HEADER_BYTES ? 0 : wholeBefore(written, frameFrom);
    assertPrefix(written, read(leave(place, written.db, wal)), whole, `byte ${byte} flipped`);
    tried += 1;
  }
  t.diagnostic(`${tried} flips in a log of ${written.wal.length} bytes`);
});

test('a log that is followed by the remains of an older one is read to its own end', (t) => {
  const written = write(temporaryDirectory(t));
  const place = temporaryDirectory(t);
  const older = Buffer.from(written.wal.subarray(WAL_HEADER_BYTES));
  // The frames of a log that was folded in bear another salt.
  for (let at = 8; at < older.length; at += FRAME_BYTES) older[at] = (older[at] ?? 0) ^ 0xff;
  for (const [transactions, end] of written.ends.entries()) {
    if (end === 0) continue;
    const wal = Buffer.concat([written.wal.subarray(0, end), older.subarray(0, 3 * FRAME_BYTES)]);
    assertPrefix(written, read(leave(place, written.db, wal)), transactions, `${end} bytes are its own`);
  }
});

test('without its log, or with an empty one, the store is as it was when the log was last folded in', (t) => {
  const written = write(temporaryDirectory(t));
  const place = temporaryDirectory(t);
  assertPrefix(written, read(leave(place, written.db, undefined)), 0, 'no log');
  assertPrefix(written, read(leave(place, written.db, Buffer.alloc(0))), 0, 'an empty log');
  assertPrefix(written, read(leave(place, written.db, Buffer.alloc(WAL_HEADER_BYTES))), 0, 'a blank header');
});

test('a store that lost its last transactions starts, and takes the same transactions again', async (t) => {
  const written = write(temporaryDirectory(t));
  const place = path.join(temporaryDirectory(t), 'data');
  mkdirSync(place);
  leave(place, written.db, written.wal.subarray(0, (written.ends.at(-2) ?? 0) + FRAME_HEADER_BYTES));
  const store = createSqliteStore({ dataDir: place, inProcess: true });
  await store.open();
  await store.commit(TRANSACTIONS.at(-1) ?? []);
  assert.equal((await store.ledger()).balanced, true);
  await store.close();
  const [, histories] = JSON.parse(read(path.join(place, 'agent.db'))) as [unknown, unknown[]];
  assert.equal(histories.length, 7);
});
