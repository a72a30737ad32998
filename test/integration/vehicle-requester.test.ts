/** A requester against a pile that follows a script: acceptance, refusals, questions, cancelling, lost connections. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RequestId, TaskId } from '@plugpool/proto';
import { connectRequester } from '../../vehicle-client/sdk.ts';
import { temporaryDirectory } from './vehicle-fixtures.ts';
import { accepted, codeOf, delivered, requesterScene } from './vehicle-requester-scene.ts';
import { ScriptedPile, refOf } from './vehicle-scripted-pile.ts';

test('a request is accepted, watched and delivered, and the delivery is acknowledged', async (t) => {
  const { pile, client } = await requesterScene(t);
  const asking = client.request({
    algorithm: 'echo',
    version: '1',
    args: ['-v'],
    input: 'hello',
    deadlineS: 30,
  });
  const request = await pile.next('request');
  assert.deepEqual(request.body.selector, { by: 'algorithm', algorithmId: 'echo', version: '1' });
  assert.deepEqual(request.body.args, ['-v']);
  assert.equal(request.body.deadlineMs, 30_000);
  pile.send(
    request.clientId,
    accepted(request),
    {
      kind: 'taskUpdate',
      taskId: `task-${request.body.requestId}` as TaskId,
      state: 'running',
      attempt: 1,
      progressPermille: 500,
      donor: 'lender',
      reason: '',
    },
    delivered(request.body.requestId, { where: 'inline', bytes: Buffer.from('HELLO') }),
  );
  const task = await asking;
  const events = [];
  for await (const event of task)
    events.push(event.kind === 'update' ? `${event.state} ${event.progressPermille}` : event.kind);
  assert.deepEqual(events, ['accepted', 'running 500', 'ended']);
  const result = await task.result;
  assert.equal(Buffer.from(result.output).toString(), 'HELLO');
  assert.equal(result.donor, 'lender');
  assert.equal((await pile.next('deliveryAck')).body.taskId, task.taskId);
});

test('requests of one turn leave in one frame', async (t) => {
  const { pile, client } = await requesterScene(t);
  const asking = Array.from({ length: 10 }, () => client.request({ type: 'echo' }));
  const frames = new Set<number>();
  for (let i = 0; i < 10; i++) {
    const request = await pile.next('request');
    frames.add(request.frame);
    pile.send(request.clientId, accepted(request));
  }
  await Promise.all(asking);
  assert.equal(frames.size, 1);
});

test('a final refusal rejects with the reason and the hint; one for now is tried again', async (t) => {
  const { pile, client } = await requesterScene(t);
  const asking = client.request({ type: 'no-such-type' });
  const refused = assert.rejects(asking, codeOf('type_unknown'));
  const first = await pile.next('request');
  const { requestId } = first.body;
  const busy = [{ code: 'rate_limited', detail: 'too fast', hint: 'slower' }] as const;
  pile.send(first.clientId, { kind: 'refused', requestId, reasons: busy, retryable: true });
  const second = await pile.next('request');
  assert.equal(second.body.requestId, requestId);
  const unknown = [{ code: 'type_unknown', detail: 'no algorithm of this type', hint: 'list them' }] as const;
  pile.send(second.clientId, { kind: 'refused', requestId, reasons: unknown, retryable: false });
  await refused;
});

test('a large input is given out before the request is accepted, over a lost connection', async (t) => {
  const { pile, client } = await requesterScene(t);
  const input = randomBytes(400_000);
  const asking = client.request({ type: 'echo', input });
  const request = await pile.next('request');
  assert.deepEqual(request.body.input, { where: 'blob', blob: refOf(input) });
  const { digest } = refOf(input);
  pile.send(request.clientId, {
    correlationId: 9,
    body: { kind: 'blobPull', digest, offset: 0, length: 65_536 },
  });
  await pile.next('blobChunk');
  pile.cut();
  const again = await pile.next('request');
  assert.equal(again.body.requestId, request.body.requestId);
  assert.equal(again.clientId, request.clientId);
  assert.deepEqual(await pile.pull(again.clientId, refOf(input)), input);
  pile.send(again.clientId, accepted(again));
  await asking;
  pile.send(again.clientId, { correlationId: 10, body: { kind: 'blobPull', digest, offset: 0, length: 1 } });
  assert.equal((await pile.next('blobRefused')).body.code, 'blob_unknown', 'kept no longer than it is owed');
});

test('a repeated request wants the very same', async (t) => {
  const { pile, client } = await requesterScene(t);
  const asking = client.request({
    type: 'echo',
    at: { latitude: 57.7089, longitude: 11.9746 },
    latencyMs: 250,
    demand: { cpuMillicores: 500, workCoreS: 2 },
    trust: { makes: ['Volta'] },
    constraint: 'donor.cpuMillicores > 1000',
  });
  const first = await pile.next('request');
  assert.equal(first.body.wants?.latencyMs, 250);
  pile.cut();
  const again = await pile.next('request');
  assert.deepEqual(again.body, first.body);
  const busy = [{ code: 'rate_limited', detail: 'too fast', hint: 'slower' }] as const;
  const { requestId } = first.body;
  pile.send(again.clientId, { kind: 'refused', requestId, reasons: busy, retryable: true });
  const third = await pile.next('request');
  assert.deepEqual(third.body, first.body);
  pile.send(third.clientId, accepted(third));
  await asking;
});

test('a wait is explained, and what does not wait has no explanation', async (t) => {
  const { pile, client } = await requesterScene(t);
  const explanation = {
    summary: 'two vehicles lend, and both leave too soon',
    place: 2,
    startInMs: 90_000,
    wouldRun: ['a vehicle that stays for 20 minutes'],
    obstacles: [{ test: 'leaving_too_soon', donors: 2 }],
  };
  const entry = {
    taskId: 'task-r1' as TaskId,
    requestId: 'r1' as RequestId,
    algorithmId: 'echo',
    state: 'queued',
    attempts: 0,
    progressPermille: 0,
    delivered: false,
    reason: '',
  } as const;
  for (const told of [
    { ...entry, explanation },
    { ...entry, state: 'running' as const },
  ]) {
    const asking = client.explain('task-r1');
    const query = await pile.next('statusQuery');
    assert.deepEqual(query.body, { kind: 'statusQuery', taskId: 'task-r1', deliver: false, explain: true });
    const body = { kind: 'statusReport', tasks: [told], truncated: false } as const;
    pile.send(query.clientId, { correlationId: query.correlationId, body });
    assert.deepEqual(await asking, told);
  }
});

test('a report without the task that was asked for is as no task', async (t) => {
  const { pile, client } = await requesterScene(t);
  for (const ask of [() => client.task('task-r1'), () => client.explain('task-r1')]) {
    const rejected = assert.rejects(ask(), codeOf('task_unknown'));
    const { clientId, correlationId } = await pile.next('statusQuery');
    const body = { kind: 'statusReport', tasks: [], truncated: false } as const;
    pile.send(clientId, { correlationId, body });
    await rejected;
  }
});

test('cancel resolves with how the task ended, and is said again after a lost connection', async (t) => {
  const { pile, client } = await requesterScene(t);
  const asking = client.request({ type: 'echo' });
  const request = await pile.next('request');
  pile.send(request.clientId, accepted(request));
  const task = await asking;
  const cancelling = task.cancel();
  await pile.next('cancel');
  pile.cut();
  const again = await pile.next('cancel');
  assert.deepEqual(again.body.which, { by: 'task', taskId: task.taskId });
  pile.send(again.clientId, delivered(request.body.requestId, undefined, 'cancelled'));
  assert.equal(await cancelling, 'cancelled');
  await assert.rejects(task.result, codeOf('task_cancelled'));
});

test('a request that is asked again while its task is open gives the same task', async (t) => {
  const { pile, client } = await requesterScene(t);
  const ask = async () => {
    const asking = client.request({ type: 'echo', requestId: 'mine' });
    const request = await pile.next('request');
    pile.send(request.clientId, accepted(request));
    return { task: await asking, clientId: request.clientId };
  };
  const first = await ask();
  const again = await ask();
  assert.equal(again.task, first.task);
  const output = { where: 'inline', bytes: Buffer.from('one') } as const;
  pile.send(again.clientId, delivered('mine' as RequestId, output));
  assert.equal(Buffer.from((await first.task.result).output).toString(), 'one');
});

test('a request that is asked again, and answered by its result alone, gives the same task too', async (t) => {
  const { pile, client } = await requesterScene(t);
  const asking = client.request({ type: 'echo', requestId: 'mine' });
  const request = await pile.next('request');
  pile.send(request.clientId, accepted(request));
  const task = await asking;
  const again = client.request({ type: 'echo', requestId: 'mine' });
  await pile.next('request');
  // Another connection of the vehicle acknowledged it meanwhile.
  const output = { where: 'inline', bytes: Buffer.from('one') } as const;
  pile.send(request.clientId, delivered('mine' as RequestId, output));
  assert.equal(Buffer.from((await task.result).output).toString(), 'one');
  assert.equal(await again, task);
});

test('requests that cannot be right are refused before anything is sent', async (t) => {
  const { client, pile } = await requesterScene(t);
  await assert.rejects(client.request({}), codeOf('selector_invalid'));
  await assert.rejects(client.request({ type: 'a', algorithm: 'b' }), codeOf('selector_invalid'));
  await assert.rejects(client.request({ type: 'a', version: '1' }), codeOf('selector_invalid'));
  await assert.rejects(client.request({ type: 'a', deadlineS: -1 }), codeOf('deadline_invalid'));
  await assert.rejects(client.request({ type: 'a', instances: 0 }), codeOf('wants_invalid'));
  const odd: readonly [over: object, code: string][] = [
    [{ input: { stops: 3 } }, 'invalid_argument'],
    [{ args: [1] }, 'invalid_argument'],
    [{ args: 'one' }, 'invalid_argument'],
    [{ args: ['x'.repeat(300_000)] }, 'malformed'],
    [{ args: ['a\0b'] }, 'malformed'],
    [{ constraint: 'true || '.repeat(300) }, 'wants_invalid'],
    [{ requestId: 'with a blank' }, 'malformed'],
  ];
  for (const [over, code] of odd) await assert.rejects(client.request({ type: 'a', ...over }), codeOf(code));
  assert.equal(pile.unread('request').length, 0);
  for (const ask of ['task', 'explain', 'cancel'] as const)
    await assert.rejects(client[ask]('t'.repeat(300_000)), codeOf('invalid_argument'));
});

test('a wrong token, nobody listening and a bad address each say what to do', async (t) => {
  const pile = await ScriptedPile.start({ password: 'the-right-token-of-it' });
  t.after(() => pile.stop());
  const wrong = { agent: pile.url, vehicleId: 'asker', token: 'a-wrong-token-of-it' };
  await assert.rejects(connectRequester(wrong), codeOf('token_refused'));
  const nobody = {
    agent: 'mqtt://127.0.0.1:1',
    vehicleId: 'asker',
    token: 'a-token-of-the-asker',
    connectTimeoutMs: 200,
  };
  await assert.rejects(connectRequester(nobody), codeOf('unreachable'));
  await assert.rejects(connectRequester({ ...nobody, agent: 'http://x' }), codeOf('agent_url_invalid'));
  await assert.rejects(connectRequester({ ...nobody, vehicleId: 'a/b' }), codeOf('vehicle_id_invalid'));
});

test('the token is made once, for its owner alone, and used again', async (t) => {
  const pile = await ScriptedPile.start();
  t.after(() => pile.stop());
  const dataDir = temporaryDirectory(t);
  const options = { agent: pile.url, vehicleId: 'asker', dataDir };
  const first = await connectRequester(options);
  await first.close();
  const path = join(dataDir, 'token');
  const token = readFileSync(path, 'utf8');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.match(token, /^[A-Za-z0-9_-]{43}\n$/);
  const second = await connectRequester(options);
  await second.close();
  assert.equal(readFileSync(path, 'utf8'), token);
});

test('closing rejects what is open and says that the tasks go on', async (t) => {
  const { pile, client } = await requesterScene(t);
  const asking = client.request({ type: 'echo' });
  const rejected = assert.rejects(asking, codeOf('closed'));
  await pile.next('request');
  await client.close();
  await rejected;
  await assert.rejects(client.request({ type: 'echo' }), codeOf('closed'));
});
