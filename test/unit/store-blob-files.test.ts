/** Blobs by digest: uploads in order and across restarts, what they refuse, what a sweep takes. */
import { BLOB_BYTES_MAX, type BlobRef, type Digest } from '@plugpool/proto';
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  createBlobFiles,
  UPLOAD_IDLE_MS,
  type BlobFilesOptions,
} from '../../agent/adapters/blob-files/blob-files.ts';
import { BlobError, type BlobErrorCode } from '../../agent/adapters/blob-files/blob-error.ts';
import type { BlobStore, BlobUpload } from '../../agent/ports.ts';
import { StoreError } from '../../agent/store-error.ts';

const CHUNK_BYTES = 1_000;

interface Place {
  readonly dataDir: string;
  wallMs: number;
  start(options?: Partial<BlobFilesOptions>): Promise<BlobStore>;
}

function makePlace(context: TestContext): Place {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-blobs-'));
  const started: BlobStore[] = [];
  context.after(async () => {
    await Promise.all(started.map((blobs) => blobs.stop()));
    rmSync(dataDir, { recursive: true });
  });
  const place: Place = {
    dataDir,
    wallMs: Date.now(),
    start: async (options = {}) => {
      const blobs = createBlobFiles({
        dataDir,
        totalBytesMax: 1024 * 1024,
        clock: () => place.wallMs,
        ...options,
      });
      await blobs.start();
      started.push(blobs);
      return blobs;
    },
  };
  return place;
}

function refOf(bytes: Uint8Array): BlobRef {
  return { digest: createHash('sha256').update(bytes).digest('hex') as Digest, sizeBytes: bytes.byteLength };
}

async function send(upload: BlobUpload, bytes: Uint8Array, until = bytes.byteLength): Promise<void> {
  for (let at = upload.nextOffset; at < until; at += CHUNK_BYTES) {
    await upload.write(at, bytes.subarray(at, Math.min(at + CHUNK_BYTES, until)));
  }
}

const refused =
  (code: BlobErrorCode) =>
  (error: unknown): boolean =>
    error instanceof BlobError && error.code === code;

const isFull = (error: unknown): boolean => error instanceof StoreError && error.code === 'full';

test('what was uploaded in chunks is held, read in ranges, and found again by the next start', async (context) => {
  const place = makePlace(context);
  const bytes = randomBytes(10_500);
  const ref = refOf(bytes);
  const blobs = await place.start();
  const upload = await blobs.upload(ref);
  assert.equal(upload.nextOffset, 0);
  await send(upload, bytes);
  assert.equal(blobs.has(ref.digest), false, 'not before it was finished');
  await upload.finish();
  for (const store of [blobs, await place.start()]) {
    assert.equal(store.has(ref.digest), true);
    assert.equal(store.sizeOf(ref.digest), ref.sizeBytes);
    assert.deepEqual(Buffer.from(await store.read(ref.digest, 0, ref.sizeBytes)), bytes);
    assert.deepEqual(
      Buffer.from(await store.read(ref.digest, 10_000, 99_999)),
      bytes.subarray(10_000),
      'clipped',
    );
    assert.equal((await store.read(ref.digest, ref.sizeBytes, ref.sizeBytes + 10)).byteLength, 0);
  }
  assert.deepEqual(readFileSync(join(place.dataDir, 'blobs', ref.digest.slice(0, 2), ref.digest)), bytes);
  assert.deepEqual(readdirSync(join(place.dataDir, 'blobs', 'partial')), []);
});

test('an upload goes on after a restart from its first missing byte', async (context) => {
  const place = makePlace(context);
  const bytes = randomBytes(5_000);
  const first = await place.start();
  await send(await first.upload(refOf(bytes)), bytes, 3_000);
  await first.stop();
  const second = await place.start();
  const upload = await second.upload(refOf(bytes));
  assert.equal(upload.nextOffset, 3_000);
  await send(upload, bytes);
  await upload.finish();
  assert.deepEqual(Buffer.from(await second.read(refOf(bytes).digest, 0, 5_000)), bytes);
});

test('a partial file that is longer than the blob is begun anew', async (context) => {
  const place = makePlace(context);
  const bytes = randomBytes(500);
  const partial = join(place.dataDir, 'blobs', 'partial');
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(partial, refOf(bytes).digest), randomBytes(600));
  const upload = await (await place.start()).upload(refOf(bytes));
  assert.equal(upload.nextOffset, 0);
  await send(upload, bytes);
  await upload.finish();
});

test('a chunk out of order, before, past the end or into nowhere is refused and changes nothing', async (context) => {
  const blobs = await makePlace(context).start();
  const bytes = randomBytes(2_000);
  const upload = await blobs.upload(refOf(bytes));
  await upload.write(0, bytes.subarray(0, 500));
  await assert.rejects(upload.write(600, bytes.subarray(600, 700)), refused('out_of_order'));
  await assert.rejects(upload.write(0, bytes.subarray(0, 500)), refused('out_of_order'));
  await assert.rejects(upload.write(500, randomBytes(1_501)), refused('out_of_range'));
  await assert.rejects(upload.write(-1, bytes.subarray(0, 1)), refused('out_of_range'));
  await assert.rejects(upload.write(0.5, bytes.subarray(0, 1)), refused('out_of_range'));
  await assert.rejects(upload.finish(), refused('incomplete'));
  await send(upload, bytes);
  await upload.finish();
});

test('chunks that two clients send at once are written in order, each once', async (context) => {
  const blobs = await makePlace(context).start();
  const bytes = randomBytes(1_000);
  const [mine, yours] = await Promise.all([blobs.upload(refOf(bytes)), blobs.upload(refOf(bytes))]);
  assert.equal(mine, yours, 'one upload a digest');
  const results = await Promise.allSettled([
    mine.write(0, bytes.subarray(0, 500)),
    yours.write(0, bytes.subarray(0, 500)),
    mine.write(500, bytes.subarray(500)),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  await Promise.all([mine.finish(), yours.finish()]);
  assert.equal(blobs.has(refOf(bytes).digest), true);
});

test('bytes that hash to something else are removed, and the digest can be sent again', async (context) => {
  const place = makePlace(context);
  const blobs = await place.start();
  const bytes = randomBytes(2_000);
  const ref = refOf(bytes);
  const wrong = await blobs.upload(ref);
  await send(wrong, randomBytes(2_000));
  await assert.rejects(wrong.finish(), refused('digest_mismatch'));
  assert.equal(blobs.has(ref.digest), false);
  assert.deepEqual(readdirSync(join(place.dataDir, 'blobs', 'partial')), []);
  await assert.rejects(wrong.write(0, bytes), refused('closed'));
  const right = await blobs.upload(ref);
  assert.equal(right.nextOffset, 0);
  await send(right, bytes);
  await right.finish();
});

test('an abandoned upload leaves no byte', async (context) => {
  const place = makePlace(context);
  const blobs = await place.start({ totalBytesMax: 2_000 });
  const upload = await blobs.upload(refOf(randomBytes(2_000)));
  await upload.write(0, randomBytes(10));
  await assert.rejects(blobs.put(randomBytes(100)), isFull);
  await upload.abandon();
  assert.deepEqual(readdirSync(join(place.dataDir, 'blobs', 'partial')), []);
  await blobs.put(randomBytes(100));
});

test('a held blob needs no byte more', async (context) => {
  const blobs = await makePlace(context).start();
  const bytes = randomBytes(100);
  const ref = await blobs.put(bytes);
  assert.deepEqual(ref, refOf(bytes));
  assert.deepEqual(await blobs.put(bytes), ref);
  const upload = await blobs.upload(ref);
  assert.equal(upload.nextOffset, 100);
  await upload.finish();
  await assert.rejects(blobs.upload({ ...ref, sizeBytes: 101 }), refused('size_differs'));
});

test('a blob without bytes is a blob', async (context) => {
  const blobs = await makePlace(context).start();
  const ref = refOf(new Uint8Array());
  await (await blobs.upload(ref)).finish();
  assert.equal(blobs.sizeOf(ref.digest), 0);
  assert.equal((await blobs.read(ref.digest, 0, 10)).byteLength, 0);
});

test('no digest leads out of the directory, and no size is beyond its bound', async (context) => {
  const blobs = await makePlace(context).start();
  const { digest } = refOf(new Uint8Array());
  for (const name of ['../../etc/passwd', '', digest.toUpperCase(), `${digest}0`, digest.slice(1)]) {
    await assert.rejects(
      blobs.upload({ digest: name as Digest, sizeBytes: 1 }),
      refused('digest_malformed'),
      name,
    );
  }
  for (const sizeBytes of [-1, 0.5, Number.NaN, BLOB_BYTES_MAX + 1]) {
    await assert.rejects(blobs.upload({ digest, sizeBytes }), refused('size_refused'), String(sizeBytes));
  }
  await assert.rejects(blobs.read(digest, 0, 1), refused('unknown'));
  const held = await blobs.put(randomBytes(10));
  await assert.rejects(blobs.read(held.digest, -1, 5), refused('out_of_range'));
  await assert.rejects(blobs.read(held.digest, 5, 2), refused('out_of_range'));
});

test('all blobs together keep to their bound, and an upload counts with its whole size from the start', async (context) => {
  const place = makePlace(context);
  const blobs = await place.start({ totalBytesMax: 3_000 });
  await blobs.put(randomBytes(1_000));
  const bytes = randomBytes(1_500);
  const upload = await blobs.upload(refOf(bytes));
  await assert.rejects(blobs.put(randomBytes(501)), isFull);
  await assert.rejects(blobs.upload(refOf(randomBytes(501))), isFull);
  await blobs.put(randomBytes(500));
  await send(upload, bytes);
  await upload.finish();
  await assert.rejects(blobs.put(randomBytes(1)), isFull);
  const next = await place.start({ totalBytesMax: 3_001 });
  await next.put(randomBytes(1));
  await assert.rejects(next.put(randomBytes(1)), isFull);
});

test('uploads are bounded: the one that is idle longest gives way, none that is alive does', async (context) => {
  const place = makePlace(context);
  const blobs = await place.start({ uploadsMax: 2 });
  const [first, second, third] = [1, 2, 3].map((n) => refOf(randomBytes(100 + n)));
  assert.ok(first && second && third);
  const oldest = await blobs.upload(first);
  place.wallMs += UPLOAD_IDLE_MS - 1;
  const alive = await blobs.upload(second);
  await assert.rejects(blobs.upload(third), refused('too_many_uploads'));
  place.wallMs += 1;
  await blobs.upload(third);
  await assert.rejects(oldest.write(0, new Uint8Array(1)), refused('closed'));
  await alive.write(0, new Uint8Array(1));
});

test('uploads that an earlier run left count too', async (context) => {
  const place = makePlace(context);
  const before = await place.start();
  const left = refOf(randomBytes(100));
  await (await before.upload(left)).write(0, new Uint8Array(10));
  await before.stop();
  const blobs = await place.start({ uploadsMax: 1 });
  await assert.rejects(blobs.upload(refOf(randomBytes(50))), refused('too_many_uploads'));
  assert.equal((await blobs.upload(left)).nextOffset, 10, 'its own place is its own');
});

test('two uploads of one digest with different sizes: the second is refused while the first is alive', async (context) => {
  const place = makePlace(context);
  const blobs = await place.start();
  const bytes = randomBytes(100);
  const lie = await blobs.upload({ ...refOf(bytes), sizeBytes: 99 });
  await assert.rejects(blobs.upload(refOf(bytes)), refused('size_differs'));
  place.wallMs += UPLOAD_IDLE_MS;
  const honest = await blobs.upload(refOf(bytes));
  await assert.rejects(lie.write(0, bytes.subarray(0, 9)), refused('closed'));
  await send(honest, bytes);
  await honest.finish();
});

test('a sweep takes what nobody needs and nobody touched, and partial uploads with it', async (context) => {
  const place = makePlace(context);
  const blobs = await place.start();
  const kept = await blobs.put(randomBytes(100));
  const unused = await blobs.put(randomBytes(200));
  const asked = await blobs.put(randomBytes(300));
  const stale = await blobs.upload(refOf(randomBytes(400)));
  await stale.write(0, new Uint8Array(40));
  place.wallMs += 1_000;
  assert.equal(blobs.has(asked.digest), true);
  const fresh = await blobs.upload(refOf(randomBytes(500)));
  assert.equal(await blobs.sweep(new Set([kept.digest]), 1_000), 240);
  assert.deepEqual(
    [kept, unused, asked].map(({ digest }) => blobs.has(digest)),
    [true, false, true],
  );
  assert.equal(existsSync(join(place.dataDir, 'blobs', unused.digest.slice(0, 2), unused.digest)), false);
  await assert.rejects(stale.write(40, new Uint8Array(1)), refused('closed'));
  await fresh.write(0, new Uint8Array(1));
  await blobs.put(randomBytes(200));
});

test('a start tells of files that are none of its own and leaves them alone', async (context) => {
  const place = makePlace(context);
  const root = join(place.dataDir, 'blobs');
  const digest = 'ab'.repeat(32);
  const foreign = ['notes.txt', 'zz/file', `cd/${digest}`, 'ab/short', 'partial/readme'];
  for (const name of [...foreign, `ab/${digest}`, `partial/${digest}.0.put`]) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), 'x');
  }
  const ignored: string[] = [];
  const blobs = await place.start({ ignored: (path) => ignored.push(path) });
  assert.equal(blobs.has(digest as Digest), true);
  assert.deepEqual(
    ignored.sort(),
    ['notes.txt', 'zz', `cd/${digest}`, 'ab/short', 'partial/readme'].map((name) => join(root, name)).sort(),
  );
  assert.equal(
    existsSync(join(root, `partial/${digest}.0.put`)),
    false,
    'what a crash left of a put is removed',
  );
  assert.equal(existsSync(join(root, 'notes.txt')), true);
});

test('a file that went away is no longer held', async (context) => {
  const place = makePlace(context);
  const blobs = await place.start();
  const { digest } = await blobs.put(randomBytes(10));
  rmSync(join(place.dataDir, 'blobs', digest.slice(0, 2), digest));
  await assert.rejects(
    blobs.read(digest, 0, 10),
    (error) => error instanceof StoreError && error.code === 'unavailable',
  );
  assert.equal(blobs.has(digest), false);
});

test('a hundred reads at once all get their bytes', async (context) => {
  const blobs = await makePlace(context).start();
  const bytes = randomBytes(10_000);
  const { digest } = await blobs.put(bytes);
  const reads = Array.from({ length: 100 }, (_, n) => blobs.read(digest, n * 100, (n + 1) * 100));
  assert.deepEqual(Buffer.concat(await Promise.all(reads)), bytes);
});
