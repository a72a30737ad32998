/** Bulk bytes between a pile and a vehicle: pulled in windows, whatever the order and whatever is lost. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import {
  CHUNK_BYTES_MAX,
  CHUNK_WINDOW,
  type BlobBody,
  type BlobPull,
  type BlobRef,
  type ClientName,
  type Digest,
} from '@plugpool/proto';
import { createBlobFiles } from '../../agent/adapters/blob-files/blob-files.ts';
import { BlobExchange } from '../../agent/blobs/blob-exchange.ts';
import type { Clock } from '../../agent/ports.ts';
import { clientName } from '../simulation/simulated-pile.ts';

const client = clientName('car.ask-1');
const UNBOUNDED = {
  hasRoom: () => true,
  makeRoom: () => Promise.resolve(0),
  giveWayTo: () => Promise.resolve(),
};

/** For a task of its own. */
function wanted({ clientId, vehicleId }: ClientName, blob: BlobRef) {
  return { clientId, blob, requester: vehicleId };
}

class HandClock implements Clock {
  readonly #timers = new Set<() => void>();

  now(): { monoMs: number; wallMs: number } {
    return { monoMs: 0, wallMs: 0 };
  }

  setTimer(_delayMs: number, callback: () => void): () => void {
    this.#timers.add(callback);
    return () => this.#timers.delete(callback);
  }

  /** All that is set falls due. */
  fire(): void {
    for (const callback of [...this.#timers]) {
      this.#timers.delete(callback);
      callback();
    }
  }
}

async function scene(t: TestContext, bytes: Uint8Array) {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'plugpool-exchange-'));
  const blobs = createBlobFiles({ dataDir, totalBytesMax: 1e9 });
  await blobs.start();
  t.after(async () => {
    await blobs.stop();
    rmSync(dataDir, { recursive: true });
  });
  const clock = new HandClock();
  const sent: BlobBody[] = [];
  const ended = Promise.withResolvers<string>();
  const exchange = new BlobExchange({
    blobs,
    clock,
    shares: UNBOUNDED,
    mayPull: () => true,
    send: (_clientId, { body }) => sent.push(body),
    arrived: () => ended.resolve('arrived'),
    failed: (_digest, _vehicleId, { detail }) => ended.resolve(detail),
  });
  const digest = createHash('sha256').update(bytes).digest('hex') as Digest;
  const pulls = (): BlobPull[] => sent.splice(0).filter((body) => body.kind === 'blobPull');
  const answer = ({ offset, length }: BlobPull): Promise<void> =>
    exchange.onBody(client, {
      correlationId: 1,
      body: {
        kind: 'blobChunk',
        digest,
        offset,
        data: bytes.subarray(offset, offset + length),
        sizeBytes: bytes.length,
      },
    });
  await exchange.fetch(wanted(client, { digest, sizeBytes: bytes.length }));
  return { blobs, clock, exchange, digest, pulls, answer, ended: ended.promise };
}

test('no more than a window is asked for at a time, and all of it arrives', async (t) => {
  const bytes = randomBytes(CHUNK_BYTES_MAX * 20 + 5);
  const { pulls, answer, ended, blobs, digest } = await scene(t, bytes);
  for (let asked = pulls(); asked.length > 0; asked = pulls()) {
    assert.ok(asked.length <= CHUNK_WINDOW);
    for (const pull of asked) await answer(pull);
  }
  assert.equal(await ended, 'arrived');
  assert.equal(blobs.sizeOf(digest), bytes.length);
});

test('chunks that come out of their turn are kept for it', async (t) => {
  const { pulls, answer, ended } = await scene(t, randomBytes(CHUNK_BYTES_MAX * 20));
  for (let asked = pulls(); asked.length > 0; asked = pulls())
    for (const pull of asked.reverse()) await answer(pull);
  assert.equal(await ended, 'arrived');
});

test('a lost chunk is asked for again after the stall', async (t) => {
  const { pulls, answer, ended, clock } = await scene(t, randomBytes(CHUNK_BYTES_MAX * 3));
  const [first, , third] = pulls();
  assert.ok(first && third);
  await answer(first);
  await answer(third);
  pulls();
  clock.fire();
  for (let asked = pulls(); asked.length > 0; asked = pulls()) for (const pull of asked) await answer(pull);
  assert.equal(await ended, 'arrived');
});

test('a client that sends nothing, or only empty chunks, is given up', async (t) => {
  const { exchange, clock, ended, digest } = await scene(t, randomBytes(CHUNK_BYTES_MAX * 3));
  for (let stall = 0; stall < 5; stall++) {
    const empty = { kind: 'blobChunk', digest, offset: 0, data: new Uint8Array(0) } as const;
    await exchange.onBody(client, {
      correlationId: 1,
      body: { ...empty, sizeBytes: CHUNK_BYTES_MAX * 3 },
    });
    clock.fire();
  }
  assert.equal(await ended, 'the client sends no bytes');
});

test('a client that left and does not come back is given up; what it sent is kept', async (t) => {
  const bytes = randomBytes(CHUNK_BYTES_MAX * 3);
  const { blobs, clock, exchange, digest, pulls, answer, ended } = await scene(t, bytes);
  const [first] = pulls();
  assert.ok(first);
  await answer(first);
  exchange.onDisconnected(client.clientId);
  clock.fire();
  assert.equal(await ended, 'the client left');
  const upload = await blobs.upload({ digest, sizeBytes: bytes.length });
  assert.equal(upload.nextOffset, first.length);
});

test('bytes that hash to something else are refused, and nothing of them is kept', async (t) => {
  const { exchange, pulls, ended, blobs, digest } = await scene(t, randomBytes(1000));
  for (const { offset, length } of pulls())
    await exchange.onBody(client, {
      correlationId: 1,
      body: { kind: 'blobChunk', digest, offset, data: new Uint8Array(length), sizeBytes: 1000 },
    });
  assert.match(await ended, /digest|hash/);
  assert.equal(blobs.has(digest), false);
});

test('chunks of a client that was not asked change nothing', async (t) => {
  const { exchange, digest, blobs } = await scene(t, randomBytes(1000));
  await exchange.onBody(clientName('stranger.ask-1'), {
    correlationId: 1,
    body: { kind: 'blobChunk', digest, offset: 0, data: new Uint8Array(1000), sizeBytes: 1000 },
  });
  assert.equal(blobs.has(digest), false);
});

test('a blob that is there is not there with another size: nobody is handed bytes that he must refuse', async (t) => {
  const bytes = randomBytes(1_000);
  const { blobs, pulls, answer, ended, digest } = await scene(t, bytes);
  for (const pull of pulls()) await answer(pull);
  assert.equal(await ended, 'arrived');
  const told: string[] = [];
  const exchange = new BlobExchange({
    blobs,
    clock: new HandClock(),
    shares: UNBOUNDED,
    mayPull: () => true,
    send: () => undefined,
    arrived: () => told.push('arrived'),
    failed: (_digest, _vehicleId, { code }) => told.push(code),
  });
  for (const sizeBytes of [1_000, 10]) await exchange.fetch(wanted(client, { digest, sizeBytes }));
  assert.deepEqual(told, ['arrived', 'digest_mismatch']);
});
