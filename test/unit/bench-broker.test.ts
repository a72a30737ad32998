/** What the broker bench says to who asks it for what it does not have. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

const BENCH = path.join(import.meta.dirname, '../../bench/main.ts');

function ask(...args: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  return spawnSync(process.execPath, [BENCH, 'broker', ...args], { encoding: 'utf8' });
}

const REFUSED: readonly (readonly [readonly string[], RegExp])[] = [
  [['--vs', 'redis'], /--vs knows bullmq alone, not redis/],
  [['--vs=kafka', '--tasks', '10'], /--vs knows bullmq alone, not kafka/],
  [['--tasks', '0'], /--tasks must be a number above 0, not 0/],
  [['--sync-delay', '-1'], /sync-delay/],
  [['--sync-delay', '5000'], /--sync-delay is at most 1000 ms/],
  [['--vs', 'bullmq', '--concurrency', 'many'], /--concurrency must be a number above 0, not many/],
];

for (const [args, why] of REFUSED)
  test(`${args.join(' ')} is refused with what is wrong, and nothing is started`, () => {
    const { status, stderr } = ask(...args);
    assert.equal(status, 2);
    assert.match(stderr, why);
  });
