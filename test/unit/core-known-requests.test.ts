/** Which closed request is forgotten first, whatever was forgotten between. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { RequestId, TaskId, VehicleId } from '@plugpool/proto';
import { KnownRequests } from '../../agent/core/tasks/known-requests.ts';

const VEHICLE = 'asker' as VehicleId;

function idOf(text: string): RequestId {
  return text as RequestId;
}

function closedRequests(count: number): KnownRequests {
  const requests = new KnownRequests();
  for (let n = 0; n < count; n += 1)
    requests.close(VEHICLE, idOf(`r${n}`), { bodyHash: 'h', taskId: `t${n}` as TaskId, endedMonoMs: n });
  return requests;
}

test('closed requests are forgotten in the order in which they closed, each once', () => {
  const requests = closedRequests(100);
  for (let n = 0; n < 100; n += 1) assert.equal(requests.forgetOldestClosed()?.taskId, `t${n}`);
  assert.equal(requests.forgetOldestClosed(), undefined);
  assert.equal(requests.closedCount, 0);
});

test('one that was forgotten for its age is passed over, and its id stands for nothing any more', () => {
  const requests = closedRequests(4);
  for (const id of ['r0', 'r2']) {
    const known = requests.get(VEHICLE, idOf(id));
    assert.ok(known);
    requests.forget(known);
  }
  assert.equal(requests.get(VEHICLE, idOf('r2')), undefined);
  assert.equal(requests.closedCount, 2);
  assert.equal(requests.forgetOldestClosed()?.taskId, 't1');
  assert.equal(requests.forgetOldestClosed()?.taskId, 't3');
});

test('an id that was forgotten and used again is as old as its second use', () => {
  const requests = closedRequests(2);
  const known = requests.get(VEHICLE, idOf('r0'));
  assert.ok(known);
  requests.forget(known);
  requests.close(VEHICLE, idOf('r0'), { bodyHash: 'h', taskId: 'again' as TaskId, endedMonoMs: 9 });
  assert.deepEqual(
    [1, 2].map(() => requests.forgetOldestClosed()?.taskId),
    ['t1', 'again'],
  );
});
