/** The file that numbers the runs: it only grows, whatever step it takes and whatever a power cut leaves of it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  firstGeneration,
  jumpGeneration,
  nextGeneration,
  readGeneration,
  takeGeneration,
} from '../../agent/adapters/store-sqlite/generation-file.ts';
import { GENERATIONS_MAX } from '../../agent/core/limits.ts';
import { StoreError } from '../../agent/store-error.ts';

const IN_2026_MS = Date.UTC(2026, 10, 22);
const SLOT_BYTES = 512;

function fileIn(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'plugpool-generation-'));
  context.after(() => rmSync(directory, { recursive: true }));
  return join(directory, 'agent.generation');
}

const steps = fc.array(
  fc.oneof(
    fc.record({ step: fc.constant('start' as const), atLeast: fc.integer({ min: 0, max: 100 }) }),
    fc.record({ step: fc.constant('take' as const) }),
    fc.record({ step: fc.constant('jump' as const), known: fc.integer({ min: 0, max: 1_000_000 }) }),
  ),
  { minLength: 1, maxLength: 20 },
);

test('every step grows it, and when its last write was torn it is as it was before', (context) => {
  const path = fileIn(context);
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 40 }), (taken, tornAt) => {
      rmSync(path, { force: true });
      let before = 0;
      let bytesBefore: Buffer = Buffer.alloc(2 * SLOT_BYTES, ' ');
      let newest = 0;
      for (const each of taken) {
        before = newest;
        bytesBefore = newest === 0 ? bytesBefore : readFileSync(path);
        if (each.step === 'start') newest = nextGeneration(path, each.atLeast);
        else if (each.step === 'jump') newest = jumpGeneration(path, each.known, 0);
        else takeGeneration(path, (newest += 1));
        assert.equal(readGeneration(path), newest);
        assert.ok(newest > before);
      }
      const after = readFileSync(path);
      const changedSlot = after.subarray(0, SLOT_BYTES).equals(bytesBefore.subarray(0, SLOT_BYTES)) ? 1 : 0;
      const torn = openSync(path, 'r+');
      const from = changedSlot * SLOT_BYTES + tornAt;
      writeSync(
        torn,
        bytesBefore.subarray(from, (changedSlot + 1) * SLOT_BYTES),
        0,
        SLOT_BYTES - tornAt,
        from,
      );
      closeSync(torn);
      assert.ok([before, newest].includes(readGeneration(path)), 'never below what it was');
    }),
  );
});

test('a jump leads above what any run between two backups can have given, by count and by clock', (context) => {
  const path = fileIn(context);
  assert.ok(jumpGeneration(path, 40, 0) >= 40 + 65_536, 'with a clock that is not set');
  rmSync(path);
  const first = jumpGeneration(path, 40, IN_2026_MS);
  rmSync(path);
  const minutesLater = jumpGeneration(path, 40, IN_2026_MS + 3 * 60_000);
  assert.ok(minutesLater > first, 'two restores of one backup on fresh disks differ');
  assert.ok(minutesLater < GENERATIONS_MAX / 50);
  rmSync(path);
  assert.ok(
    jumpGeneration(path, 40, Date.UTC(9999, 0, 1)) < 100_000,
    'a clock beyond reason is not believed',
  );
});

test('a restore a day for twenty years, and a start a minute between them, do not use it up', () => {
  const restores = 20 * 366;
  assert.ok(restores * (65_536 + 24 * 60) < GENERATIONS_MAX);
});

test('only the next generation can be taken', (context) => {
  const path = fileIn(context);
  nextGeneration(path, 0);
  assert.throws(() => takeGeneration(path, 3), /the next one/);
  takeGeneration(path, 2);
  assert.equal(readGeneration(path), 2);
});

test('at its end it says so, and gives no number twice', (context) => {
  const path = fileIn(context);
  nextGeneration(path, GENERATIONS_MAX - 1);
  assert.throws(
    () => nextGeneration(path, 0),
    (error: unknown) => error instanceof StoreError && /no fencing tokens/.test(error.message),
  );
  assert.equal(readGeneration(path), GENERATIONS_MAX);
});

test('a file that says nothing is as none', (context) => {
  const path = fileIn(context);
  assert.equal(readGeneration(path), 0);
  writeFileSync(path, 'generation 5 6\n');
  assert.equal(readGeneration(path), 0);
});

test('two piles do not begin at the same number: what a vehicle brings from the one is void at the other', (context) => {
  const firsts = Array.from({ length: 20 }, () => firstGeneration(fileIn(context)));
  assert.ok(new Set(firsts).size > 15, firsts.join());
  for (const first of firsts) {
    const path = fileIn(context);
    assert.ok(
      first >= 1 && first < jumpGeneration(path, 1, IN_2026_MS),
      'two restores still differ by the clock',
    );
  }
});
