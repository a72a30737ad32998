/** Bytes that give way while an event that speaks of them waits behind a slow commit. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import type { BlobRef, VehicleId } from '@plugpool/proto';
import type { Event } from '../../agent/core/events.ts';
import type { StoredState } from '../../agent/core/records.ts';
import { DiskRoom } from '../../agent/blobs/disk-room.ts';
import { Engine } from '../../agent/engine.ts';
import { asHeldNow } from '../../agent/blobs/held-bytes.ts';
import type { CommitCost } from '../../agent/ports.ts';
import { blobOf, blobScene, KIB, type BlobScene } from '../blob-scene.ts';
import { SimulatedDisk } from '../simulation/simulated-disk.ts';
import { request, SimulatedPile, TEST_SETTINGS } from '../simulation/simulated-pile.ts';

const MINUTE_MS = 60_001;

/** A pile whose first commit ends when the test says so, and a request that waits behind it with the bytes of its input. */
async function behindSlowCommit(t: TestContext) {
  const pile = await blobScene(t);
  const bytes = randomBytes(100 * KIB);
  await pile.uploads('asker', bytes);
  const disk = new SimulatedDisk();
  const slow = Promise.withResolvers<CommitCost>();
  const begun = Promise.withResolvers<undefined>();
  const results: Promise<CommitCost>[] = [slow.promise];
  const store = {
    open: (): Promise<StoredState> => Promise.resolve(disk.load()),
    reload: (): Promise<StoredState> => Promise.resolve(disk.load()),
    commit: (): Promise<CommitCost> => {
      begun.resolve(undefined);
      return results.shift() ?? Promise.resolve({ syncMs: 0 });
    },
  };
  const said: string[] = [];
  const fetched: string[] = [];
  const engine = new Engine({
    store,
    clock: { now: () => ({ monoMs: pile.nowMs, wallMs: pile.nowMs }), setTimer: () => () => undefined },
    settings: TEST_SETTINGS,
    prepare: () => undefined,
    publish: ({ sends, fetches }) => {
      said.push(...sends.map(({ envelope: { body } }) => body.kind));
      fetched.push(...fetches.map(({ blob }) => blob.digest));
    },
    refused: () => undefined,
    fatal: (error) => assert.fail(String(error)),
    asDecided: (event) =>
      asHeldNow(event, {
        holdsFor: (_client, blob) => pile.has(blob),
        has: (digest) => pile.blobs.has(digest),
      }),
  });
  await engine.start();
  const words = new SimulatedPile();
  words.connect('asker.ask-1');
  const greets = words.message('asker.ask-1', { kind: 'hello', clientVersion: '1', held: [], runtimes: [] });
  engine.push({ ...greets, kind: 'connected' } as Event);
  engine.push(greets);
  engine.push({ kind: 'operator', question: 1, command: { verb: 'addAlgorithm', algorithm: ECHO } });
  await begun.promise;
  const input = { where: 'blob', blob: blobOf(bytes) } as const;
  const asks = (isHeld: boolean): void =>
    engine.push(words.message('asker.ask-1', request('big', 'echo', { input }), 1, isHeld));
  return { pile, engine, slow, said, fetched, asks, blob: blobOf(bytes) };
}

const ECHO = {
  id: 'echo' as never,
  version: '1',
  type: 'echo',
  runtime: 'wasm',
  image: { digest: 'ab'.repeat(32) as never, sizeBytes: 1 },
  demands: [{ cpuMillicores: 10, memoryMib: 1, threads: 1 }],
  workCoreS: 0.001,
} as const;

/** Another one needs their room. */
async function giveWay(pile: BlobScene, blob: BlobRef): Promise<void> {
  const next = (await pile.room.spare()).take();
  assert.equal(next?.digest, blob.digest);
  await pile.room.letGo(next);
}

test('an input that gave way while its request waited for a slow commit is asked for again, and nothing is accepted', async (t) => {
  const { pile, engine, slow, said, fetched, asks, blob } = await behindSlowCommit(t);
  asks(true);
  pile.nowMs += MINUTE_MS;
  await giveWay(pile, blob);
  slow.resolve({ syncMs: MINUTE_MS });
  await engine.idle();
  assert.deepEqual(fetched, [blob.digest]);
  assert.ok(!said.includes('accepted'), said.join());
});

test('an upload that gave way before it was known to have arrived has failed, and can be tried again', async (t) => {
  const { pile, engine, slow, said, asks, blob } = await behindSlowCommit(t);
  asks(false);
  engine.push({ kind: 'blobArrived', digest: blob.digest, vehicleId: 'asker' as VehicleId });
  pile.nowMs += MINUTE_MS;
  await giveWay(pile, blob);
  slow.resolve({ syncMs: MINUTE_MS });
  await engine.idle();
  assert.equal(said.at(-1), 'refused');
  assert.ok(!said.includes('accepted'), said.join());
});

test('bytes of a request that is decided while the store reads what is owed, however long that takes, do not give way', async (t) => {
  const { pile, engine, slow, said, asks, blob } = await behindSlowCommit(t);
  asks(true);
  pile.nowMs += MINUTE_MS;
  const room = new DiskRoom({
    blobs: pile.blobs,
    store: {
      owedBlobs: async () => {
        slow.resolve({ syncMs: MINUTE_MS });
        await engine.idle();
        pile.nowMs += 2 * MINUTE_MS;
        return new Set();
      },
      freeAcknowledged: () => Promise.resolve({ payloads: 0, freeBytes: 0 }),
    },
    clock: { now: () => ({ monoMs: pile.nowMs, wallMs: pile.nowMs }), setTimer: () => () => undefined },
    log: { info: () => undefined, warn: () => undefined },
    isResident: () => false,
  });
  const spare = await room.spare();
  assert.equal(said.at(-1), 'accepted');
  assert.equal(spare.bytes, 0);
  assert.ok(pile.has(blob));
});
