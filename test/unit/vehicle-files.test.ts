/** What the vehicle client keeps on disk: cached blobs, results that wait, the token. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import Database from 'better-sqlite3';
import type { Result } from '@plugpool/proto';
import { FileBlobCache } from '../../vehicle-client/adapters/blob-cache.ts';
import { SqliteOutbox } from '../../vehicle-client/adapters/outbox-sqlite.ts';
import { loadOrCreateToken, loadToken } from '../../vehicle-client/adapters/token-file.ts';
import { SILENT_LOG } from '../../vehicle-client/sdk.ts';
import { temporaryDirectory } from '../integration/vehicle-fixtures.ts';
import { leaseOf, refOf } from '../integration/vehicle-scripted-pile.ts';

function notFetched(): Promise<Uint8Array> {
  return Promise.reject(new Error('it should have been here'));
}

function resultOf(instanceId: string): Result {
  return {
    kind: 'result',
    lease: leaseOf(instanceId),
    used: { cpuMs: 1, wallMs: 2, memoryPeakMib: 3, gpuMs: 0 },
    outcome: { ok: true, output: { where: 'inline', bytes: Buffer.from(instanceId) } },
  };
}

test('a blob is fetched once by however many ask at once', async (t) => {
  const cache = new FileBlobCache(temporaryDirectory(t));
  await cache.start();
  const bytes = randomBytes(1000);
  let fetches = 0;
  const fetch = (): Promise<Uint8Array> => {
    fetches += 1;
    return Promise.resolve(bytes);
  };
  const paths = await Promise.all([1, 2, 3].map(() => cache.pin(refOf(bytes), fetch)));
  assert.equal(fetches, 1);
  assert.deepEqual(readFileSync(paths[0] as string), bytes);
});

test('what was damaged on disk meanwhile is found out and fetched again', async (t) => {
  const directory = temporaryDirectory(t);
  const bytes = randomBytes(1000);
  const first = new FileBlobCache(directory);
  await first.start();
  const path = await first.pin(refOf(bytes), () => Promise.resolve(bytes));

  const whole = new FileBlobCache(directory);
  await whole.start();
  assert.equal(whole.pinVerified(refOf(bytes).digest), undefined, 'not trusted before it was hashed');
  await whole.pin(refOf(bytes), notFetched);

  writeFileSync(path, bytes.subarray(0, 500));
  const damaged = new FileBlobCache(directory);
  await damaged.start();
  await damaged.pin(refOf(bytes), () => Promise.resolve(bytes));
  assert.deepEqual(readFileSync(path), bytes);
});

test('bytes that hash to something else are refused and leave no file', async (t) => {
  const directory = temporaryDirectory(t);
  const cache = new FileBlobCache(directory);
  await cache.start();
  const other = Promise.resolve(randomBytes(1000));
  await assert.rejects(
    cache.pin(refOf(randomBytes(1000)), () => other),
    /hash to something else/,
  );
  assert.deepEqual(readdirSync(directory), []);
});

test('the least recently used goes first, and never what is in use', async (t) => {
  const cache = new FileBlobCache(temporaryDirectory(t), 3000);
  await cache.start();
  const blobs = Array.from({ length: 4 }, () => randomBytes(1000));
  const [a, b, c, d] = blobs.map(refOf) as [
    ReturnType<typeof refOf>,
    ReturnType<typeof refOf>,
    ReturnType<typeof refOf>,
    ReturnType<typeof refOf>,
  ];
  for (const [i, blob] of [a, b, c].entries()) {
    await cache.pin(blob, () => Promise.resolve(blobs[i] as Buffer));
    if (blob !== a) cache.unpin(blob.digest);
  }
  // b is used again; a is still in use.
  cache.pinVerified(b.digest);
  cache.unpin(b.digest);
  await cache.pin(d, () => Promise.resolve(blobs[3] as Buffer));
  assert.deepEqual(new Set(cache.digests()), new Set([a.digest, b.digest, d.digest]));
});

test('results and the word of the owner outlive the process, and are forgotten when told', (t) => {
  const directory = temporaryDirectory(t);
  const first = new SqliteOutbox(directory, SILENT_LOG);
  assert.deepEqual(first.open(), { results: [], owner: { paused: false } });
  first.keep([resultOf('a'), resultOf('b')]);
  first.keepOwnerState({ paused: true, leavingAtWallMs: 5 });
  first.forget([resultOf('a')]);
  first.close();
  const second = new SqliteOutbox(directory, SILENT_LOG);
  t.after(() => second.close());
  const { results, owner } = second.open();
  assert.deepEqual(
    results.map(({ lease }) => lease),
    [leaseOf('b')],
  );
  assert.deepEqual(owner, { paused: true, leavingAtWallMs: 5 });
});

test('every write of the outbox is synced', (t) => {
  const directory = temporaryDirectory(t);
  const outbox = new SqliteOutbox(directory, SILENT_LOG);
  outbox.open();
  outbox.close();
  const database = new Database(join(directory, 'outbox.sqlite'), { readonly: true });
  t.after(() => database.close());
  assert.equal(database.pragma('journal_mode', { simple: true }), 'wal');
});

test('an outbox of a newer version is left alone', (t) => {
  const directory = temporaryDirectory(t);
  const database = new Database(join(directory, 'outbox.sqlite'));
  database.pragma('user_version = 99');
  database.close();
  assert.throws(() => new SqliteOutbox(directory, SILENT_LOG).open(), /newer version/);
});

test('a file that is no database is said to be the matter', (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'outbox.sqlite'), randomBytes(4096));
  assert.throws(() => new SqliteOutbox(directory, SILENT_LOG).open(), /cannot be opened/);
});

test('a token file that is missing or holds no token says so', (t) => {
  const directory = temporaryDirectory(t);
  assert.throws(() => loadToken(join(directory, 'none')), /there is no token file/);
  writeFileSync(join(directory, 'short'), 'abc\n');
  assert.throws(() => loadOrCreateToken(join(directory, 'short')), /holds no token/);
});
