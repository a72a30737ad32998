/** Log lines that a stranger can cause: enough to see what goes on, and never a disk full of them. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { limitLog } from '../../agent/adapters/broker-aedes/limited-log.ts';

function scene() {
  const lines: { readonly level: string; readonly linesLeftOut?: number }[] = [];
  const write = (level: string) => (fields: object) => void lines.push({ level, ...fields });
  let nowMs = 0;
  const log = limitLog({ info: write('info'), warn: write('warn'), error: write('error') }, () => nowMs);
  return { log, lines, pass: (ms: number) => (nowMs += ms) };
}

for (const [level, burst] of [
  ['warn', 5],
  ['info', 200],
] as const) {
  test(`of ${level} lines of one kind a burst is written, and later how many were left out`, () => {
    const { log, lines, pass } = scene();
    for (let i = 0; i < 1_000; i++) log[level]('welcome', {}, 'welcome');
    assert.equal(lines.length, burst);
    log[level]('another', {}, 'another');
    assert.equal(lines.length, burst + 1, 'another kind has lines of its own');
    pass(10_000);
    log[level]('welcome', {}, 'welcome');
    assert.equal(lines.at(-1)?.linesLeftOut, 1_000 - burst);
  });
}
