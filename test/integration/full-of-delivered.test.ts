/** A pile whose disk is full of what was delivered, as it runs: images and inputs are taken, and the operator sees how it is. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configOf, startAgent, type ControlAnswer } from '@plugpool/agent';
import { newDirectory, plugpool, plugpoolJson } from './cli-fixtures.ts';
import { addEcho, connectAs } from './spine-scene.ts';

const MIB = 1024 * 1024;
const BLOBS_MIB = 64;

/** A file that was there before the start, of nobody knows whom; it takes nothing of this machine's disk. */
function leave(dataDir: string, n: number): void {
  const digest = createHash('sha256').update(`left ${n}`).digest('hex');
  const shard = join(dataDir, 'blobs', digest.slice(0, 2));
  mkdirSync(shard, { recursive: true });
  const file = join(shard, digest);
  writeFileSync(file, '');
  truncateSync(file, MIB);
  utimesSync(file, 1_000_000_000 + n, 1_000_000_000 + n);
}

async function valueOf(answered: Promise<ControlAnswer>): Promise<unknown> {
  const answer = await answered;
  assert.ok(answer.ok, JSON.stringify(answer));
  return answer.value;
}

test('a disk full of what was delivered takes an image and inputs, and says what could go', async (t) => {
  const dataDir = newDirectory(t);
  for (let n = 0; n < BLOBS_MIB; n += 1) leave(dataDir, n);
  const listen = 'mqtt://127.0.0.1:0';
  const pile = await startAgent(configOf({ dataDir, listen, storage: { blobsMib: BLOBS_MIB } }));
  t.after(() => pile.stop());
  const before = (await plugpoolJson(dataDir, 'status')) as { disk: Record<string, number> };
  assert.deepEqual(
    [before.disk['maxBytes'], before.disk['usedBytes'], before.disk['spareBytes']],
    [BLOBS_MIB * MIB, BLOBS_MIB * MIB, BLOBS_MIB * MIB],
  );
  await addEcho({ ask: (verb, args) => valueOf(pile.control(verb, args)) });
  const requester = await connectAs(t, pile, 'asker', newDirectory(t));
  const task = await requester.request({ algorithm: 'echo', input: randomBytes(5 * MIB) });
  task.result.catch(() => undefined);
  const { disk } = (await plugpoolJson(dataDir, 'status')) as { disk: Record<string, number> };
  assert.equal(disk['maxBytes'], BLOBS_MIB * MIB);
  assert.ok((disk['usedBytes'] ?? 0) <= BLOBS_MIB * MIB);
  const page = await plugpool(dataDir, 'status');
  assert.match(page.stdout, /disk +63 MiB of 64 MiB are images and payloads, 58 MiB of it could go/);
});
