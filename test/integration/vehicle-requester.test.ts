/** A requester against a pile that follows a script: acceptance, refusals, large inputs and outputs, lost connections. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Accepted, Delivery, RequestId, TaskId, TaskState } from '@plugpool/proto';
import { PlugpoolError } from '../../vehicle-client/errors.ts';
import type { Requester } from '../../vehicle-client/requester.ts';
import { connectRequester, type ConnectOptions } from '../../vehicle-client/sdk.ts';
import { temporaryDirectory } from './vehicle-fixtures.ts';
import { ScriptedPile, refOf, type Heard, type PileOptions } from './vehicle-scripted-pile.ts';

interface Scene {
  readonly pile: ScriptedPile;
  readonly client: Requester;
}

async function scene(
  t: TestContext,
  over: Partial<ConnectOptions> = {},
  pileOptions: PileOptions = {},
): Promise<Scene> {
  const pile = await ScriptedPile.start(pileOptions);
  const client = await connectRequester({
    agent: pile.url,
    vehicleId: 'asker',
    token: 'a-token-of-the-asker',
    ...over,
  });
  t.after(() => client.close());
  t.after(() => pile.stop());
  return { pile, client };
}

function accepted(request: Heard<'request'>): Accepted {
  const { requestId } = request.body;
  return { kind: 'accepted', requestId, taskId: `task-${requestId}` as TaskId, deadlineMs: 60_000 };
}

function delivered(
  requestId: RequestId,
  output: Delivery['output'],
  state: TaskState = 'completed',
): Delivery {
  return {
    kind: 'delivery',
    requestId,
    taskId: `task-${requestId}` as TaskId,
    state,
    ...(output === undefined ? {} : { output }),
    attempts: 1,
    donor: 'lender',
    chargedMncs: 12,
    agreeing: 1,
    algorithmId: 'echo',
    algorithmVersion: '1',
  };
}

function codeOf(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof PlugpoolError, String(error));
    assert.equal(error.code, code);
    assert.notEqual(error.hint, '');
    return true;
  };
}

test('a request is accepted, watched and delivered, and the delivery is acknowledged', async (t) => {
  const { pile, client } = await scene(t);
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
  const { pile, client } = await scene(t);
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
  const { pile, client } = await scene(t);
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

test('a failed task rejects its result with the failure and its last words', async (t) => {
  const { pile, client } = await scene(t);
  const asking = client.request({ algorithm: 'echo' });
  const request = await pile.next('request');
  const failure = { code: 'exit_nonzero', detail: 'exit status 3', stderrTail: 'no such street\n' };
  pile.send(request.clientId, accepted(request), {
    ...delivered(request.body.requestId, undefined, 'failed'),
    failure,
  });
  const task = await asking;
  await assert.rejects(
    task.result,
    (error) => codeOf('exit_nonzero')(error) && /no such street/.test(String(error)),
  );
  assert.equal(task.state, 'failed');
  await pile.next('deliveryAck');
});

test('a large input is given out before the request is accepted, over a lost connection', async (t) => {
  const { pile, client } = await scene(t);
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

test('a large output is pulled over a lost connection, verified, and only then acknowledged', async (t) => {
  const { pile, client } = await scene(t);
  const output = pile.put(randomBytes(1_200_000));
  const asking = client.request({ type: 'echo' });
  const request = await pile.next('request');
  const delivery = delivered(request.body.requestId, { where: 'blob', blob: output });
  pile.servesBlobs = false;
  pile.send(request.clientId, accepted(request), delivery);
  for (let i = 0; i < 8; i++) await pile.next('blobPull');
  assert.equal(pile.unread('deliveryAck').length, 0);
  pile.servesBlobs = true;
  pile.cut();
  const task = await asking;
  const result = await task.result;
  assert.deepEqual(Buffer.from(result.output), pile.blobs.get(output.digest));
  await pile.next('deliveryAck');
});

test('several instances give several outputs in their order, large and small, and one acknowledgement', async (t) => {
  const { pile, client } = await scene(t);
  const large = pile.put(randomBytes(300_000));
  const asking = client.request({ type: 'echo', instances: 3, allAtOnce: true });
  const request = await pile.next('request');
  assert.deepEqual(request.body.wants, { instances: 3, allAtOnce: true });
  const first = { where: 'inline', bytes: Buffer.from('part 0') } as const;
  const outputs = [
    first,
    { where: 'blob', blob: large },
    { where: 'inline', bytes: Buffer.from('part 2') },
  ] as const;
  pile.send(request.clientId, accepted(request), {
    ...delivered(request.body.requestId, first),
    outputs,
  });
  const result = await (await asking).result;
  assert.deepEqual(
    result.outputs.map((output) => Buffer.from(output)),
    [Buffer.from('part 0'), pile.blobs.get(large.digest), Buffer.from('part 2')],
  );
  assert.equal(Buffer.from(result.output).toString(), 'part 0');
  await pile.next('deliveryAck');
  assert.equal(pile.unread('deliveryAck').length, 0);
});

test('parts of which one cannot be fetched are not acknowledged', async (t) => {
  const { pile, client } = await scene(t);
  const asking = client.request({ type: 'echo', instances: 2 });
  const request = await pile.next('request');
  const first = { where: 'inline', bytes: Buffer.from('part 0') } as const;
  const outputs = [first, { where: 'blob', blob: refOf(randomBytes(100_000)) }] as const;
  pile.send(request.clientId, accepted(request), {
    ...delivered(request.body.requestId, first),
    outputs,
  });
  await assert.rejects((await asking).result, codeOf('blob_unknown'));
  assert.equal(pile.unread('deliveryAck').length, 0);
});

test('a repeated request wants the very same', async (t) => {
  const { pile, client } = await scene(t);
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
  const { pile, client } = await scene(t);
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
  const { pile, client } = await scene(t);
  for (const ask of [() => client.task('task-r1'), () => client.explain('task-r1')]) {
    const rejected = assert.rejects(ask(), codeOf('task_unknown'));
    const { clientId, correlationId } = await pile.next('statusQuery');
    const body = { kind: 'statusReport', tasks: [], truncated: false } as const;
    pile.send(clientId, { correlationId, body });
    await rejected;
  }
});

test('an output with other bytes than its digest is not acknowledged', async (t) => {
  const { pile, client } = await scene(t);
  const output = pile.put(randomBytes(100_000));
  pile.blobs.set(output.digest, randomBytes(100_000));
  const asking = client.request({ type: 'echo' });
  const request = await pile.next('request');
  pile.send(
    request.clientId,
    accepted(request),
    delivered(request.body.requestId, { where: 'blob', blob: output }),
  );
  const task = await asking;
  await assert.rejects(task.result, codeOf('digest_mismatch'));
  const list = client.tasks();
  const query = await pile.next('statusQuery');
  pile.send(query.clientId, {
    correlationId: query.correlationId,
    body: { kind: 'statusReport', tasks: [], truncated: false },
  });
  await list;
  assert.equal(pile.unread('deliveryAck').length, 0);
});

test('with autoAck off only the caller acknowledges', async (t) => {
  const { pile, client } = await scene(t, { autoAck: false });
  const asking = client.request({ type: 'echo' });
  const request = await pile.next('request');
  pile.send(
    request.clientId,
    accepted(request),
    delivered(request.body.requestId, { where: 'inline', bytes: new Uint8Array() }),
  );
  const result = await (await asking).result;
  const list = client.tasks();
  const query = await pile.next('statusQuery');
  pile.send(query.clientId, {
    correlationId: query.correlationId,
    body: { kind: 'statusReport', tasks: [], truncated: false },
  });
  await list;
  assert.equal(pile.unread('deliveryAck').length, 0);
  result.acknowledge();
  await pile.next('deliveryAck');
});

test('a result that a pile forgot to be acknowledged is acknowledged again, and given to nobody twice', async (t) => {
  const { pile, client } = await scene(t);
  const asking = client.request({ type: 'echo' });
  const request = await pile.next('request');
  const delivery = delivered(request.body.requestId, { where: 'inline', bytes: new Uint8Array() });
  pile.send(request.clientId, accepted(request), delivery);
  const task = await asking;
  await task.result;
  await pile.next('deliveryAck');
  pile.send(request.clientId, delivery);
  assert.deepEqual((await pile.next('deliveryAck')).body.taskId, task.taskId);
  const kinds: string[] = [];
  for await (const { kind } of task) kinds.push(kind);
  assert.deepEqual(kinds, ['accepted', 'ended']);
});

test('cancel resolves with how the task ended, and is said again after a lost connection', async (t) => {
  const { pile, client } = await scene(t);
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

test('what a lost connection may have missed is asked for', async (t) => {
  const { pile, client } = await scene(t);
  const asking = client.request({ type: 'echo' });
  const request = await pile.next('request');
  pile.send(request.clientId, accepted(request));
  const task = await asking;
  pile.cut();
  const query = await pile.next('statusQuery');
  assert.equal(query.body.deliver, true);
  pile.send(
    query.clientId,
    delivered(request.body.requestId, { where: 'inline', bytes: Buffer.from('late') }),
  );
  assert.equal(Buffer.from((await task.result).output).toString(), 'late');
});

test('the result of a task that another connection asked for is fetched by its id', async (t) => {
  const { pile, client } = await scene(t);
  const fetching = client.result('task-r1');
  const query = await pile.next('statusQuery');
  assert.deepEqual(query.body, { kind: 'statusQuery', taskId: 'task-r1', deliver: true });
  pile.send(query.clientId, delivered('r1' as RequestId, { where: 'inline', bytes: Buffer.from('of r1') }));
  assert.equal(Buffer.from((await fetching).output).toString(), 'of r1');
});

test('a result of a task that the pile does not know is an error', async (t) => {
  const { pile, client } = await scene(t);
  const fetching = client.result('task-r1');
  const rejected = assert.rejects(fetching, codeOf('task_unknown'));
  const query = await pile.next('statusQuery');
  const reasons = [{ code: 'task_unknown', detail: 'never heard of', hint: 'list the tasks' }] as const;
  pile.send(query.clientId, {
    correlationId: query.correlationId,
    body: { kind: 'refused', reasons, retryable: false },
  });
  await rejected;
});

test('a delivery that nobody here waits for is left to whom it belongs', async (t) => {
  const { pile, client } = await scene(t);
  const asking = client.request({ type: 'echo' });
  const request = await pile.next('request');
  pile.send(
    request.clientId,
    delivered('r-other' as RequestId, { where: 'inline', bytes: new Uint8Array() }),
    accepted(request),
  );
  await asking;
  assert.equal(pile.unread('deliveryAck').length, 0);
});

test('a request that is asked again while its task is open gives the same task', async (t) => {
  const { pile, client } = await scene(t);
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
  const { pile, client } = await scene(t);
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
  const { client, pile } = await scene(t);
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
  const { pile, client } = await scene(t);
  const asking = client.request({ type: 'echo' });
  const rejected = assert.rejects(asking, codeOf('closed'));
  await pile.next('request');
  await client.close();
  await rejected;
  await assert.rejects(client.request({ type: 'echo' }), codeOf('closed'));
});
