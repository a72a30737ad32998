/** The salt of the pile: made once, kept, and never quietly replaced. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createPilePseudonymizer } from '../../agent/pseudonym-salt.ts';
import { StoreError } from '../../agent/store-error.ts';

const VIN = 'WVWZZZ1JZ3W386752';

function dataDirOf(t: TestContext): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-salt-'));
  t.after(() => rmSync(dataDir, { recursive: true }));
  return dataDir;
}

test('a value has one pseudonym on this pile over restarts, and another one on another pile', (t) => {
  const here = dataDirOf(t);
  const first = createPilePseudonymizer(here)('vin', VIN);
  assert.equal(createPilePseudonymizer(here)('vin', VIN), first);
  assert.notEqual(createPilePseudonymizer(dataDirOf(t))('vin', VIN), first);
});

test('the salt is read by its owner alone, and nothing unfinished is left beside it', (t) => {
  const dataDir = dataDirOf(t);
  createPilePseudonymizer(dataDir);
  assert.deepEqual(readdirSync(dataDir), ['pseudonym-salt']);
  assert.equal(statSync(join(dataDir, 'pseudonym-salt')).mode & 0o777, 0o600);
  assert.equal(readFileSync(join(dataDir, 'pseudonym-salt')).byteLength, 32);
});

test('a damaged salt is refused with what to do, and left as it is', (t) => {
  const dataDir = dataDirOf(t);
  writeFileSync(join(dataDir, 'pseudonym-salt'), 'short');
  assert.throws(
    () => createPilePseudonymizer(dataDir),
    (error) => error instanceof StoreError && /5 bytes/.test(error.message) && /bound anew/.test(error.hint),
  );
  assert.equal(readFileSync(join(dataDir, 'pseudonym-salt'), 'utf8'), 'short');
});
