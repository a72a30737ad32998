/** Inline payloads of acknowledged tasks where the disk is short: they become their digests, and nothing else changes. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openDatabase } from '../../agent/adapters/store-sqlite/database.ts';
import { connect } from '../../agent/adapters/store-sqlite/store-connection.ts';
import type { Payload, TaskId } from '@plugpool/proto';
import { lifeWith } from '../store-records.ts';

const MUCH = 1e12;

function openStore(context: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-acknowledged-'));
  const { db } = openDatabase(join(dataDir, 'agent.db'));
  const connection = connect(db);
  context.after(() => {
    connection.close();
    rmSync(dataDir, { recursive: true });
  });
  const readTask = (taskId: TaskId) => {
    const [found] = connection.histories([taskId]);
    assert.ok(found);
    return found;
  };
  return { db, connection, readTask };
}

function blobOf(bytes: Uint8Array): Payload {
  const digest = createHash('sha256').update(bytes).digest('hex') as never;
  return { where: 'blob', blob: { digest, sizeBytes: bytes.length } };
}

test('payloads of an acknowledged task become their digests, and its row stays', (context) => {
  const { connection, readTask } = openStore(context);
  const { taskId, input, output, commits } = lifeWith(1, 5_000);
  for (const changes of commits) connection.commit(changes);
  const before = readTask(taskId);
  const known = () => connection.load(1).closedTasks.map(({ requestId, bodyHash }) => [requestId, bodyHash]);
  const requests = known();
  const { payloads } = connection.freeAcknowledged(MUCH);
  assert.equal(payloads, 4);
  const after = readTask(taskId);
  const { end } = before;
  assert.ok(end);
  const outputs = [blobOf(output), blobOf(input)];
  assert.deepEqual(after, {
    ...before,
    task: { ...before.task, input: blobOf(input) },
    end: { ...end, output: blobOf(output), outputs },
  });
  assert.deepEqual(known(), requests, 'what makes a repeated request known');
  assert.equal(connection.freeAcknowledged(MUCH).payloads, 0, 'there is no more');
});

test('payloads that somebody is owed stay, however short the disk is', (context) => {
  const { connection, readTask } = openStore(context);
  const [waits, ended, acknowledged] = [1, 2, 3].map((n) => lifeWith(n, 5_000));
  assert.ok(waits && ended && acknowledged);
  for (const [life, commits] of [
    [waits, 1],
    [ended, 2],
    [acknowledged, 3],
  ] as const)
    for (const changes of life.commits.slice(0, commits)) connection.commit(changes);
  const before = [waits, ended].map(({ taskId }) => readTask(taskId));
  assert.equal(connection.freeAcknowledged(MUCH).payloads, 4);
  assert.deepEqual(
    [waits, ended].map(({ taskId }) => readTask(taskId)),
    before,
  );
});

test('no more goes than is missing, those first that were accepted first; the next tasks take their pages', (context) => {
  const { db, connection, readTask } = openStore(context);
  const lives = Array.from({ length: 100 }, (_, n) => lifeWith(n, 16_000));
  for (const { commits } of lives) connection.commit(commits.flat());
  const pages = (): number => db.pragma('page_count', { simple: true }) as number;
  const grown = pages();
  const { freeBytes } = connection.freeAcknowledged(500_000);
  assert.ok(freeBytes >= 500_000 && freeBytes < 3_000_000, String(freeBytes));
  assert.equal(connection.freeAcknowledged(500_000).payloads, 0, 'there is enough');
  const [first, last] = [lives[0], lives.at(-1)].map(
    (life) => life && readTask(life.taskId).task.input.where,
  );
  assert.deepEqual([first, last], ['blob', 'inline']);
  for (let n = 100; n < 110; n += 1) connection.commit(lifeWith(n, 10_000).commits.flat());
  assert.equal(pages(), grown);
});
