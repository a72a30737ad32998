/** The route planners against an independent search and an independent check of their plans. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { imagePathOf, IMAGE_SOURCES } from '../../algorithms/build.ts';
import { exampleAlgorithms } from '../../algorithms/catalogue.ts';
import { CITIES } from '../../algorithms/route-plan/europe.ts';
import { SHARED_TRIPS } from '../../algorithms/route-plan/examples.ts';
import { checkPlan, readPlan } from '../../algorithms/route-plan/plan-check.ts';
import { leastTotalMs } from '../../algorithms/route-plan/reference.ts';
import { DELIVERY_VAN, MIDSIZE_CAR, tripText } from '../../algorithms/route-plan/trip.ts';
import { runWasmImage } from '../../algorithms/recording/run-image.ts';
import type { ExampleAlgorithm, ExampleInput } from '../../algorithms/example.ts';
import type { ImageRun } from '../../algorithms/recording/run-image.ts';
import type { Plan } from '../../algorithms/route-plan/plan-check.ts';
import type { Trip } from '../../algorithms/route-plan/trip.ts';

type Planner = 'route-plan-astar' | 'route-plan-anneal';

/** The longest input is left to the demo; and where there is nothing to anneal, A* alone shows that the search is right. */
const SECONDS_MAX = 3;
function worthRunning(example: ExampleAlgorithm, input: ExampleInput): boolean {
  return (
    input.approxSeconds <= SECONDS_MAX && (example.id === 'route-plan-astar' || input.name.includes('tour'))
  );
}

const SMALL_TRIP: Trip = {
  from: 'Lisbon',
  to: 'Oslo',
  stops: ['Milan', 'Prague'],
  vehicle: MIDSIZE_CAR,
  socSteps: 40,
  speedsKmh: [90, 130],
  startPercent: 90,
  reservePercent: 10,
  arrivePercent: 20,
  seed: 1,
  effort: 1,
};

async function runPlanner(planner: Planner, text: string): Promise<ImageRun> {
  const source = IMAGE_SOURCES.find((s) => s.name === planner);
  assert.ok(source);
  return runWasmImage(imagePathOf(source), [], new TextEncoder().encode(text));
}

async function planOf(planner: Planner, trip: Trip): Promise<Plan> {
  const run = await runPlanner(planner, tripText(trip));
  assert.equal(run.exitCode, 0, run.stderr);
  const plan = readPlan(run.output);
  assert.ok(plan);
  return plan;
}

test('the trip that the README plans is the example of its name', async () => {
  const file = new URL('../../algorithms/route-plan/lisbon-tallinn.txt', import.meta.url);
  assert.equal(
    await readFile(file, 'utf8'),
    tripText(SHARED_TRIPS['lisbon-tallinn'] as Trip),
    'write it anew',
  );
});

for (const example of await exampleAlgorithms()) {
  if (example.type !== 'route-plan') continue;
  for (const input of example.inputs.filter((each) => worthRunning(example, each))) {
    test(`${example.id} gives the recorded plan of ${input.name}`, async () => {
      const run = await runWasmImage(example.imagePath, example.args, await input.bytes());
      assert.equal(run.exitCode, 0, run.stderr);
      assert.deepEqual(await input.check(run.output), { ok: true });
      assert.ok(run.memoryMib <= (example.demands[0]?.memoryMib ?? 0));
    });
  }
}

const cityName = fc.constantFrom(...CITIES.map((city) => city.name));
const anyTrip: fc.Arbitrary<Trip> = fc.record({
  from: cityName,
  to: cityName,
  stops: fc.uniqueArray(cityName, { maxLength: 2 }),
  vehicle: fc.constantFrom(MIDSIZE_CAR, DELIVERY_VAN),
  socSteps: fc.integer({ min: 25, max: 45 }),
  speedsKmh: fc.constantFrom([100], [80, 110], [90, 110, 130]),
  startPercent: fc.integer({ min: 20, max: 100 }),
  reservePercent: fc.integer({ min: 0, max: 20 }),
  arrivePercent: fc.integer({ min: 0, max: 60 }),
  seed: fc.constant(1),
  effort: fc.constant(1),
});

test('A* finds the least time that plain Dijkstra over every state finds, or like it none', async () => {
  const property = fc.asyncProperty(anyTrip, async (trip) => {
    const run = await runPlanner('route-plan-astar', tripText(trip));
    const least = leastTotalMs(trip);
    if (least === undefined) return assert.equal(run.exitCode, 1);
    const plan = readPlan(run.output);
    assert.ok(plan, run.stderr);
    assert.deepEqual(checkPlan(trip, plan), { ok: true });
    assert.equal(plan.totalMs, least);
  });
  await fc.assert(property, { numRuns: 25 });
});

test('annealing finds plans that can be driven, never shorter than the best', async () => {
  const best = await planOf('route-plan-astar', SMALL_TRIP);
  const found = await planOf('route-plan-anneal', SMALL_TRIP);
  assert.deepEqual(checkPlan(SMALL_TRIP, found), { ok: true });
  assert.ok(found.totalMs >= best.totalMs);
  assert.equal(best.optimal, true);
  assert.equal(found.optimal, false);
});

test('annealing brings a tour in a bad order close to the best', async () => {
  const stops = ['Warsaw', 'Paris', 'Budapest', 'Milan', 'Prague'];
  const trip: Trip = { ...SMALL_TRIP, from: 'Berlin', to: 'Berlin', stops, socSteps: 100, effort: 5 };
  const [best, found] = [await planOf('route-plan-astar', trip), await planOf('route-plan-anneal', trip)];
  assert.ok(found.totalMs < best.totalMs * 1.02, `${found.totalMs} ms where ${best.totalMs} is the best`);
});

test('a plan that is changed in any way that matters is refused', async () => {
  const plan = await planOf('route-plan-astar', SMALL_TRIP);
  const [first, ...rest] = plan.steps;
  assert.ok(first);
  const changed: Plan[] = [
    { ...plan, totalMs: plan.totalMs - 1 },
    { ...plan, steps: rest },
    { ...plan, steps: [{ ...first, ms: first.ms - 1 }, ...rest] },
    { ...plan, steps: [{ ...first, toStep: first.toStep + 1 }, ...rest] },
    { ...plan, steps: plan.steps.slice(0, -1) },
  ];
  for (const bad of changed) assert.equal(checkPlan(SMALL_TRIP, bad).ok, false);
  assert.equal(checkPlan({ ...SMALL_TRIP, stops: ['Athens'] }, plan).ok, false);
});

const refusals: readonly [title: string, change: (text: string) => string, complaint: RegExp][] = [
  ['another first line', (text) => text.replace('route-plan 1', 'route-plan 9'), /^line 1: the first line/],
  ['an unknown word', (text) => text + 'teleport Lisbon Oslo\n', /unknown word "teleport"/],
  ['an unknown city', (text) => text + 'stop Atlantis\n', /no city "Atlantis"/],
  [
    'a number that is none',
    (text) => text.replace('reserve-soc 10', 'reserve-soc 1e1'),
    /"1e1" is not a number/,
  ],
  ['a number out of range', (text) => text.replace('reserve-soc 10', 'reserve-soc 101'), /from 0 to 100/],
  ['no battery', (text) => text.replace(/^battery .*\n/m, ''), /battery line/],
  [
    'nine stops',
    (text) =>
      text +
      CITIES.slice(0, 9)
        .map((c) => `stop ${c.name}\n`)
        .join(''),
    /route-plan-anneal/,
  ],
  ['an empty input', () => '', /^line 1/],
  [
    'a place that no battery reaches',
    (text) => text.replaceAll(/^road .*\n/gm, ''),
    /no plan keeps the reserve/,
  ],
];

for (const [title, change, complaint] of refusals) {
  test(`an input with ${title} ends with exit code 1 and a line that says so`, async () => {
    const run = await runPlanner('route-plan-astar', change(tripText(SMALL_TRIP)));
    assert.equal(run.exitCode, 1);
    assert.match(run.stderr, complaint);
    assert.equal(run.output.byteLength, 0);
  });
}
