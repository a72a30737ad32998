/** A donor against a pile that follows a script: offers, renewals, revocations, results, lost connections, restarts. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import type { AlgorithmId, BlobRef, Deploy, Digest, Offer, RuntimeKind } from '@plugpool/proto';
import { CHUNK_WINDOW_AHEAD } from '../../vehicle-client/blob-pulls.ts';
import type { Donor, DonorEvent } from '../../vehicle-client/donor.ts';
import { PlugpoolError } from '../../vehicle-client/errors.ts';
import { EchoRuntime } from '../../vehicle-client/runtimes/echo/runtime.ts';
import { startDonor, type DonorOptions } from '../../vehicle-client/start-donor.ts';
import {
  HeldRuntime,
  SAMPLE,
  ToldProbe,
  donorOptions,
  runtimesOf,
  temporaryDirectory,
} from './vehicle-fixtures.ts';
import {
  ScriptedPile,
  echoOffer,
  leaseOf,
  refOf,
  type Heard,
  type PileOptions,
} from './vehicle-scripted-pile.ts';

const LENDER = 'lender.lend';

interface Scene {
  readonly pile: ScriptedPile;
  readonly donor: Donor;
  readonly held: HeldRuntime;
  readonly probe: ToldProbe;
  readonly dataDir: string;
  readonly options: DonorOptions;
}

async function scene(
  t: TestContext,
  pileOptions: PileOptions = {},
  over: Partial<DonorOptions> = {},
): Promise<Scene> {
  const pile = await ScriptedPile.start(pileOptions);
  const dataDir = temporaryDirectory(t);
  const held = new HeldRuntime();
  const probe = new ToldProbe();
  const options = donorOptions(pile.url, dataDir, {
    probe,
    runtimesInstead: runtimesOf(new EchoRuntime(), held),
    ...over,
  });
  const donor = await startDonor(options);
  // In this order: what is stopped first may still say goodbye.
  t.after(() => donor.stop());
  t.after(() => pile.stop());
  await pile.next('capacity');
  return { pile, donor, held, probe, dataDir, options };
}

function heldOffer(instanceId: string, over: Partial<Offer> = {}): Offer {
  return echoOffer(instanceId, new Uint8Array([1]), { runtime: 'wasm', ...over });
}

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

test('hello names the hardware and the runtimes, and a capacity report follows the welcome', async (t) => {
  const { pile } = await scene(t);
  const hello = await pile.next('hello');
  assert.equal(hello.clientId, LENDER);
  assert.equal(hello.body.hardware?.cores, 4);
  assert.deepEqual([...hello.body.runtimes].sort(), ['echo', 'wasm']);
});

test('offers of one frame are answered in one frame', async (t) => {
  const { pile } = await scene(t);
  pile.send(LENDER, echoOffer('warm', new Uint8Array()));
  await pile.next('result');
  pile.send(LENDER, ...Array.from({ length: 20 }, (_, i) => echoOffer(`i${i}`, Buffer.from(`input ${i}`))));
  const results = [];
  for (let i = 0; i < 20; i++) results.push(await pile.next('result'));
  assert.equal(new Set(results.map((result) => result.frame)).size, 1);
  for (const [i, result] of results.entries()) {
    assert.ok(result.body.outcome.ok && result.body.outcome.output.where === 'inline');
    assert.equal(Buffer.from(result.body.outcome.output.bytes).toString(), `input ${i}`);
  }
});

test('an offer that comes twice runs once', async (t) => {
  const { pile, held } = await scene(t);
  pile.send(LENDER, heldOffer('a'), heldOffer('a'));
  await held.started(1);
  held.jobs[0]?.end(Buffer.from('done'));
  await pile.next('result');
  pile.send(LENDER, heldOffer('a'), heldOffer('b'));
  await held.started(2);
  assert.equal(held.jobs.length, 2);
  assert.equal((await pile.next('result')).body.lease.instanceId, 'a');
});

test('offers that do not fit, are not allowed or come while nothing is lent are declined', async (t) => {
  const probe = new ToldProbe();
  const { pile, donor } = await scene(
    t,
    {},
    {
      probe,
      policy: { ...donorOptions('', '').policy, allowedAlgorithms: ['echo'] },
    },
  );
  pile.send(
    LENDER,
    echoOffer('large', new Uint8Array(), { demand: { cpuMillicores: 4001, memoryMib: 1, threads: 1 } }),
  );
  assert.match((await pile.next('decline')).body.reason, /^capacity_gone/);
  pile.send(LENDER, echoOffer('other', new Uint8Array(), { algorithmId: 'other' as Offer['algorithmId'] }));
  assert.match((await pile.next('decline')).body.reason, /^algorithm_not_allowed/);
  pile.send(LENDER, echoOffer('model', new Uint8Array(), { runtime: 'onnx' }));
  assert.match((await pile.next('decline')).body.reason, /^runtime_missing/);
  donor.pause();
  pile.send(LENDER, echoOffer('late', new Uint8Array()));
  assert.match((await pile.next('decline')).body.reason, /^policy_paused/);
});

test('a lease that the pile does not name in its answer is void: its job is killed and nothing is said of it', async (t) => {
  const { pile, held } = await scene(t, { leaseMs: 300, renews: false });
  pile.send(LENDER, heldOffer('kept', { leaseMs: 300 }), heldOffer('void', { leaseMs: 300 }));
  await held.started(2);
  const renewal = await pile.next('renewal');
  assert.deepEqual(renewal.body.held.map((entry) => entry.lease.instanceId).sort(), ['kept', 'void']);
  pile.renews = true;
  pile.send(LENDER, {
    correlationId: renewal.correlationId,
    body: { kind: 'renewed', held: [leaseOf('kept')], leaseMs: 300 },
  });
  await held.killed(1);
  held.jobs[0]?.end(Buffer.from('done'));
  assert.equal((await pile.next('result')).body.lease.instanceId, 'kept');
  assert.equal(pile.unread('result').length, 0);
});

test('a donor whose renewals stay unanswered kills its job by itself', async (t) => {
  const { pile, held } = await scene(t, { leaseMs: 300, renews: false });
  pile.send(LENDER, heldOffer('a', { leaseMs: 300 }));
  await held.killed(0);
  assert.ok(pile.unread('renewal').length >= 1);
  assert.equal(pile.unread('result').length, 0);
});

test('a newer attempt of an instance ends the older one', async (t) => {
  const { pile, held } = await scene(t);
  pile.send(LENDER, heldOffer('a'));
  await held.started(1);
  pile.send(LENDER, heldOffer('a', { lease: leaseOf('a', 2) }));
  await held.started(2);
  assert.equal(held.jobs[0]?.wasKilled, true);
  held.jobs[1]?.end(Buffer.from('second'));
  assert.equal((await pile.next('result')).body.lease.fencingToken, 2);
});

test('a revoked job that ends within its grace is heard, one that does not is killed and says so', async (t) => {
  const { pile, held } = await scene(t, { leaseMs: 300 });
  pile.send(LENDER, heldOffer('quick', { leaseMs: 300 }), heldOffer('slow', { leaseMs: 300 }));
  await held.started(2);
  pile.send(
    LENDER,
    { kind: 'revoke', lease: leaseOf('quick'), reason: 'unplugged', graceMs: 60_000 },
    { kind: 'revoke', lease: leaseOf('slow'), reason: 'unplugged', graceMs: 30 },
  );
  held.jobs[0]?.end(Buffer.from('in time'));
  const first = await pile.next('result');
  assert.equal(first.body.outcome.ok, true);
  const second = await pile.next('result');
  assert.equal(second.body.lease.instanceId, 'slow');
  assert.ok(!second.body.outcome.ok && second.body.outcome.failure.code === 'revoked');
});

test('a pause is told to the pile and ends what runs', async (t) => {
  const { pile, held, donor, probe } = await scene(t, { leaseMs: 300 });
  pile.send(LENDER, heldOffer('a', { leaseMs: 300 }));
  await held.started(1);
  donor.pause();
  await held.killed(0);
  probe.tell(SAMPLE);
  const report = await pile.next('capacity', (heard) => !heard.body.lending);
  assert.match(report.body.reason, /paused/);
  donor.resume();
  probe.tell(SAMPLE);
});

test('a result that was not acknowledged is sent again after a lost connection', async (t) => {
  const { pile, held } = await scene(t);
  pile.send(LENDER, heldOffer('a'));
  await held.started(1);
  held.jobs[0]?.end(Buffer.from('kept'));
  await pile.next('result');
  await pile.next('hello');
  pile.cut();
  const hello = await pile.next('hello');
  assert.deepEqual(hello.body.held, [leaseOf('a')]);
  const again = await pile.next('result');
  assert.ok(again.body.outcome.ok && again.body.outcome.output.where === 'inline');
  assert.equal(Buffer.from(again.body.outcome.output.bytes).toString(), 'kept');
});

test('a job goes on over a lost connection, unless the welcome drops its lease', async (t) => {
  const { pile, held } = await scene(t, {
    judge: ({ held }) => ({
      keep: held.filter((lease) => lease.instanceId !== 'dropped'),
      drop: held.filter((lease) => lease.instanceId === 'dropped'),
    }),
  });
  pile.send(LENDER, heldOffer('going-on'), heldOffer('dropped'));
  await held.started(2);
  pile.cut();
  await held.killed(1);
  assert.equal(held.jobs[0]?.wasKilled, false);
  held.jobs[0].end(Buffer.from('done'));
  assert.equal((await pile.next('result')).body.lease.instanceId, 'going-on');
});

test('a result survives a restart and is forgotten once acknowledged', async (t) => {
  const { pile, held, donor, options } = await scene(t);
  pile.send(LENDER, heldOffer('a'));
  await held.started(1);
  held.jobs[0]?.end(Buffer.from('over the restart'));
  await pile.next('result');
  await donor.stop();

  const second = await startDonor(options);
  t.after(() => second.stop());
  const again = await pile.next('result');
  assert.ok(again.body.outcome.ok && again.body.outcome.output.where === 'inline');
  assert.equal(Buffer.from(again.body.outcome.output.bytes).toString(), 'over the restart');
  pile.send(LENDER, { kind: 'resultAck', lease: leaseOf('a'), accepted: true, reason: '' }, heldOffer('b'));
  await held.started(2);
  assert.equal(second.status().unacknowledgedResults, 0);
  await second.stop();

  const third = await startDonor(options);
  t.after(() => third.stop());
  assert.equal(third.status().unacknowledgedResults, 1, 'only the result of b, which was killed at the stop');
});

test('a result of one pile is neither handed to another nor forgotten at its word', async (t) => {
  let isThere = true;
  const { pile, held, donor } = await scene(t, {
    judge: ({ held: leases }) => (isThere ? { keep: leases, drop: [] } : { keep: [], drop: leases }),
  });
  pile.send(LENDER, heldOffer('a'));
  await held.started(1);
  held.jobs[0]?.end(Buffer.from('of the first pile'));
  await pile.next('result');
  [pile.stationId, isThere] = ['another', false];
  pile.cut();
  await pile.next('capacity');
  // What is answered after all that its welcome led to.
  pile.send(LENDER, { kind: 'resultAck', lease: leaseOf('a'), accepted: false, reason: 'lease_void' });
  pile.send(LENDER, heldOffer('b'));
  await held.started(2);
  assert.deepEqual(pile.unread('result'), []);
  assert.equal(donor.status().unacknowledgedResults, 1);
  [pile.stationId, isThere] = ['scripted', true];
  pile.cut();
  const again = await pile.next('result', ({ body }) => body.lease.instanceId === leaseOf('a').instanceId);
  assert.ok(again.body.outcome.ok && again.body.outcome.output.where === 'inline');
  assert.equal(Buffer.from(again.body.outcome.output.bytes).toString(), 'of the first pile');
});

test('an acknowledged result is sent no more', async (t) => {
  const { pile } = await scene(t);
  pile.send(LENDER, echoOffer('a', Buffer.from('x')));
  await pile.next('result');
  pile.send(
    LENDER,
    { kind: 'resultAck', lease: leaseOf('a'), accepted: true, reason: '' },
    echoOffer('b', Buffer.from('y')),
  );
  await pile.next('result');
  await pile.next('hello');
  pile.cut();
  assert.deepEqual((await pile.next('hello')).body.held, [leaseOf('b')]);
});

test('image and large input are pulled in chunks, taken up again after a cut, and cached', async (t) => {
  const { pile, held } = await scene(t);
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
  const { pile, held } = await scene(t);
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
  const { pile, held } = await scene(t);
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
  const { pile, held } = await scene(t);
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
  const { pile, donor } = await scene(t);
  pile.send(LENDER, deployOf(['wasm', refOf(randomBytes(100_000))], ['wasm', pile.put(randomBytes(1000))]));
  await pile.next('capacity', ({ body }) => body.cachedImages.length === 1);
  assert.deepEqual(donor.status().images, { deployed: 2, kept: 1 });
  pile.send(LENDER, echoOffer('a', new Uint8Array()));
  await pile.next('result');
  assert.equal(pile.unread('blobPull').filter(({ body }) => body.offset === 0).length, 2);
});

test('an image that hashes to something else is not run', async (t) => {
  const { pile, held } = await scene(t);
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
  const { pile } = await scene(t);
  pile.send(LENDER, heldOffer('a', { input: { where: 'blob', blob: refOf(randomBytes(100_000)) } }));
  const result = await pile.next('result');
  assert.ok(!result.body.outcome.ok && result.body.outcome.failure.code === 'input_unavailable');
});

test('a program learns which of how many parts it is, and an only one that it is part 0 of 1', async (t) => {
  const { pile, held } = await scene(t);
  pile.send(LENDER, heldOffer('part', { part: { index: 2, count: 4 } }), heldOffer('only'));
  await held.started(2);
  assert.deepEqual(
    held.jobs.map(({ job }) => job.env),
    [
      { PLUGPOOL_PART: '2', PLUGPOOL_PARTS: '4' },
      { PLUGPOOL_PART: '0', PLUGPOOL_PARTS: '1' },
    ],
  );
});

test('an output above what its offer lets travel inline goes by digest', async (t) => {
  const { pile } = await scene(t);
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

test("the owner's constraint stands in every report, and an owner without one says none", async (t) => {
  const policy = { ...donorOptions('', '').policy, requestConstraint: 'request.priority > 1' };
  const bound = await scene(t, {}, { policy });
  bound.pile.cut();
  assert.equal((await bound.pile.next('capacity')).body.constraint, 'request.priority > 1');
  const free = await scene(t);
  free.pile.cut();
  assert.equal('constraint' in (await free.pile.next('capacity')).body, false);
});

test('a constraint that the pile cannot take is told once, for as long as the connection lasts', async (t) => {
  const events: DonorEvent[] = [];
  const policy = { ...donorOptions('', '').policy, requestConstraint: 'request.cors > 1' };
  const { pile, donor } = await scene(t, {}, { policy, onEvent: (event) => events.push(event) });
  const reason = {
    code: 'constraint_invalid',
    detail: 'no field cors',
    hint: 'did you mean cores?',
  } as const;
  const refused = { kind: 'refused', reasons: [reason], retryable: false } as const;
  pile.send(LENDER, refused, refused, echoOffer('a', new Uint8Array()));
  await pile.next('result');
  assert.deepEqual(
    events.filter(({ kind }) => kind === 'constraintRefused'),
    [{ kind: 'constraintRefused', detail: 'no field cors', hint: 'did you mean cores?' }],
  );
  assert.equal(donor.status().constraintProblem?.detail, 'no field cors');
  pile.cut();
  await pile.next('capacity');
  assert.equal(donor.status().constraintProblem, undefined);
});

test('a large output waits for the pile to pull it, over a lost connection and a restart', async (t) => {
  const { pile, held, donor, options } = await scene(t);
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
  const { pile, held } = await scene(t);
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
  const { pile, held } = await scene(t);
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

test('a pile that could not store a result gets it again', async (t) => {
  const { pile } = await scene(t);
  pile.send(LENDER, echoOffer('a', Buffer.from('x')));
  const result = await pile.next('result');
  const reasons = [{ code: 'storage_unavailable', detail: 'disk', hint: 'wait' }] as const;
  pile.send(LENDER, {
    correlationId: result.correlationId,
    body: { kind: 'refused', reasons, retryable: true },
  });
  assert.equal((await pile.next('result')).body.lease.instanceId, 'a');
});

test('rubbish from a pile changes nothing', async (t) => {
  const { pile } = await scene(t);
  pile.sendRaw(LENDER, Buffer.from('no frame at all'));
  pile.send(LENDER, echoOffer('a', Buffer.from('x')));
  assert.equal((await pile.next('result')).body.lease.instanceId, 'a');
});

test('a second donor with the same data directory is told so', async (t) => {
  const { options } = await scene(t);
  await assert.rejects(startDonor(options), (error) => {
    assert.ok(error instanceof PlugpoolError);
    assert.equal(error.code, 'data_dir_held');
    return true;
  });
});

test('a pause outlives a restart', async (t) => {
  const { donor, options } = await scene(t);
  donor.pause();
  await donor.stop();
  const second = await startDonor(options);
  t.after(() => second.stop());
  assert.equal(second.status().lending.lending, false);
  assert.equal(second.status().owner.paused, true);
});
