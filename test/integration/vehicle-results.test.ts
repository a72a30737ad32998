/** How results get to a requester: inline and in chunks, of several parts, by the task’s id; and when they are acknowledged. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { RequestId } from '@plugpool/proto';
import { accepted, codeOf, delivered, requesterScene } from './vehicle-requester-scene.ts';
import { refOf } from './vehicle-scripted-pile.ts';

test('a failed task rejects its result with the failure and its last words', async (t) => {
  const { pile, client } = await requesterScene(t);
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

test('a large output is pulled over a lost connection, verified, and only then acknowledged', async (t) => {
  const { pile, client } = await requesterScene(t);
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
  const { pile, client } = await requesterScene(t);
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
  const { pile, client } = await requesterScene(t);
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

test('an output with other bytes than its digest is not acknowledged', async (t) => {
  const { pile, client } = await requesterScene(t);
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
  const { pile, client } = await requesterScene(t, { autoAck: false });
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
  const { pile, client } = await requesterScene(t);
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

test('what a lost connection may have missed is asked for', async (t) => {
  const { pile, client } = await requesterScene(t);
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
  const { pile, client } = await requesterScene(t);
  const fetching = client.result('task-r1');
  const query = await pile.next('statusQuery');
  assert.deepEqual(query.body, { kind: 'statusQuery', taskId: 'task-r1', deliver: true });
  pile.send(query.clientId, delivered('r1' as RequestId, { where: 'inline', bytes: Buffer.from('of r1') }));
  assert.equal(Buffer.from((await fetching).output).toString(), 'of r1');
});

test('a result of a task that the pile does not know is an error', async (t) => {
  const { pile, client } = await requesterScene(t);
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
  const { pile, client } = await requesterScene(t);
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
