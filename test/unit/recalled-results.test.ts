/** Results of leases that are over, answered from the disk: what is not known yet is not called void, and a flood costs one reading at a time. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ClientId, DownBody, LeaseId, TaskId } from '@plugpool/proto';
import type { AttemptRecord } from '../../agent/core/records.ts';
import { CROWD, RecalledResults, type ResultRecall } from '../../agent/disk-answers/recalled-results.ts';

const TAKEN = { vehicleId: 'car', outcome: 'completed' } as AttemptRecord;

function recall(fencingToken: number, correlationId = fencingToken, clientId = 'car.lend'): ResultRecall {
  const lease = { instanceId: 't1-1_0', fencingToken } as unknown as LeaseId;
  return { clientId: clientId as ClientId, correlationId, taskId: 't1-1' as TaskId, lease };
}

function scene(readAttempt: (token: number) => AttemptRecord | undefined) {
  const answers: string[] = [];
  const refused: string[] = [];
  const failed: unknown[] = [];
  let [reads, underWay] = [0, 0];
  const results = new RecalledResults({
    store: {
      readAttempt: async (_taskId, { fencingToken }) => {
        reads += 1;
        underWay += 1;
        assert.equal(underWay, 1, 'two readings at a time');
        await new Promise((resolve) => setImmediate(resolve));
        underWay -= 1;
        return readAttempt(fencingToken);
      },
    },
    send: (clientId, envelopes) => {
      for (const { correlationId, body } of envelopes)
        answers.push(`${clientId} ${correlationId} ${said(body)}`);
    },
    refused: (clientId, { fencingToken }) => refused.push(`${clientId} ${fencingToken}`),
    failed: (_lease, error) => failed.push(error),
  });
  const idle = async (): Promise<void> => {
    for (let before = -1; before !== reads || underWay > 0; await new Promise((go) => setImmediate(go)))
      before = reads;
  };
  return { results, answers, refused, failed, reads: () => reads, idle };
}

function said(body: DownBody): string {
  if (body.kind === 'resultAck') return body.accepted ? 'accepted' : body.reason;
  assert.ok(body.kind === 'refused' && body.retryable);
  return `later: ${body.reasons[0]?.code}`;
}

test('what the disk has is said again, what it has not is void, and only that is told to the operator', async () => {
  const { results, answers, refused, idle } = scene((token) => (token === 1 ? TAKEN : undefined));
  results.push(recall(1));
  results.push(recall(2));
  await idle();
  assert.deepEqual(answers, ['car.lend 1 accepted', 'car.lend 2 lease_void']);
  assert.deepEqual(refused, ['car.lend 2']);
});

test('while the store does not answer nothing is void: the donor hands it in again', async () => {
  let isAway = true;
  const away = new Error('away');
  const { results, answers, failed, refused, idle } = scene(() => {
    if (isAway) throw away;
    return TAKEN;
  });
  results.push(recall(1));
  await idle();
  isAway = false;
  results.push(recall(1, 9));
  await idle();
  assert.deepEqual(answers, ['car.lend 1 later: storage_unavailable', 'car.lend 9 accepted']);
  assert.deepEqual([failed, refused], [[away], []]);
});

test('one result said hundreds of times is read once, and each time is answered', async () => {
  const { results, answers, reads, idle } = scene(() => TAKEN);
  results.push(recall(7, 1));
  for (let i = 2; i <= 300; i += 1) results.push(recall(8, i));
  await idle();
  assert.equal(reads(), 2);
  assert.equal(answers.length, 300);
});

test('a vehicle that hands in thousands stands in nobody’s way, and is told when it is too much', async () => {
  const { results, answers, idle } = scene((token) => (token === 1 ? TAKEN : undefined));
  for (let i = 1; i <= 7_000; i += 1) results.push(recall(1_000 + i, i, 'flood.lend'));
  const refusals = answers.filter((answer) => answer.endsWith('later: rate_limited'));
  assert.equal(refusals.length, 7_000 - 6_001, 'one is being read, 6000 wait');
  results.push(recall(1));
  for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(answers.includes('car.lend 1 accepted'), 'it is next but one');
  results.forget('flood.lend' as ClientId);
  await idle();
});

test('where many wait in all, each connection may have few, and who has not asked yet is heard', async () => {
  const { results, answers, reads, idle } = scene(() => TAKEN);
  for (let n = 0; n < 40; n += 1)
    for (let i = 1; i <= 1_000; i += 1) results.push(recall(i, i, `flood-${n}.lend`));
  const refusals = answers.filter((answer) => answer.endsWith('later: rate_limited'));
  // One of the first connection is being read.
  const waiting = 40_000 - refusals.length - 1;
  assert.ok(waiting >= CROWD.waiting && waiting <= CROWD.waiting + 40 * CROWD.ofClientMax, `${waiting} wait`);
  results.push(recall(7, 7));
  for (let n = 0; n < 40; n += 1) results.forget(`flood-${n}.lend` as ClientId);
  await idle();
  assert.ok(answers.includes('car.lend 7 accepted'));
  assert.equal(reads(), 2);
  for (let i = 1; i <= 6_000; i += 1) results.push(recall(i, i));
  assert.equal(
    answers.filter((answer) => answer.startsWith('car.lend') && answer.includes('later')).length,
    0,
    'those are counted no more',
  );
  results.forget('car.lend' as ClientId);
  await idle();
});
