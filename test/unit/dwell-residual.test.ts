/** A survival curve from now on: what is asked of it agrees with what it was made of. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { CurveResidual, LEAD_EDGES_MS, StepResidual } from '../../agent/core/dwell/residual.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Of those who stay, half are left after each hour. */
const halving = new CurveResidual(LEAD_EDGES_MS.map((ms) => (ms / HOUR_MS) * Math.LN2));

function isNear(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-6 * Math.max(1, expected), `${actual} is not ${expected}`);
}

test('a constant hazard halves who stays at each hour, also between the edges and after the last', () => {
  for (const hours of [0, 0.01, 0.5, 1, 7.3, 100, 400])
    isNear(halving.survives(hours * HOUR_MS), 2 ** -hours);
});

test('the longest stay of a probability is the inverse of survival', () => {
  isNear(halving.longestMs(0.5), HOUR_MS);
  isNear(halving.longestMs(0.125), 3 * HOUR_MS);
  isNear(halving.longestMs(2 ** -400), 400 * HOUR_MS);
  assert.equal(halving.longestMs(1), 0);
  assert.equal(halving.longestMs(0), Infinity);
});

test('the mean stay until an hour is the area under the curve', () => {
  isNear(halving.meanUntilMs(HOUR_MS), (0.5 / Math.LN2) * HOUR_MS);
  isNear(halving.meanUntilMs(1000 * HOUR_MS), HOUR_MS / Math.LN2);
  assert.equal(halving.meanUntilMs(0), 0);
  isNear(halving.hazardPerMs(90 * MINUTE_MS), Math.LN2 / HOUR_MS);
});

test('where nobody leaves for a while, the longest stay reaches to the end of that while', () => {
  const after = LEAD_EDGES_MS[10] ?? 0;
  const curve = new CurveResidual(LEAD_EDGES_MS.map((ms) => Math.max(0, ms - after) / HOUR_MS));
  assert.equal(curve.longestMs(1), after);
  assert.equal(curve.survives(after), 1);
});

test('where nobody ever leaves, there is no longest stay', () => {
  const curve = new CurveResidual(LEAD_EDGES_MS.map(() => 0));
  assert.equal(curve.longestMs(0.9), Infinity);
  assert.equal(curve.meanUntilMs(HOUR_MS), HOUR_MS);
});

test('a known departure is a step', () => {
  const step = new StepResidual(HOUR_MS);
  assert.equal(step.survives(HOUR_MS), 1);
  assert.equal(step.survives(HOUR_MS + 1), 0);
  assert.equal(step.longestMs(0.99), HOUR_MS);
  assert.equal(step.meanUntilMs(2 * HOUR_MS), HOUR_MS);
  assert.equal(new StepResidual(-5).longestMs(0.5), 0);
});
