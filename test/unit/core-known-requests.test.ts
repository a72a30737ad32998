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

test('those that ended before a moment are forgotten, the first closed first and not too many at once', () => {
  const requests = new KnownRequests();
  // In the order of closing, which is not that of their ends.
  for (const endedMonoMs of [30, 10, 20, 40])
    requests.close(VEHICLE, idOf(`r${endedMonoMs}`), {
      bodyHash: 'h',
      taskId: `t${endedMonoMs}` as TaskId,
      endedMonoMs,
    });
  assert.deepEqual(requests.forgetEndedBefore(10, 9), []);
  assert.deepEqual(requests.forgetEndedBefore(31, 2), ['t30', 't10']);
  assert.deepEqual(requests.forgetEndedBefore(31, 2), ['t20']);
  assert.deepEqual(requests.forgetEndedBefore(40, 2), []);
  assert.deepEqual(requests.forgetEndedBefore(41, 2), ['t40']);
  assert.equal(requests.closedCount, 0);
});

test('one that closes later and ended earlier than all that are left is found', () => {
  const requests = closedRequests(3);
  assert.deepEqual(requests.forgetEndedBefore(2, 9), ['t0', 't1']);
  requests.close(VEHICLE, idOf('late'), { bodyHash: 'h', taskId: 'late' as TaskId, endedMonoMs: 1 });
  assert.deepEqual(requests.forgetEndedBefore(2, 9), ['late']);
});
