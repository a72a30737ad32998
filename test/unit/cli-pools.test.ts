/** How the operator's commands tell the changes of sub-pools. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { moveInWords } from '../../agent/cli/pools.ts';

const BEFORE = { cpuPpm: 864_000, memoryPpm: 20_000, gpuPpm: 0, vramPpm: 0 };

test('a change tells the shares that moved, and none that reads the same before and after', () => {
  assert.equal(moveInWords({ before: BEFORE, after: { ...BEFORE, cpuPpm: 20_000 } }), 'cpu 86.4 % → 2 %');
  assert.equal(moveInWords({ before: BEFORE, after: { ...BEFORE, cpuPpm: 864_007 } }), 'as before');
});
