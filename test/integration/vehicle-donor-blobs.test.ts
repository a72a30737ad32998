/** What travels by its digest between a donor and a pile that follows a script: images, inputs and outputs, in pulled chunks. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { AlgorithmId, BlobRef, Deploy, Digest, RuntimeKind } from '@plugpool/proto';
import { CHUNK_WINDOW_AHEAD } from '../../vehicle-client/blob-pulls.ts';
import { startDonor } from '../../vehicle-client/start-donor.ts';
import { donorScene, heldOffer, LENDER } from './vehicle-donor-scene.ts';
import { echoOffer, refOf, type Heard } from './vehicle-scripted-pile.ts';

function deployOf(...images: readonly (readonly [RuntimeKind, BlobRef])[]): Deploy {
  return {
    kind: 'deploy',
    images: images.map(([runtime, image], i) => ({
      algorithmId: `algorithm-${i}` as AlgorithmId,
      version: '1',
      runtime,
      image,
    })),
  };
}

test('image and large input are pulled in chunks, taken up again after a cut, and cached', async (t) => {
  const { pile, held } = await donorScene(t);
  const image = pile.put(randomBytes(300_000));
  const inputBytes = randomBytes(1_500_000);
  const input = pile.put(inputBytes);
  pile.send(LENDER, heldOffer('a', { image, input: { where: 'blob', blob: input } }));
  // Cut in the middle of the input: after the image's five chunks and a few of the input's.
  for (let i = 0; i < 9; i++) await pile.next('blobPull');
  pile.cut();
  await held.started(1);
  assert.equal(Buffer.compare(held.jobs[0]?.job.input ?? new Uint8Array(), inputBytes), 0);
  const servedOnce = pile.chunksServed;
  pile.send(LENDER, heldOffer('b', { image, input: { where: 'blob', blob: input } }));
  await held.started(2);
  assert.equal(pile.chunksServed, servedOnce, 'the second attempt pulled nothing');
  assert.ok(servedOnce < 60, `${servedOnce} chunks for 28: little was pulled twice`);
});

test('a deployed image is fetched ahead and reported, and its run then waits for nothing', async (t) => {
  const { pile, held } = await donorScene(t);
  const images = [pile.put(randomBytes(200_000)), pile.put(randomBytes(100_000))] as const;
  const elsewhere = pile.put(randomBytes(100));
  pile.send(LENDER, deployOf(['onnx', elsewhere], ['wasm', images[0]], ['wasm', images[1]]));
  const isTold = (digest: Digest) => (heard: Heard<'capacity'>) => heard.body.cachedImages.includes(digest);
  const report = await pile.next('capacity', isTold(images[1].digest));
  assert.ok(isTold(images[0].digest)(report));
  assert.equal(isTold(elsewhere.digest)(report), false, 'there is no runtime for it here');
  const chunks = pile.chunksServed;
  pile.send(LENDER, heldOffer('a', { image: images[0] }));
  await held.started(1);
  assert.equal(pile.chunksServed, chunks);
});

test('an image that is fetched ahead makes way for the image of a lease', async (t) => {
  const { pile, held } = await donorScene(t);
  const [ahead, leased] = [pile.put(randomBytes(1_500_000)), pile.put(randomBytes(1_000_000))];
  pile.servesBlobs = false;
  pile.send(LENDER, deployOf(['wasm', ahead]));
  for (let i = 0; i < CHUNK_WINDOW_AHEAD; i++)
    await pile.next('blobPull', ({ body }) => body.digest === ahead.digest);
  pile.send(LENDER, heldOffer('a', { image: leased }));
  for (let i = 0; i < 8; i++) await pile.next('blobPull', ({ body }) => body.digest === leased.digest);
  pile.servesBlobs = true;
  pile.cut();
  await held.started(1);
  await pile.next('capacity', ({ body }) => body.cachedImages.includes(ahead.digest));
  const asked = pile.unread('blobPull').map(({ body }) => body);
  const lastLeased = asked.findLastIndex(({ digest }) => digest === leased.digest);
  const firstNew = asked.findIndex(
    ({ digest, offset }) => digest === ahead.digest && offset >= CHUNK_WINDOW_AHEAD * 64 * 1024,
  );
  assert.ok(lastLeased < firstNew, `${lastLeased} < ${firstNew}`);
});

test('a lease for the image that is being fetched ahead takes over what is here of it', async (t) => {
  const { pile, held } = await donorScene(t);
  const image = pile.put(randomBytes(1_500_000));
  pile.servesBlobs = false;
  pile.send(LENDER, deployOf(['wasm', image]));
  for (let i = 0; i < CHUNK_WINDOW_AHEAD; i++) await pile.next('blobPull');
  pile.send(LENDER, heldOffer('a', { image }), heldOffer('b'));
  // It was heard in one frame with the first.
  await held.started(1);
  pile.servesBlobs = true;
  pile.cut();
  await held.started(2);
  assert.equal(pile.chunksServed, Math.ceil(1_500_000 / (64 * 1024)));
});

test('a pile that does not have what it deploys is asked once, and the donor goes on', async (t) => {
  const { pile, donor } = await donorScene(t);
  pile.send(LENDER, deployOf(['wasm', refOf(randomBytes(100_000))], ['wasm', pile.put(randomBytes(1000))]));
  await pile.next('capacity', ({ body }) => body.cachedImages.length === 1);
  assert.deepEqual(donor.status().images, { deployed: 2, kept: 1 });
  pile.send(LENDER, echoOffer('a', new Uint8Array()));
  await pile.next('result');
  assert.equal(pile.unread('blobPull').filter(({ body }) => body.offset === 0).length, 2);
});

test('an image that hashes to something else is not run', async (t) => {
  const { pile, held } = await donorScene(t);
  const image = pile.put(randomBytes(100_000));
  pile.blobs.set(image.digest, randomBytes(100_000));
  pile.send(LENDER, heldOffer('a', { image }));
  const result = await pile.next('result');
  assert.ok(!result.body.outcome.ok);
  assert.equal(result.body.outcome.failure.code, 'image_unavailable');
  assert.match(result.body.outcome.failure.detail, /hash to something else/);
  assert.equal(held.jobs.length, 0);
});

test('an input that the pile refuses ends the attempt with the reason', async (t) => {
  const { pile } = await donorScene(t);
  pile.send(LENDER, heldOffer('a', { input: { where: 'blob', blob: refOf(randomBytes(100_000)) } }));
  const result = await pile.next('result');
  assert.ok(!result.body.outcome.ok && result.body.outcome.failure.code === 'input_unavailable');
});

test('an output above what its offer lets travel inline goes by digest', async (t) => {
  const { pile } = await donorScene(t);
  const limits = { ...echoOffer('a', new Uint8Array()).limits, inlineBytes: 100 };
  const wheres = [];
  for (const length of [100, 101]) {
    pile.send(LENDER, echoOffer(`of-${length}`, randomBytes(length), { limits }));
    const { outcome, lease } = (await pile.next('result')).body;
    assert.ok(outcome.ok);
    wheres.push(outcome.output.where);
    pile.send(LENDER, { kind: 'resultAck', lease, accepted: true, reason: '' });
  }
  assert.deepEqual(wheres, ['inline', 'blob']);
});

test('a large output waits for the pile to pull it, over a lost connection and a restart', async (t) => {
  const { pile, held, donor, options } = await donorScene(t);
  const output = randomBytes(900_000);
  pile.send(LENDER, heldOffer('a'));
  await held.started(1);
  held.jobs[0]?.end(output);
  const result = await pile.next('result');
  assert.ok(result.body.outcome.ok && result.body.outcome.output.where === 'blob');
  const { blob } = result.body.outcome.output;
  assert.equal(blob.digest, createHash('sha256').update(output).digest('hex'));
  assert.deepEqual(await pile.pull(LENDER, blob), output);
  await donor.stop();
  const second = await startDonor(options);
  t.after(() => second.stop());
  await pile.next('result');
  assert.deepEqual(await pile.pull(LENDER, blob), output);
});

test('pulls are answered in the order in which they were asked', async (t) => {
  const { pile, held } = await donorScene(t);
  pile.send(LENDER, heldOffer('a'));
  await held.started(1);
  held.jobs[0]?.end(randomBytes(2_000_000));
  const result = await pile.next('result');
  assert.ok(result.body.outcome.ok && result.body.outcome.output.where === 'blob');
  const { digest } = result.body.outcome.output.blob;
  const asked = Array.from({ length: 30 }, (_, i) => i + 1);
  for (const correlationId of asked) {
    // Long and short reads by turns: by themselves the short ones would be done first.
    const length = correlationId % 2 === 0 ? 1 : 65_536;
    pile.send(LENDER, { correlationId, body: { kind: 'blobPull', digest, offset: correlationId, length } });
  }
  const answered = [];
  for (const _ of asked) answered.push((await pile.next('blobChunk')).correlationId);
  assert.deepEqual(answered, asked);
});

test('bytes out of range and bytes that are not here are refused with a reason', async (t) => {
  const { pile, held } = await donorScene(t);
  pile.send(LENDER, heldOffer('a'));
  await held.started(1);
  held.jobs[0]?.end(randomBytes(100_000));
  const result = await pile.next('result');
  assert.ok(result.body.outcome.ok && result.body.outcome.output.where === 'blob');
  const { digest } = result.body.outcome.output.blob;
  pile.send(LENDER, { correlationId: 5, body: { kind: 'blobPull', digest, offset: 99_999, length: 2 } });
  assert.equal((await pile.next('blobRefused')).body.code, 'range_invalid');
  pile.send(LENDER, {
    correlationId: 6,
    body: { kind: 'blobPull', digest: refOf(new Uint8Array([9])).digest, offset: 0, length: 1 },
  });
  assert.equal((await pile.next('blobRefused')).body.code, 'blob_unknown');
});
