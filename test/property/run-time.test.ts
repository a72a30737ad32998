/** Learned run-times: from an assumption at first, from the runs more and more, and never certain to a hair. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RUN_TIMES_MAX } from '../../agent/core/limits.ts';
import type { VehicleId } from '@plugpool/proto';
import { RUN_TIME_DONORS_MAX } from '../../agent/core/limits.ts';
import { RunTimes } from '../../agent/core/learned/run-time.ts';

const KEY = 'plan@1';
const DONOR = { vehicleId: 'car' as VehicleId, how: 'believed' } as const;

function learned(ratios: readonly number[], expectedMs = 10_000): RunTimes {
  const runTimes = new RunTimes();
  for (const ratio of ratios)
    runTimes.learn({ ...DONOR, algorithmKey: KEY, runMs: ratio * expectedMs, expectedMs });
  return runTimes;
}

function near(actual: number, expected: number, share: number): void {
  assert.ok(Math.abs(actual / expected - 1) <= share, `${actual} is not within ${share} of ${expected}`);
}

test('before any run the estimate stands, off by a factor of two either way in one case of three', () => {
  const { medianMs, quantilesMs } = new RunTimes().expect(KEY, 10_000);
  assert.equal(medianMs, 10_000);
  assert.equal(quantilesMs.length, 5);
  // 2 ** 1.28 of a spread that knows its mean from four runs' worth.
  near(quantilesMs[4] ?? 0, 10_000 * 2 ** (1.2816 * Math.sqrt(5 / 4)), 0.01);
});

test('where every run takes what was expected, what is expected becomes certain to 2 %', () => {
  const few = learned(Array<number>(8).fill(1)).expect(KEY, 10_000);
  const many = learned(Array<number>(500).fill(1)).expect(KEY, 10_000);
  near(few.medianMs, 10_000, 1e-9);
  assert.ok((few.quantilesMs[4] ?? 0) > 13_000, 'eight runs do not make certain');
  near(many.quantilesMs[0] ?? 0, 10_000 * Math.exp(-0.02 * 1.2816), 0.01);
  near(many.quantilesMs[4] ?? 0, 10_000 * Math.exp(0.02 * 1.2816), 0.01);
});

test('an estimate that is always off by the same factor is mended by that factor', () => {
  near(learned(Array<number>(200).fill(3)).expect(KEY, 60_000).medianMs, 180_000, 0.02);
  near(learned(Array<number>(200).fill(0.25)).expect(KEY, 60_000).medianMs, 15_000, 0.04);
});

test('the points are those of the runs: as many are below each as it says', () => {
  // Ratios spread evenly over a factor of e in logarithms, in an order that repeats nothing soon.
  const ratios = Array.from({ length: 2_000 }, (_, i) => Math.exp(((i * 0.618_033_988_75) % 1) - 0.5));
  const { quantilesMs } = learned(ratios).expect(KEY, 1);
  const below = quantilesMs.map((ms) => ratios.filter((ratio) => ratio < ms).length / ratios.length);
  for (const [i, share] of below.entries())
    assert.ok(Math.abs(share - (0.1 + 0.2 * i)) < 0.08, `${i}: ${share}`);
});

test('runs that are long ago are forgotten', () => {
  const changed = learned([...Array<number>(200).fill(5), ...Array<number>(200).fill(1)]);
  near(changed.expect(KEY, 10_000).medianMs, 10_000, 0.05);
});

test('what is learned run by run is what all runs give together, the older the lighter', () => {
  const ratio = fc.double({ min: 0.01, max: 100, noNaN: true });
  fc.assert(
    fc.property(fc.array(ratio, { minLength: 1, maxLength: 30 }), (ratios) => {
      const kept = 0.5 ** (1 / 32);
      // Four runs' worth of the prior: two a spread below and two above.
      const prior = [1, 1, -1, -1].map((sign) => ({ log: sign * Math.LN2, weight: kept ** ratios.length }));
      const runs = ratios.map((r, i) => ({ log: Math.log(r), weight: kept ** (ratios.length - 1 - i) }));
      const all = [...prior, ...runs];
      const weight = all.reduce((sum, each) => sum + each.weight, 0);
      const mean = all.reduce((sum, each) => sum + each.weight * each.log, 0) / weight;
      const variance = all.reduce((sum, each) => sum + each.weight * (each.log - mean) ** 2, 0) / weight;
      const { medianMs, quantilesMs } = learned(ratios, 1).expect(KEY, 1);
      near(medianMs, Math.exp(mean), 1e-6);
      const spread = Math.sqrt(variance * (1 + 1 / weight));
      near(quantilesMs[3] ?? 0, Math.exp(mean + spread * 0.524_400_51), 1e-6);
    }),
  );
});

const run = fc.record({
  runMs: fc.oneof(fc.double(), fc.integer({ min: -10, max: 1e9 })),
  expectedMs: fc.oneof(fc.double(), fc.integer({ min: -10, max: 1e9 })),
});

test('whatever is reported, the points rise, are positive, and are as long as the run is', () => {
  fc.assert(
    fc.property(fc.array(run, { maxLength: 60 }), fc.integer({ min: 1, max: 1e8 }), (runs, expectedMs) => {
      const runTimes = new RunTimes();
      for (const each of runs) runTimes.learn({ ...DONOR, algorithmKey: KEY, ...each });
      const { medianMs, quantilesMs } = runTimes.expect(KEY, expectedMs);
      for (let i = 0; i < 5; i++) {
        const ms = quantilesMs[i] ?? NaN;
        assert.ok(Number.isFinite(ms) && ms > (quantilesMs[i - 1] ?? 0), quantilesMs.join());
      }
      assert.equal(medianMs, quantilesMs[2]);
      const twice = runTimes.expect(KEY, 2 * expectedMs);
      near(twice.medianMs, 2 * medianMs, 1e-9);
    }),
  );
});

test('a run that took longer never makes the next one look shorter', () => {
  const ratio = fc.double({ min: 0.01, max: 100, noNaN: true });
  fc.assert(
    fc.property(fc.array(ratio, { maxLength: 20 }), ratio, ratio, (before, a, b) => {
      const [short, long] = a < b ? [a, b] : [b, a];
      const medianOf = (last: number): number => learned([...before, last]).expect(KEY, 1000).medianMs;
      assert.ok(medianOf(short) <= medianOf(long));
    }),
  );
});

test('what was learned is the same after it was written and read', () => {
  fc.assert(
    fc.property(fc.array(run, { maxLength: 20 }), (runs) => {
      const runTimes = new RunTimes();
      for (const [i, each] of runs.entries())
        runTimes.learn({
          ...DONOR,
          vehicleId: `car-${i % 5}` as VehicleId,
          algorithmKey: `a${i % 3}@1`,
          ...each,
        });
      const read = RunTimes.fromJson(JSON.parse(JSON.stringify(runTimes.toJson())));
      for (const key of ['a0@1', 'a1@1', 'a2@1', 'other@1']) {
        assert.deepEqual(read.expect(key, 1000), runTimes.expect(key, 1000));
        assert.equal(read.runs(key), runTimes.runs(key));
      }
    }),
  );
});

test('what is damaged is dropped, and the rest is kept', () => {
  const [good] = learned([2, 2]).toJson() as object[];
  for (const damaged of [
    null,
    7,
    'x',
    {},
    [],
    { ...good, prior: 'x' },
    { ...good, donors: [] },
    { ...good, donors: [['car', 1, 'x', 0]] },
    { ...good, donors: [['car', 0, 1, 0]] },
    { ...good, donors: [['car', 1, 1e9, 0]] },
    { ...good, donors: Array<unknown>(RUN_TIME_DONORS_MAX + 1).fill(['car', 1, 0, 0]) },
  ]) {
    assert.equal(RunTimes.fromJson([damaged, good]).runs(KEY), 2, JSON.stringify(damaged));
    assert.equal(RunTimes.fromJson(damaged).size, 0);
  }
  fc.assert(
    fc.property(fc.jsonValue(), (json) => RunTimes.fromJson(json).expect(KEY, 1000).medianMs === 1000),
  );
});

test('it is written only where something was learned since, and never grows beyond its bound', () => {
  const runTimes = new RunTimes();
  assert.equal(runTimes.takeChanged(), undefined);
  for (let i = 0; i < RUN_TIMES_MAX + 5; i++)
    runTimes.learn({ ...DONOR, algorithmKey: `a${i}@1`, runMs: 1, expectedMs: 1 });
  assert.equal(runTimes.size, RUN_TIMES_MAX);
  assert.equal((runTimes.takeChanged() as unknown[]).length, RUN_TIMES_MAX);
  assert.equal(runTimes.takeChanged(), undefined);
});

const HONEST = ['a', 'b', 'c'].map((id) => id as VehicleId);

test('a donor that says it ran for a thousandth of the time moves what all are thought to take by little, however often it does', () => {
  const runTimes = new RunTimes();
  const say = (vehicleId: VehicleId, runMs: number): void =>
    runTimes.learn({ ...DONOR, vehicleId, algorithmKey: KEY, runMs, expectedMs: 60_000 });
  for (let i = 0; i < 40; i++) for (const vehicleId of HONEST) say(vehicleId, 60_000);
  for (let i = 0; i < 1_000; i++) {
    say('liar' as VehicleId, 60);
    if (i % 20 === 0) for (const vehicleId of HONEST) say(vehicleId, 60_000);
  }
  near(runTimes.expect(KEY, 60_000).medianMs, 60_000, 0.05);
});

test('as long as honest donors weigh more than liars the median is one that an honest donor saw', () => {
  const ratio = fc.double({ min: 0.5, max: 2, noNaN: true });
  const lie = fc.double({ min: 0.001, max: 1_000, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(ratio, { minLength: 3, maxLength: 9 }),
      fc.array(lie, { minLength: 1, maxLength: 300 }),
      (honest, lies) => {
        const runTimes = new RunTimes();
        const say = (id: string, r: number): void =>
          runTimes.learn({
            ...DONOR,
            vehicleId: id as VehicleId,
            algorithmKey: KEY,
            runMs: r,
            expectedMs: 1,
          });
        for (const r of lies) say('liar', r);
        // Each honest donor ran a few times since.
        for (let i = 0; i < 10; i++) for (const [n, r] of honest.entries()) say(`car-${n}`, r);
        // The prior is 1, which lies between the honest ones' bounds.
        const { medianMs } = runTimes.expect(KEY, 1);
        assert.ok(medianMs >= Math.min(1, ...honest) - 1e-9 && medianMs <= Math.max(1, ...honest) + 1e-9);
      },
    ),
  );
});

test('a run that nobody has reason to believe counts as a quarter of one', () => {
  const doubted = new RunTimes();
  const believed = new RunTimes();
  for (let i = 0; i < 8; i++)
    doubted.learn({ ...DONOR, how: 'doubted', algorithmKey: KEY, runMs: 30, expectedMs: 10 });
  for (let i = 0; i < 2; i++) believed.learn({ ...DONOR, algorithmKey: KEY, runMs: 30, expectedMs: 10 });
  near(doubted.expect(KEY, 10).medianMs, believed.expect(KEY, 10).medianMs, 0.02);
  assert.ok(doubted.expect(KEY, 10).medianMs < 20);
});
