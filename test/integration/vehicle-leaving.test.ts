/** A donor whose runs must give way, against a pile that follows a script: what they kept is shipped, and what may go on goes on. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import type { Offer } from '@plugpool/proto';
import { packCheckpoint } from '../../vehicle-client/runtimes/checkpoint-archive.ts';
import type { KeptRun } from '../../vehicle-client/runtimes/port.ts';
import { donorScene, heldOffer, LENDER, type DonorScene } from './vehicle-donor-scene.ts';
import { leaseOf, type ScriptedPile } from './vehicle-scripted-pile.ts';

const MINUTES_MS = 60_000;

function scene(t: TestContext, leaseMs = 300): Promise<DonorScene> {
  return donorScene(t, { leaseMs });
}

function keepingOffer(instanceId: string, over: Partial<Offer> = {}): Offer {
  return heldOffer(instanceId, { leaseMs: 300, checkpointEveryMs: 20, ...over });
}

function keptOf(text: string, cpuMs: number): KeptRun {
  const packed = packCheckpoint([{ path: 'state', bytes: Buffer.from(text) }]);
  assert(packed.ok);
  return { archive: packed.archive, used: { cpuMs, wallMs: cpuMs, memoryPeakMib: 1, gpuMs: 0 } };
}

function digestOf({ archive }: KeptRun): string {
  return createHash('sha256').update(archive).digest('hex');
}

function acknowledge(pile: ScriptedPile, instanceId: string, accepted = true): void {
  pile.send(LENDER, { kind: 'checkpointAck', lease: leaseOf(instanceId), accepted, reason: '' });
}

test('what a run keeps is sent when it is news, one at a time, and never twice', async (t) => {
  const { pile, held } = await scene(t);
  pile.send(LENDER, keepingOffer('a'));
  await held.started(1);
  const [job] = held.jobs;
  assert.ok(job);
  const [first, second] = [keptOf('one', 10), keptOf('two', 20)];
  job.kept = first;
  const sent = await pile.next('checkpoint');
  assert.deepEqual([sent.body.state.digest, sent.body.used.cpuMs], [digestOf(first), 10]);
  job.kept = second;
  // Renewals go on: the second waits for the acknowledgement of the first.
  for (let i = 0; i < 3; i++) await pile.next('renewal');
  assert.equal(pile.unread('checkpoint').length, 0);
  acknowledge(pile, 'a');
  assert.equal((await pile.next('checkpoint')).body.state.digest, digestOf(second));
  acknowledge(pile, 'a');
  for (let i = 0; i < 3; i++) await pile.next('renewal');
  assert.equal(pile.unread('checkpoint').length, 0);
});

test('a pile that has had enough for now is sent what is newest, and not before it said', async (t) => {
  const { pile, held } = await scene(t);
  pile.send(LENDER, keepingOffer('a'));
  await held.started(1);
  const [job] = held.jobs;
  assert.ok(job);
  job.kept = keptOf('one', 10);
  const { correlationId } = await pile.next('checkpoint');
  const reasons = [{ code: 'rate_limited', detail: 'enough for now', hint: 'later' }] as const;
  const sentMs = performance.now();
  pile.send(LENDER, {
    correlationId,
    body: { kind: 'refused', reasons, retryable: true, retryAfterMs: 400 },
  });
  job.kept = keptOf('two', 20);
  assert.equal((await pile.next('checkpoint')).body.state.digest, digestOf(job.kept));
  assert.ok(performance.now() - sentMs >= 400);
});

test('a revoked run stands still, ships what it kept, and says that it is revoked once the pile has it', async (t) => {
  const { pile, held } = await scene(t);
  pile.send(LENDER, keepingOffer('a', { checkpointEveryMs: 60 * MINUTES_MS }));
  await held.started(1);
  const [job] = held.jobs;
  assert.ok(job);
  job.kept = keptOf('all of it', 30);
  pile.send(LENDER, { kind: 'revoke', lease: leaseOf('a'), reason: 'unplugged', graceMs: MINUTES_MS });
  const sent = await pile.next('checkpoint');
  assert.equal(sent.body.state.digest, digestOf(job.kept));
  assert.deepEqual(job.signals, ['suspend']);
  const renewal = await pile.next('renewal', ({ body }) => body.held.some(({ suspended }) => suspended));
  assert.equal(renewal.body.held[0]?.lease.instanceId, 'a');
  assert.equal(pile.unread('result').length, 0);
  acknowledge(pile, 'a');
  const result = await pile.next('result');
  assert.ok(!result.body.outcome.ok && result.body.outcome.failure.code === 'revoked');
});

test('a revoked run that the pile keeps nothing of ends at once', async (t) => {
  const { pile, held } = await scene(t);
  pile.send(LENDER, keepingOffer('a'));
  await held.started(1);
  const [job] = held.jobs;
  assert.ok(job);
  job.kept = keptOf('unwanted', 1);
  await pile.next('checkpoint');
  acknowledge(pile, 'a', false);
  pile.send(LENDER, { kind: 'revoke', lease: leaseOf('a'), reason: 'unplugged', graceMs: MINUTES_MS });
  await pile.next('result');
});

test('an owner who takes the machine and gives it back at once finds that nothing was lost', async (t) => {
  const { pile, held, donor, probe } = await scene(t);
  pile.send(LENDER, keepingOffer('a'));
  await held.started(1);
  donor.pause();
  await held.signalled(0, 1);
  const { lendable } = (await pile.next('capacity', ({ body }) => body.reason.includes('paused'))).body;
  assert.equal(lendable.cpuMillicores, keepingOffer('a').demand.cpuMillicores, 'what is held, and no more');
  pile.send(LENDER, keepingOffer('b'));
  assert.match((await pile.next('decline')).body.reason, /^policy_paused/);
  donor.resume();
  probe.tell(probe.sample);
  await held.signalled(0, 2);
  assert.deepEqual(held.jobs[0]?.signals, ['suspend', 'resume']);
  held.jobs[0].end(Buffer.from('done'));
  assert.equal((await pile.next('result')).body.outcome.ok, true);
});

test('a checkpoint that was under way is sent again over the next connection', async (t) => {
  const { pile, held } = await scene(t, MINUTES_MS);
  pile.send(LENDER, keepingOffer('a', { leaseMs: MINUTES_MS }));
  await held.started(1);
  const [job] = held.jobs;
  assert.ok(job);
  job.kept = keptOf('one', 10);
  await pile.next('checkpoint');
  pile.cut();
  assert.equal((await pile.next('checkpoint')).body.state.digest, digestOf(job.kept));
});

test('what the pile asks to be kept is sent at once', async (t) => {
  const { pile, held } = await scene(t);
  pile.renews = false;
  pile.send(LENDER, keepingOffer('a', { checkpointEveryMs: 60 * MINUTES_MS }));
  await held.started(1);
  const [job] = held.jobs;
  assert.ok(job);
  job.kept = keptOf('before he leaves', 10);
  const { correlationId, body } = await pile.next('renewal');
  const leases = body.held.map(({ lease }) => lease);
  pile.send(LENDER, {
    correlationId,
    body: { kind: 'renewed', held: leases, leaseMs: 300, keepState: leases },
  });
  assert.equal((await pile.next('checkpoint')).body.state.digest, digestOf(job.kept));
});

test('a run starts from the state of its offer, and not where that is no checkpoint', async (t) => {
  const { pile, held } = await scene(t);
  const { archive } = keptOf('from elsewhere', 0);
  pile.send(LENDER, keepingOffer('a', { checkpoint: pile.put(archive) }));
  await held.started(1);
  assert.deepEqual(Buffer.from(held.jobs[0]?.job.checkpoint?.state ?? []), Buffer.from(archive));
  pile.send(LENDER, keepingOffer('b', { checkpoint: pile.put(Buffer.from('no checkpoint at all')) }));
  const { outcome } = (await pile.next('result')).body;
  assert.ok(!outcome.ok);
  assert.deepEqual(
    [outcome.failure.code, outcome.failure.detail],
    ['checkpoint_invalid', 'it is no checkpoint'],
  );
});
