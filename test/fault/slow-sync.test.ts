/** The slow disk of the fault tests is slow where it should be, and only there. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { slowSync, type SlowSync } from './slow-sync/slow-sync.ts';

/** Syncs a file three times, one of them without its metadata, and says how long each took. */
const SYNCER = `
  const { openSync, writeSync, fsyncSync, fdatasyncSync, unlinkSync } = require('node:fs');
  const name = process.env.SLOW_SYNC_FILE + '.probe';
  const file = openSync(name, 'w');
  const took = [fsyncSync, fdatasyncSync, fsyncSync].map((sync) => {
    writeSync(file, 'x');
    const startMs = performance.now();
    sync(file);
    return performance.now() - startMs;
  });
  unlinkSync(name);
  console.log(JSON.stringify(took));
`;
/** Far above what a sync takes anywhere, so that the test tells a wait from a busy machine. */
const DELAY_MS = 400;

function slowDisk(context: TestContext, delayMs: number): SlowSync | undefined {
  const made = slowSync(delayMs);
  if (!made.ok) {
    context.skip(made.why);
    return undefined;
  }
  context.after(() => made.disk.remove());
  return made.disk;
}

function syncTimesMs(disk: SlowSync): number[] {
  const env = { ...process.env, ...disk.env };
  return JSON.parse(execFileSync(process.execPath, ['-e', SYNCER], { env, encoding: 'utf8' })) as number[];
}

test('every sync of a process with the slow disk waits as long as it says', (context) => {
  const disk = slowDisk(context, DELAY_MS);
  if (disk === undefined) return;
  for (const ms of syncTimesMs(disk)) assert.ok(ms >= DELAY_MS, `a sync took ${ms} ms`);
});

test('a slow disk can become fast again', (context) => {
  const disk = slowDisk(context, DELAY_MS);
  if (disk === undefined) return;
  disk.setDelayMs(0);
  for (const ms of syncTimesMs(disk)) assert.ok(ms < DELAY_MS, `a sync took ${ms} ms`);
});
