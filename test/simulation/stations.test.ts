/** Whole stations under faults, from fixed seeds: every law holds at every step, and what was promised is kept in the end. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { replayOf } from './main.ts';
import { simulate, type Outcome, type Run } from './simulate.ts';

async function runSeeds(from: number, to: number, shape: Omit<Run, 'seed'> = {}): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let seed = from; seed <= to; seed += 1) outcomes.push(await simulate({ seed, ...shape }));
  const broken = outcomes.filter(({ violations }) => violations.length > 0);
  assert.deepEqual(
    broken.map(({ seed, violations }) => `${violations[0]}; replay it: ${replayOf(seed, shape)}`),
    [],
  );
  return outcomes;
}

for (const from of [1, 41, 81, 121, 161])
  test(`seeds ${from} to ${from + 39}: one pile, five vehicles, everything that goes wrong`, async () => {
    const outcomes = await runSeeds(from, from + 39);
    const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, each) => total + of(each), 0);
    // A world in which nothing happens keeps every promise.
    assert.ok(sum(({ counts }) => counts.completed) > 600);
    assert.ok(sum(({ counts }) => counts.deaths) > 30);
    assert.ok(sum(({ counts }) => counts.attempts) > sum(({ counts }) => counts.accepted));
  });

test('seeds 1 to 8 on the production store, which gives back what the model has', async () => {
  await runSeeds(1, 8, { sqlite: true });
});

test('seeds 1 to 10 with two piles between which vehicles move', async () => {
  await runSeeds(1, 10, { stations: 2, vehicles: 6 });
});

test('one seed gives one run', async () => {
  const [first, second] = [await simulate({ seed: 7 }), await simulate({ seed: 7 })];
  assert.deepEqual(second, first);
});
