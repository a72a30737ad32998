/** Each mutation still finds its place: `npm run test:mutations` shows that each is noticed, which takes minutes. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { mutated, ROOT } from '../mutations/checkout-copy.ts';
import { MUTATIONS } from '../mutations/mutations.ts';

for (const mutation of MUTATIONS)
  test(`"${mutation.name}" stands at one place`, () => {
    const text = readFileSync(join(ROOT, mutation.file), 'utf8');
    assert.notEqual(mutated(text, mutation), text);
    const programs = mutation.proof.filter((argument) => argument.endsWith('.ts'));
    assert.ok(programs.length > 0 && programs.every((path) => existsSync(join(ROOT, path))));
  });

test('no two mutations have the same name', () => {
  assert.equal(new Set(MUTATIONS.map(({ name }) => name)).size, MUTATIONS.length);
});

test('a place that is not there, or is there twice, is an error that names the file', () => {
  const [mutation] = MUTATIONS;
  assert.ok(mutation);
  assert.throws(() => mutated('', mutation), /stands 0 times in .*\.ts/);
  assert.throws(() => mutated(mutation.find + mutation.find, mutation), /stands 2 times/);
});
