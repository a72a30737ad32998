/** What the vehicle client keeps on disk: cached blobs, results that wait, the token. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import Database from 'better-sqlite3';
import type { Digest, Result } from '@plugpool/proto';
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
  const cache = new FileBlobCache(temporaryDirectory(t), { bytesMax: 3000 });
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

test('what is preferred goes last, and whoever prefers it hears that it went', async (t) => {
  const cache = new FileBlobCache(temporaryDirectory(t), { bytesMax: 3000, filesMax: 3 });
  await cache.start();
  const take = async (bytes: Buffer): Promise<Digest> => {
    const blob = refOf(bytes);
    await cache.pin(blob, () => Promise.resolve(bytes));
    cache.unpin(blob.digest);
    return blob.digest;
  };
  const [wished, other, wishedToo] = [randomBytes(1000), randomBytes(1000), randomBytes(1000)];
  const gone: Digest[] = [];
  const large = refOf(randomBytes(3001));
  assert.deepEqual(
    cache.prefer([large, refOf(wished), refOf(wishedToo)], (digest) => gone.push(digest)),
    [refOf(wished), refOf(wishedToo)],
    'what has no room is not preferred, and does not keep the rest out',
  );
  for (const bytes of [wished, other, wishedToo]) await take(bytes);
  await take(randomBytes(1000));
  assert.equal(
    cache.isVerified(refOf(other).digest),
    false,
    'it was used after the wished one, and went before it',
  );
  assert.deepEqual(gone, []);
  await take(randomBytes(2500));
  assert.deepEqual(gone, [refOf(wished).digest, refOf(wishedToo).digest]);
});

test('files are bounded in number too', async (t) => {
  const cache = new FileBlobCache(temporaryDirectory(t), { filesMax: 2 });
  await cache.start();
  const blobs = Array.from({ length: 3 }, () => randomBytes(10));
  for (const bytes of blobs) {
    await cache.pin(refOf(bytes), () => Promise.resolve(bytes));
    cache.unpin(refOf(bytes).digest);
  }
  assert.deepEqual(
    cache.digests(),
    blobs.slice(1).map((bytes) => refOf(bytes).digest),
  );
  assert.equal(cache.prefer(blobs.map(refOf), () => undefined).length, 2);
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
