/** Deliveries read from disk again: one reading at a time, and nobody who asks for much stands in the way of others. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ClientId, DownBody, TaskId } from '@plugpool/proto';
import { Recalls, type Question } from '../../agent/disk-answers/recalls.ts';

interface Asked extends Question {
  readonly taskId: TaskId;
}

const BODY: DownBody = { kind: 'statusReport', tasks: [], truncated: false };

function recall(clientId: string, taskId: string, correlationId = 0): Asked {
  return { clientId: clientId as ClientId, taskId: taskId as TaskId, correlationId };
}

/** Each reading ends when it is told to. */
function scene() {
  const read: string[] = [];
  const answered: string[] = [];
  const refused: string[] = [];
  let underWay = 0;
  let end: () => void = () => undefined;
  const recalls = new Recalls<Asked>({
    about: ({ taskId }) => taskId,
    read: async ({ clientId, taskId }) => {
      underWay += 1;
      assert.equal(underWay, 1, 'two readings at a time');
      read.push(`${clientId} ${taskId}`);
      await new Promise<void>((resolve) => (end = resolve));
      underWay -= 1;
      return BODY;
    },
    send: (clientId, envelopes) => {
      for (const { correlationId, body } of envelopes)
        (body === BODY ? answered : refused).push(`${clientId} ${correlationId}`);
    },
  });
  const endOne = async (): Promise<void> => {
    end();
    await new Promise<void>((resolve) => setImmediate(resolve));
  };
  return { recalls, read, answered, refused, endOne };
}

test('each client has its turn, however much another one asks for', async () => {
  const { recalls, read, endOne } = scene();
  for (let i = 0; i < 1_000; i++) recalls.push(recall('greedy.ask-1', `t${i}`));
  recalls.push(recall('other.ask-1', 'theirs'));
  await endOne();
  await endOne();
  assert.deepEqual(read, ['greedy.ask-1 t0', 'greedy.ask-1 t1', 'other.ask-1 theirs']);
});

test('what waits to be said already is not said twice', async () => {
  const { recalls, read, endOne } = scene();
  recalls.push(recall('car.ask-1', 'first'));
  for (let i = 0; i < 1_000; i++) recalls.push(recall('car.ask-1', 'second'));
  for (let i = 0; i < 5; i++) await endOne();
  assert.deepEqual(read, ['car.ask-1 first', 'car.ask-1 second']);
});

test('a message that asks for one task hundreds of times costs one reading, and each question its answer', async () => {
  const answered: number[] = [];
  const recalls = new Recalls<Asked>({
    about: ({ taskId }) => taskId,
    read: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return BODY;
    },
    send: (_clientId, envelopes) => answered.push(envelopes.length),
  });
  for (let i = 1; i <= 3; i++) recalls.push(recall('car.ask-1', 'first', i));
  for (let i = 4; i <= 256; i++) recalls.push(recall('car.ask-1', 'second', i));
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(answered, [1, 2, 253], 'the first was read at once, what came meanwhile in its turn');
});

test('of a client that left nothing more is read', async () => {
  const { recalls, read, endOne } = scene();
  for (let i = 0; i < 10; i++) recalls.push(recall('car.ask-1', `t${i}`));
  recalls.forget('car.ask-1' as ClientId);
  await endOne();
  assert.deepEqual(read, ['car.ask-1 t0']);
});

test('what was asked in one connection is not answered in the next, whose numbers begin anew', async () => {
  const { recalls, answered, endOne } = scene();
  recalls.push(recall('car.ask-1', 'of the one before', 1));
  recalls.forget('car.ask-1' as ClientId);
  recalls.push(recall('car.ask-1', 'of this one', 2));
  await endOne();
  await endOne();
  assert.deepEqual(answered, ['car.ask-1 2']);
});

test('what may wait for one client is bounded, and who asks for more is told', () => {
  const { recalls, refused } = scene();
  for (let i = 1; i <= 6_002; i++) recalls.push(recall('car.ask-1', 'same', i));
  assert.deepEqual(refused, ['car.ask-1 6002']);
});
