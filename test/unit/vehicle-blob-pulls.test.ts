/** Pulls that somebody waits for and pulls for later, side by side: who goes on, who pauses, and that all come to an end. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BlobPull, BlobRef, Digest, Epoch, Welcome } from '@plugpool/proto';
import { CHUNK_WINDOW } from '@plugpool/proto';
import { BlobPulls, CHUNK_WINDOW_AHEAD, PULLING_BYTES_MAX } from '../../vehicle-client/blob-pulls.ts';
import type { Clock } from '../../vehicle-client/ports.ts';
import { refOf } from '../integration/vehicle-scripted-pile.ts';

const CHUNK_BYTES = 1000;

const WELCOME: Welcome = {
  kind: 'welcome',
  epoch: 1 as Epoch,
  leaseMs: 15_000,
  messageBytesMax: 256 * 1024,
  inlineBytesMax: 64 * 1024,
  blobBytesMax: PULLING_BYTES_MAX,
  chunkBytesMax: CHUNK_BYTES,
  keep: [],
  drop: [],
  checkpoints: false,
  stationId: 'none',
};

const STANDING_CLOCK: Clock = {
  monoMs: () => 0,
  wallMs: () => 0,
  localTime: () => ({ weekday: 'mon', minuteOfDay: 0 }),
  setTimer: () => () => undefined,
};

/** What was asked for and not yet answered, in order. */
function scene() {
  const asked: (BlobPull & { readonly correlationId: number })[] = [];
  const blobs = new Map<Digest, Uint8Array>();
  let correlationId = 0;
  const pulls = new BlobPulls(
    {
      welcome: WELCOME,
      nextCorrelationId: () => ++correlationId,
      post: (body, id = 0) => {
        assert.ok(body.kind === 'blobPull');
        asked.push({ ...body, correlationId: id });
      },
    },
    STANDING_CLOCK,
  );
  const put = (sizeBytes: number): BlobRef => {
    const bytes = randomBytes(sizeBytes);
    blobs.set(refOf(bytes).digest, bytes);
    return refOf(bytes);
  };
  /** Answers the oldest chunk that was asked for, of this blob where one is named. */
  const answer = (blob?: BlobRef): boolean => {
    const index = asked.findIndex(({ digest }) => blob === undefined || digest === blob.digest);
    const [ask] = index < 0 ? [] : asked.splice(index, 1);
    if (ask === undefined) return false;
    const { digest, offset, length } = ask;
    const bytes = blobs.get(digest) as Uint8Array;
    const data = bytes.subarray(offset, offset + length);
    pulls.chunk(ask.correlationId, { kind: 'blobChunk', digest, offset, data, sizeBytes: bytes.length });
    return true;
  };
  const askedOf = (blob: BlobRef): number => asked.filter(({ digest }) => digest === blob.digest).length;
  return { pulls, put, answer, askedOf, asked };
}

test('what is pulled for later pauses while somebody waits for anything, and then goes on', async () => {
  const { pulls, put, answer, askedOf } = scene();
  const [later, now] = [put(20 * CHUNK_BYTES), put(10 * CHUNK_BYTES)];
  const laterCame = pulls.pull(later, 'ahead');
  const nowCame = pulls.pull(now);
  assert.equal(askedOf(now), CHUNK_WINDOW);
  while (answer(later));
  assert.equal(askedOf(later), 0, 'what was asked for is taken, no more is asked for');
  while (answer(now));
  assert.equal((await nowCame).length, now.sizeBytes);
  assert.equal(askedOf(later), CHUNK_WINDOW_AHEAD);
  while (answer());
  assert.equal((await laterCame).length, later.sizeBytes);
});

test('a pull for later that somebody comes to wait for goes on beside the others', async () => {
  const { pulls, put, answer, askedOf } = scene();
  const [later, now] = [put(20 * CHUNK_BYTES), put(10 * CHUNK_BYTES)];
  const came = pulls.pull(later, 'ahead');
  void pulls.pull(now);
  while (answer(later));
  pulls.hurry(later.digest);
  assert.equal(askedOf(later), CHUNK_WINDOW);
  while (answer(later));
  assert.equal((await came).length, later.sizeBytes);
  assert.equal(askedOf(now), CHUNK_WINDOW);
});

test('pulls for later run one at a time and take no room from those that are waited for', async () => {
  const { pulls, put, askedOf, answer } = scene();
  const [first, second] = [put(CHUNK_BYTES), put(CHUNK_BYTES)];
  const both = [pulls.pull(first, 'ahead'), pulls.pull(second, 'ahead')];
  assert.deepEqual([askedOf(first), askedOf(second)], [1, 0]);
  // As large as all that may be pulled at once.
  const whole: BlobRef = { digest: 'f'.repeat(64) as Digest, sizeBytes: PULLING_BYTES_MAX };
  const refused = assert.rejects(pulls.pull(whole));
  assert.equal(askedOf(whole), CHUNK_WINDOW);
  pulls.refused(3, { kind: 'blobRefused', digest: whole.digest, code: 'blob_unknown', detail: '' });
  await refused;
  for (let i = 0; i < 10; i++) if (!answer(first)) answer(second);
  await Promise.all(both);
});

test('however pulls come, are hurried and fail: none for later is asked for beside an awaited one, and all end', async () => {
  const action = fc.record({
    what: fc.constantFrom('pull', 'ahead', 'hurry', 'answer', 'refuse'),
    which: fc.nat({ max: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 80 }), async (actions) => {
      const { pulls, put, answer, asked } = scene();
      const blobs = [0, 1, 500, 3000, 12_000, 25_000].map(put);
      const urgent = new Set<Digest>();
      const open = new Map<Digest, Promise<unknown>>();
      const begin = (blob: BlobRef, urgency: 'awaited' | 'ahead'): void => {
        if (urgency === 'awaited') urgent.add(blob.digest);
        const settled = pulls
          .pull(blob, urgency)
          .catch(() => undefined)
          .then(() => {
            open.delete(blob.digest);
            urgent.delete(blob.digest);
          });
        open.set(blob.digest, settled);
      };
      for (const { what, which } of actions) {
        const blob = blobs[which] as BlobRef;
        const before = asked.length;
        const wasUrgent = urgent.size > 0;
        switch (what) {
          case 'pull':
            begin(blob, 'awaited');
            break;
          case 'ahead':
            begin(blob, 'ahead');
            if (wasUrgent && !urgent.has(blob.digest)) assert.equal(asked.length, before);
            break;
          case 'hurry':
            if (open.has(blob.digest)) urgent.add(blob.digest);
            pulls.hurry(blob.digest);
            break;
          case 'answer':
            answer();
            break;
          case 'refuse': {
            const [ask] = asked.splice(0, 1);
            if (ask !== undefined)
              pulls.refused(ask.correlationId, {
                kind: 'blobRefused',
                digest: ask.digest,
                code: 'x',
                detail: '',
              });
          }
        }
        await new Promise((turn) => setImmediate(turn));
      }
      while (answer());
      await Promise.all(open.values());
      assert.equal(open.size, 0);
    }),
    { numRuns: 150 },
  );
});
