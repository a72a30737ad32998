/** What a refusal by the pile becomes at its requester. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Reason } from '@plugpool/proto';
import { refusalError } from '../../vehicle-client/errors.ts';

const TOO_LARGE: Reason = { code: 'never_feasible', detail: 'too large', hint: 'ask for less' };
const UNREADABLE: Reason = { code: 'constraint_invalid', detail: 'it ends too soon', hint: 'finish it' };

test('every reason of a refusal is told, and what to do about each, once', () => {
  const { code, message, hint } = refusalError('the request', [TOO_LARGE, UNREADABLE, TOO_LARGE], false);
  assert.equal(code, 'never_feasible');
  assert.equal(message, 'the pile refused the request: too large; it ends too soon; too large');
  assert.equal(hint, 'ask for less; finish it');
});

test('a refusal without a hint says whether to try again', () => {
  const bare = { ...TOO_LARGE, hint: '' };
  assert.equal(refusalError('the request', [bare], true).hint, 'try again later');
  assert.equal(refusalError('the request', [], false).hint, 'change what was asked for');
});
