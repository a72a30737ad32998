/** A disk that fills up with what was delivered already: who is owed nothing gives way, and what is owed never does. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import type { BlobRef } from '@plugpool/proto';
import { DiskRoom } from '../../agent/blobs/disk-room.ts';
import { blobOf, blobScene, KIB, TOTAL_BYTES, type BlobScene } from '../blob-scene.ts';

const MINUTE_MS = 60_001;

/** Outputs of so many vehicles, each acknowledged, each a second younger than the one before. */
async function acknowledged(pile: BlobScene, vehicles: number, name = 'asker'): Promise<BlobRef[]> {
  const outputs: BlobRef[] = [];
  for (let i = 0; i < vehicles; i++) {
    const bytes = randomBytes(100 * KIB);
    assert.equal(await pile.uploads('donor', bytes, `${name}-${i}`), 'donor arrived');
    outputs.push(blobOf(bytes));
    pile.nowMs += 1_000;
  }
  return outputs;
}

/** Looking at a blob is asking for it: done last. */
function held(pile: BlobScene, blobs: readonly BlobRef[]): boolean[] {
  return blobs.map((blob) => pile.has(blob));
}

test('acknowledged outputs of many vehicles fill the disk: whoever comes next is refused nothing for them', async (t) => {
  const pile = await blobScene(t);
  const outputs = await acknowledged(pile, 12);
  assert.equal(
    await pile.uploads('another', randomBytes(200 * KIB)),
    'another storage_full',
    'they are young',
  );
  pile.nowMs += MINUTE_MS;
  for (let i = 0; i < 6; i++)
    assert.equal(await pile.uploads(`another-${i}`, randomBytes(100 * KIB)), `another-${i} arrived`);
  assert.deepEqual(
    held(pile, outputs),
    outputs.map((_, i) => i > 1),
    'the two that were least recently asked for, and no more than was short',
  );
});

test('after a start the disk is full of what nobody is owed: the first upload is not refused for it', async (t) => {
  const pile = await blobScene(t);
  for (let i = 0; i < 16; i++) await pile.blobs.put(randomBytes(100 * KIB));
  pile.nowMs += MINUTE_MS;
  assert.equal(await pile.uploads('another', randomBytes(200 * KIB)), 'another arrived');
});

test('what was asked for again is not the next to go', async (t) => {
  const pile = await blobScene(t);
  const [first, second] = await acknowledged(pile, 12);
  assert.ok(first && second);
  assert.ok(pile.has(first));
  pile.nowMs += MINUTE_MS;
  for (let i = 0; i < 5; i++) await pile.uploads(`another-${i}`, randomBytes(100 * KIB));
  assert.deepEqual(held(pile, [first, second]), [true, false]);
});

test('what is owed goes for nobody: a disk full of it refuses, and keeps all of it', async (t) => {
  const pile = await blobScene(t);
  const owed = await acknowledged(pile, 12);
  for (const { digest } of owed) pile.needed.add(digest);
  pile.nowMs += MINUTE_MS;
  assert.equal(await pile.uploads('another', randomBytes(100 * KIB)), 'another storage_full');
  assert.deepEqual(
    held(pile, owed),
    owed.map(() => true),
  );
});

test('who has its share in what it is owed pushes out nothing of others', async (t) => {
  const pile = await blobScene(t);
  const outputs = await acknowledged(pile, 6);
  for (let i = 0; i < 4; i++) {
    const bytes = randomBytes(100 * KIB);
    pile.nowMs += MINUTE_MS;
    assert.equal(await pile.uploads('hostile', bytes), 'hostile arrived');
    pile.needed.add(blobOf(bytes).digest);
  }
  pile.nowMs += MINUTE_MS;
  assert.equal(await pile.uploads('hostile', randomBytes(100 * KIB)), 'hostile storage_full');
  assert.ok(held(pile, outputs).every(Boolean));
});

test('its own goes first: who fills the disk over and over pushes out its own', async (t) => {
  const pile = await blobScene(t);
  const outputs = await acknowledged(pile, 6);
  for (let i = 0; i < 40; i++) {
    pile.nowMs += MINUTE_MS;
    assert.equal(await pile.uploads('hostile', randomBytes(100 * KIB)), 'hostile arrived');
  }
  assert.ok(held(pile, outputs).every(Boolean));
});

test('of its own as much goes as is short, and no more', async (t) => {
  const pile = await blobScene(t);
  await acknowledged(pile, 8);
  const own = Array.from({ length: 4 }, () => randomBytes(100 * KIB));
  for (const bytes of own) {
    pile.nowMs += MINUTE_MS;
    assert.equal(await pile.uploads('honest', bytes), 'honest arrived');
  }
  await acknowledged(pile, 4, 'later');
  pile.nowMs += MINUTE_MS;
  assert.equal(await pile.uploads('honest', randomBytes(150 * KIB)), 'honest arrived');
  assert.deepEqual(held(pile, own.map(blobOf)), [false, false, true, true]);
});

test('what is announced and never sent pushes out nothing; what comes pushes out as much as comes', async (t) => {
  const pile = await blobScene(t);
  const outputs = await acknowledged(pile, 12);
  pile.nowMs += MINUTE_MS;
  const bytes = randomBytes(500 * KIB);
  await pile.names('hostile', blobOf(bytes));
  await pile.names('made-up', blobOf(randomBytes(250 * KIB)));
  assert.equal(pile.pullsOf('made-up').length > 0, true, 'it is asked for them');
  assert.equal(pile.blobs.usage().writtenBytes, 1_200 * KIB, 'nothing went yet');
  await pile.sends('hostile', bytes);
  assert.equal(pile.told.at(-1), 'hostile arrived');
  assert.deepEqual(
    held(pile, outputs),
    outputs.map((_, i) => i > 0),
  );
});

test('what strangers leave goes before what a resident has, however young it is', async (t) => {
  const pile = await blobScene(t);
  const bytes = randomBytes(300 * KIB);
  assert.equal(await pile.uploads('donor', bytes, 'resident'), 'donor arrived');
  pile.nowMs += MINUTE_MS;
  for (let i = 0; i < 60; i++) {
    await pile.uploads(`made-up-${i}`, randomBytes(100 * KIB));
    pile.nowMs += 10_000;
  }
  assert.ok(pile.has(blobOf(bytes)));
});

test('who asks again for bytes that went hears that they are not here, and no other hears more than before', async (t) => {
  const pile = await blobScene(t);
  const [output] = await acknowledged(pile, 12);
  assert.ok(output);
  pile.nowMs += MINUTE_MS;
  for (let i = 0; i < 5; i++) await pile.uploads(`another-${i}`, randomBytes(100 * KIB));
  pile.mayPull.add(`asker-0/${output.digest}`);
  const refusalTo = async (vehicle: string): Promise<string> => {
    const [body] = await pile.pulls(vehicle, output.digest);
    return body?.kind === 'blobRefused' ? `${body.code}: ${body.detail}` : String(body?.kind);
  };
  assert.match(await refusalTo('asker-0'), /^blob_unknown: .*no longer/);
  assert.match(await refusalTo('thief'), /^blob_unknown: no lease/);
});

test('room is made for an image too, of whatever nobody is owed', async (t) => {
  const pile = await blobScene(t);
  await acknowledged(pile, 12);
  pile.nowMs += MINUTE_MS;
  await pile.room.makeRoom(TOTAL_BYTES);
  assert.equal(pile.blobs.usage().usedBytes, 0);
  await assert.rejects(pile.room.makeRoom(TOTAL_BYTES + 1), { name: 'StoreError', code: 'full' });
});

test('the operator is told once, before anybody is refused, and again only after there was room', async (t) => {
  const pile = await blobScene(t);
  await pile.room.start();
  const owed = await acknowledged(pile, 9);
  await pile.passes(MINUTE_MS);
  assert.equal(pile.lines.length, 0, 'all of it could go');
  assert.deepEqual((await pile.room.view()).short, []);
  for (const { digest } of owed) pile.needed.add(digest);
  for (let i = 0; i < 3; i++) await pile.passes(MINUTE_MS);
  assert.equal(pile.lines.length, 0, 'nine sixteenths');
  const [more] = await acknowledged(pile, 1, 'more');
  assert.ok(more);
  pile.needed.add(more.digest);
  for (let i = 0; i < 3; i++) await pile.passes(MINUTE_MS);
  assert.deepEqual(
    pile.lines.map(({ what }) => what),
    ['images and payloads that are needed leave little room'],
  );
  assert.match(pile.lines[0]?.hint ?? '', /storage\.blobsMib/);
  const { short, spareBytes, usedBytes } = await pile.room.view();
  assert.deepEqual(
    short.map(({ what }) => what),
    ['payloads'],
  );
  assert.deepEqual([spareBytes, usedBytes], [0, 1_000 * KIB]);
  assert.equal(
    await pile.uploads('another', randomBytes(100 * KIB)),
    'another arrived',
    'nobody is refused yet',
  );
  for (const { digest } of owed) pile.needed.delete(digest);
  await pile.passes(MINUTE_MS);
  for (const { digest } of owed) pile.needed.add(digest);
  await pile.passes(MINUTE_MS);
  assert.equal(pile.lines.length, 2, 'told anew');
});

test('where files that may go are not enough, the store lets go of what is missing, and it is told', async () => {
  const asked: number[] = [];
  const lines: object[] = [];
  const disk = { freeBytes: 30 * KIB, keepBytes: 100 * KIB };
  const usage = { maxBytes: 0, usedBytes: 0, writtenBytes: 0, disk };
  const room = new DiskRoom({
    blobs: {
      usage: () => usage,
      lookAtDisk: () => Promise.resolve(),
      spare: () => Promise.resolve([]),
      letGo: () => Promise.resolve(0),
    },
    store: {
      owedBlobs: () => Promise.resolve(new Set()),
      freeAcknowledged: (freeBytes) => {
        asked.push(freeBytes);
        return Promise.resolve({ payloads: asked.length < 4 ? 64 : 0, freeBytes: asked.length * 20 * KIB });
      },
    },
    clock: { now: () => ({ monoMs: 0, wallMs: 0 }), setTimer: () => () => undefined },
    log: { info: (line: object) => lines.push(line), warn: (line: object) => lines.push(line) },
    isResident: () => false,
  });
  await room.look();
  assert.deepEqual(asked, [70 * KIB, 70 * KIB, 70 * KIB, 70 * KIB]);
  assert.deepEqual(lines[0], { blobs: 0, bytes: 0, payloads: 192 });
  assert.deepEqual(
    (await room.view()).short.map(({ what }) => what),
    ['disk'],
  );
  disk.freeBytes = 100 * KIB;
  await room.look();
  assert.equal(asked.length, 4, 'all is there that is kept');
});

test('whoever uploads what, and whenever: nothing that is owed ever goes, and nothing is refused while little is owed', async (t) => {
  const step = fc.record({
    vehicle: fc.constantFrom('one', 'other', 'third', 'resident'),
    kib: fc.integer({ min: 1, max: 130 }),
    owed: fc.boolean(),
    acknowledges: fc.nat(8),
    waitMs: fc.constantFrom(0, 6_000, MINUTE_MS),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const pile = await blobScene(t);
      const owed: BlobRef[] = [];
      for (const { vehicle, kib, owed: isOwed, acknowledges, waitMs } of steps) {
        pile.nowMs += waitMs;
        const bytes = randomBytes(kib * KIB);
        const neededBytes = owed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        const told = await pile.uploads(vehicle, bytes);
        // Four share 1,200 KiB: a fifth of it is everybody's, with what is young besides.
        if (waitMs === MINUTE_MS && neededBytes <= 100 * KIB) assert.equal(told, `${vehicle} arrived`);
        if (isOwed && told === `${vehicle} arrived`) {
          owed.push(blobOf(bytes));
          pile.needed.add(blobOf(bytes).digest);
        }
        const [acknowledged] = owed.splice(acknowledges, 1);
        if (acknowledged !== undefined) pile.needed.delete(acknowledged.digest);
        for (const { digest } of owed) assert.notEqual(pile.blobs.holderOf(digest), undefined, 'owed');
        const { writtenBytes, maxBytes } = pile.blobs.usage();
        assert.ok(writtenBytes <= maxBytes);
      }
    }),
    { numRuns: 20 },
  );
});
