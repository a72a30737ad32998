/** Which of two versions is the newer one. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { compareVersions } from '../../agent/core/algorithms/catalogue.ts';

test('versions are ordered as numbers, a pre-release before its release', () => {
  const inOrder = ['0.9', '1.0-rc1', '1.0-rc2', '1.0', '1.0.1', '1.9', '1.10', '2', '10.0'];
  for (let i = 1; i < inOrder.length; i++) {
    const [older = '', newer = ''] = inOrder.slice(i - 1, i + 1);
    assert.ok(compareVersions(older, newer) < 0, `${older} is older than ${newer}`);
    assert.ok(compareVersions(newer, older) > 0);
  }
  assert.equal(compareVersions('1.0', '1.0'), 0);
});
