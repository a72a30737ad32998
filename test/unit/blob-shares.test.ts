/** Vehicles that mean harm with bulk bytes: whose disk they fill, whose bytes they are handed, whom they keep out. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import type { BlobBody, BlobPull, BlobRef, VehicleId } from '@plugpool/proto';
import { blobOf, blobScene, KIB } from '../blob-scene.ts';

test('one vehicle cannot fill the disk, nor many of them what is kept for who is plugged in', async (t) => {
  const pile = await blobScene(t);
  let taken = 0;
  while ((await pile.uploads('hostile', randomBytes(100 * KIB))) === 'hostile arrived') taken += 1;
  assert.equal(taken, 4, 'a third of what strangers may have together');
  assert.equal(pile.told.at(-1), 'hostile storage_full');
  assert.equal(await pile.uploads('honest', randomBytes(100 * KIB)), 'honest arrived');
  for (let i = 0; i < 30; i++) await pile.uploads(`made-up-${i}`, randomBytes(100 * KIB));
  assert.equal(await pile.uploads('another', randomBytes(100 * KIB)), 'another storage_full');
  assert.equal(await pile.uploads('resident', randomBytes(100 * KIB)), 'resident arrived');
});

test('inputs that are announced together are counted together', async (t) => {
  const pile = await blobScene(t);
  const blobs = Array.from({ length: 16 }, () => blobOf(randomBytes(100 * KIB)));
  await Promise.all(blobs.map((blob) => pile.names('hostile', blob)));
  assert.equal(pile.told.filter((line) => line === 'hostile storage_full').length, 12);
});

test('what no task needs any more counts in no share, and stays while there is room; what one needs counts', async (t) => {
  const pile = await blobScene(t);
  const inputs = Array.from({ length: 4 }, () => randomBytes(100 * KIB));
  for (const bytes of inputs) await pile.uploads('honest', bytes);
  const [first] = inputs.map(blobOf);
  assert.ok(first);
  pile.needed.add(first.digest);
  assert.equal(await pile.uploads('honest', randomBytes(100 * KIB)), 'honest storage_full', 'they are young');
  pile.nowMs += 60_001;
  assert.equal(await pile.uploads('honest', randomBytes(100 * KIB)), 'honest arrived');
  assert.deepEqual(
    inputs.map((bytes) => pile.blobs.has(blobOf(bytes).digest)),
    [true, true, true, true],
  );
});

test('what is owed to nobody makes room also where a start has forgotten for whom it was held', async (t) => {
  const pile = await blobScene(t);
  const image = await pile.blobs.put(randomBytes(100 * KIB));
  const forgotten = await pile.blobs.put(randomBytes(1_200 * KIB));
  pile.needed.add(image.digest);
  assert.equal(await pile.uploads('one', randomBytes(100 * KIB)), 'one arrived');
  assert.equal(await pile.uploads('other', randomBytes(250 * KIB)), 'other storage_full');
  pile.nowMs += 60_001;
  assert.equal(await pile.uploads('other', randomBytes(250 * KIB)), 'other arrived');
  const has = ({ digest }: BlobRef): boolean => pile.blobs.has(digest);
  assert.deepEqual([image, forgotten].map(has), [true, false]);
});

test('who asks again and again for room that it has not takes nobody’s turn to make some', async (t) => {
  const pile = await blobScene(t);
  for (const vehicle of ['hostile', 'honest'])
    for (let i = 0; i < 2; i++) await pile.uploads(vehicle, randomBytes(150 * KIB));
  pile.nowMs += 60_001;
  for (let i = 0; i < 2; i++) await pile.uploads('hostile', randomBytes(150 * KIB));
  assert.equal(await pile.uploads('hostile', randomBytes(400 * KIB)), 'hostile storage_full');
  assert.equal(await pile.uploads('honest', randomBytes(350 * KIB)), 'honest arrived');
});

test('an output counts as its requester’s, who then has no room for more of them, and its donor has', async (t) => {
  const pile = await blobScene(t);
  for (let i = 0; i < 6; i++)
    assert.equal(await pile.uploads('donor', randomBytes(100 * KIB), 'hoarder'), 'donor arrived');
  assert.equal(await pile.uploads('donor', randomBytes(100 * KIB), 'hoarder'), 'donor storage_full');
  assert.equal(await pile.uploads('donor', randomBytes(100 * KIB), 'other'), 'donor arrived');
});

test('who asked with as many bytes as it may is brought what comes of them: else neither would ever go', async (t) => {
  for (const asker of ['stranger', 'resident']) {
    const pile = await blobScene(t);
    while ((await pile.uploads(asker, randomBytes(100 * KIB))) === `${asker} arrived`);
    assert.equal(await pile.uploads('donor', randomBytes(100 * KIB), asker), 'donor arrived');
  }
});

test('who heard of a digest is asked for the bytes, as if they were not here, and is handed none of them', async (t) => {
  const pile = await blobScene(t);
  const bytes = randomBytes(100 * KIB);
  const blob = blobOf(bytes);
  await pile.uploads('victim', bytes);
  await pile.names('thief', blob);
  const asked = pile.pullsOf('thief');
  await pile.names('thief', blobOf(randomBytes(100 * KIB)));
  const bare = ({ offset, length }: BlobPull) => ({ offset, length });
  assert.deepEqual(asked.map(bare), pile.pullsOf('thief').map(bare), 'as of bytes that nobody has');
  const held = await pile.pulls('thief', blob.digest);
  const unknown = await pile.pulls('thief', blobOf(randomBytes(10)).digest);
  const reasonOf = (bodies: readonly BlobBody[]) =>
    bodies.map((body) => (body.kind === 'blobRefused' ? [body.code, body.detail] : body.kind));
  assert.deepEqual(reasonOf(held), reasonOf(unknown));
  await pile.names('thief', blob);
  await pile.sends('thief', randomBytes(100 * KIB));
  assert.ok(!pile.told.includes('thief arrived'));
  assert.ok(pile.told.includes('thief digest_mismatch'));
  assert.ok(pile.blobs.has(blob.digest), 'and the victim’s are still there');
  const [chunk] = await pile.pulls('victim', blob.digest);
  assert.equal(chunk?.kind, 'blobChunk');
});

test('who has the bytes too shows it by sending them, and they take no room of its own', async (t) => {
  const pile = await blobScene(t);
  const bytes = randomBytes(100 * KIB);
  await pile.uploads('one', bytes);
  assert.equal(await pile.uploads('other', bytes), 'other arrived');
  assert.equal(pile.blobs.tableOf('other' as VehicleId).own, 0);
  assert.equal(pile.blobs.tableOf('one' as VehicleId).own, 100 * KIB);
});

test('an upload that another vehicle begins and does not send keeps nobody out, whatever size it names', async (t) => {
  for (const sizeBytes of [100 * KIB, 1]) {
    const pile = await blobScene(t);
    const bytes = randomBytes(100 * KIB);
    const { digest } = blobOf(bytes);
    await pile.names('hostile', { digest, sizeBytes });
    assert.equal(await pile.uploads('honest', bytes), undefined, 'the other has a moment to send them');
    await pile.stallsUntilAsked('honest');
    await pile.sends('honest', bytes);
    assert.deepEqual(pile.told, ['honest arrived']);
    assert.equal(pile.blobs.holderOf(digest), 'honest');
    await pile.sends('hostile', randomBytes(sizeBytes));
    assert.ok(!pile.told.includes('hostile arrived'));
    assert.ok(pile.blobs.has(digest));
  }
});

test('two vehicles that send the same output side by side both have it taken, and it is there once', async (t) => {
  const pile = await blobScene(t);
  const bytes = randomBytes(200 * KIB);
  await pile.names('one', blobOf(bytes), 'asker');
  await pile.names('other', blobOf(bytes), 'asker');
  await pile.sends('other', bytes);
  assert.deepEqual(pile.told, [], 'what it showed is not here yet');
  await pile.sends('one', bytes);
  assert.deepEqual([...pile.told].sort(), ['one arrived', 'other arrived']);
  assert.equal(pile.blobs.tableOf('asker' as VehicleId).own, 200 * KIB);
});
