/** Fencing tokens and epochs: never given twice, over failed commits and past the end of a generation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NUMBERS_PER_GENERATION, GENERATIONS_MAX } from '../../agent/core/limits.ts';
import { carryNumbers, nextNumber } from '../../agent/core/numbers.ts';
import { emptyState, type State } from '../../agent/core/state.ts';
import { beginTurn } from '../../agent/core/turn.ts';
import { TEST_SETTINGS } from '../simulation/simulated-pile.ts';

const NOW = { monoMs: 0, wallMs: 0 };

function stateOf(generation: number, numbersGiven = 0): State {
  return Object.assign(emptyState(TEST_SETTINGS, generation), { numbersGiven });
}

test('the next generation is taken in the very step that gives its first number', () => {
  const state = stateOf(7, NUMBERS_PER_GENERATION - 2);
  const turn = beginTurn(state, NOW);
  const last = nextNumber(turn);
  assert.deepEqual(turn.effects.changes, []);
  const first = nextNumber(turn);
  assert.deepEqual(turn.effects.changes, [{ change: 'takeGeneration', generation: 8 }]);
  assert.equal(turn.effects.changesCanWait, false, 'nothing of it is said before it is on disk');
  assert.equal(last, 8 * NUMBERS_PER_GENERATION - 1);
  assert.equal(first, 8 * NUMBERS_PER_GENERATION + 1);
});

test('the last number that there is is a safe integer', () => {
  const turn = beginTurn(stateOf(GENERATIONS_MAX, NUMBERS_PER_GENERATION - 2), NOW);
  assert.ok(Number.isSafeInteger(nextNumber(turn)));
});

test('a generation that a failed commit did not write is taken again before a number of it is given', () => {
  const before = stateOf(8, 3);
  const state = stateOf(7);
  carryNumbers(state, before);
  const turn = beginTurn(state, NOW);
  nextNumber(turn);
  assert.deepEqual(turn.effects.changes, [{ change: 'takeGeneration', generation: 8 }]);
});

test('numbers go on after a failed commit, and begin anew where the store has a newer generation', () => {
  const same = stateOf(8);
  carryNumbers(same, stateOf(8, 3));
  assert.equal(nextNumber(beginTurn(same, NOW)), 8 * NUMBERS_PER_GENERATION + 4);
  const newer = stateOf(9);
  carryNumbers(newer, stateOf(8, 3));
  assert.equal(nextNumber(beginTurn(newer, NOW)), 9 * NUMBERS_PER_GENERATION + 1);
});
