/** A donor against a pile that follows a script: offers, renewals, revocations, results, lost connections, restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Offer } from '@plugpool/proto';
import type { DonorEvent } from '../../vehicle-client/donor.ts';
import { PlugpoolError } from '../../vehicle-client/errors.ts';
import { startDonor } from '../../vehicle-client/start-donor.ts';
import { donorScene, heldOffer, LENDER } from './vehicle-donor-scene.ts';
import { SAMPLE, ToldProbe, donorOptions } from './vehicle-fixtures.ts';
import { echoOffer, leaseOf } from './vehicle-scripted-pile.ts';

test('hello names the hardware and the runtimes, and a capacity report follows the welcome', async (t) => {
  const { pile } = await donorScene(t);
  const hello = await pile.next('hello');
  assert.equal(hello.clientId, LENDER);
  assert.equal(hello.body.hardware?.cores, 4);
  assert.deepEqual([...hello.body.runtimes].sort(), ['echo', 'wasm']);
});

test('offers of one frame are answered in one frame', async (t) => {
  const { pile } = await donorScene(t);
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
  const { pile, held } = await donorScene(t);
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
  const { pile, donor } = await donorScene(
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
  const { pile, held } = await donorScene(t, { leaseMs: 300, renews: false });
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
  const { pile, held } = await donorScene(t, { leaseMs: 300, renews: false });
  pile.send(LENDER, heldOffer('a', { leaseMs: 300 }));
  await held.killed(0);
  assert.ok(pile.unread('renewal').length >= 1);
  assert.equal(pile.unread('result').length, 0);
});

test('a newer attempt of an instance ends the older one', async (t) => {
  const { pile, held } = await donorScene(t);
  pile.send(LENDER, heldOffer('a'));
  await held.started(1);
  pile.send(LENDER, heldOffer('a', { lease: leaseOf('a', 2) }));
  await held.started(2);
  assert.equal(held.jobs[0]?.wasKilled, true);
  held.jobs[1]?.end(Buffer.from('second'));
  assert.equal((await pile.next('result')).body.lease.fencingToken, 2);
});

test('a revoked job that ends within its grace is heard, one that does not is killed and says so', async (t) => {
  const { pile, held } = await donorScene(t, { leaseMs: 300 });
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
  const { pile, held, donor, probe } = await donorScene(t, { leaseMs: 300 });
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
  const { pile, held } = await donorScene(t);
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
  const { pile, held } = await donorScene(t, {
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
  const { pile, held, donor, options } = await donorScene(t);
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
  const { pile, held, donor } = await donorScene(t, {
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

test('a result is handed in though its lease is over, and only its own answer says whether it counts', async (t) => {
  let isOver = false;
  const { pile, held, donor } = await donorScene(t, {
    leaseMs: 300,
    judge: ({ held: leases }) => (isOver ? { keep: [], drop: leases } : { keep: leases, drop: [] }),
  });
  pile.send(LENDER, heldOffer('counts', { leaseMs: 300 }), heldOffer('late', { leaseMs: 300 }));
  await held.started(2);
  for (const job of held.jobs) job.end(Buffer.from('done'));
  await pile.next('result');
  await pile.next('result');
  [isOver, pile.renews] = [true, false];
  pile.cut();
  const again = [await pile.next('result'), await pile.next('result')];
  // The answer that leaves them out says nothing of them either.
  const { correlationId } = await pile.next('renewal');
  pile.send(LENDER, { correlationId, body: { kind: 'renewed', held: [], leaseMs: 300 } });
  await pile.next('renewal');
  assert.equal(donor.status().unacknowledgedResults, 2);
  const answers = [
    { kind: 'resultAck', lease: leaseOf('counts'), accepted: true, reason: '' },
    { kind: 'resultAck', lease: leaseOf('late'), accepted: false, reason: 'lease_void' },
  ] as const;
  pile.send(LENDER, ...answers, ...answers, echoOffer('last', Buffer.from('x')));
  await pile.next('result', ({ body }) => body.lease.instanceId === leaseOf('last').instanceId);
  assert.deepEqual(
    again.map(({ body }) => body.lease),
    [leaseOf('counts'), leaseOf('late')],
  );
  assert.deepEqual(donor.status().results, { accepted: 1, refused: 1 });
  assert.equal(donor.status().unacknowledgedResults, 1, 'the last');
});

test('an acknowledged result is sent no more', async (t) => {
  const { pile } = await donorScene(t);
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

test('a program learns which of how many parts it is, and an only one that it is part 0 of 1', async (t) => {
  const { pile, held } = await donorScene(t);
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

test("the owner's constraint stands in every report, and an owner without one says none", async (t) => {
  const policy = { ...donorOptions('', '').policy, requestConstraint: 'request.priority > 1' };
  const bound = await donorScene(t, {}, { policy });
  bound.pile.cut();
  assert.equal((await bound.pile.next('capacity')).body.constraint, 'request.priority > 1');
  const free = await donorScene(t);
  free.pile.cut();
  assert.equal('constraint' in (await free.pile.next('capacity')).body, false);
});

test('a constraint that the pile cannot take is told once, for as long as the connection lasts', async (t) => {
  const events: DonorEvent[] = [];
  const policy = { ...donorOptions('', '').policy, requestConstraint: 'request.cors > 1' };
  const { pile, donor } = await donorScene(t, {}, { policy, onEvent: (event) => events.push(event) });
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

test('a pile that could not store a result gets it again', async (t) => {
  const { pile } = await donorScene(t);
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
  const { pile } = await donorScene(t);
  pile.sendRaw(LENDER, Buffer.from('no frame at all'));
  pile.send(LENDER, echoOffer('a', Buffer.from('x')));
  assert.equal((await pile.next('result')).body.lease.instanceId, 'a');
});

test('a second donor with the same data directory is told so', async (t) => {
  const { options } = await donorScene(t);
  await assert.rejects(startDonor(options), (error) => {
    assert.ok(error instanceof PlugpoolError);
    assert.equal(error.code, 'data_dir_held');
    return true;
  });
});

test('a pause outlives a restart', async (t) => {
  const { donor, options } = await donorScene(t);
  donor.pause();
  await donor.stop();
  const second = await startDonor(options);
  t.after(() => second.stop());
  assert.equal(second.status().lending.lending, false);
  assert.equal(second.status().owner.paused, true);
});
