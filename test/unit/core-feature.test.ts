/** Features and classes of algorithms: the source document's examples, what is learned, and that no class flaps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Demand, Used } from '@plugpool/proto';
import fc from 'fast-check';
import {
  classOf,
  featureOf,
  LEARNED_RUNS_MAX,
  LEARNED_RUNS_MIN,
  learnUse,
  NO_USE,
  type AlgorithmClass,
  type LearnedUse,
} from '../../agent/core/algorithms/feature.ts';
import { gflopsOf } from '../../agent/core/algorithms/gpu-models.ts';
import { DEFAULT_SETTINGS } from '../../agent/core/settings.ts';

const machine = DEFAULT_SETTINGS.referenceMachine;
const GIB = 1024;

function needs(
  cores: number,
  threads: number,
  memoryGib: number,
  gpu?: [model: string, vramGib: number],
): Demand {
  const demand = { cpuMillicores: cores * 1000, threads, memoryMib: memoryGib * GIB };
  if (gpu === undefined) return demand;
  return { ...demand, gpu: { shareMillis: 1000, vramMib: gpu[1] * GIB, model: gpu[0] } };
}

const EXAMPLES: readonly [what: string, demand: Demand, expected: AlgorithmClass][] = [
  ['8 cores, 16 threads, 8 GB', needs(8, 16, 8), 'cpu'],
  ['16 cores, 32 threads, 16 GB', needs(16, 32, 16), 'cpu'],
  ['RTX 2080, 12 GB VRAM, 10 GB', needs(2, 4, 10, ['RTX 2080', 12]), 'gpu'],
  ['RTX 2080 Ti, 11 GB VRAM, 12 GB', needs(4, 4, 12, ['NVIDIA GeForce RTX 2080 Ti', 11]), 'gpu'],
  ['4 cores, 4 threads, GTX 970 2 GB, 100 GB', needs(4, 4, 100, ['GTX 970', 2]), 'memory'],
  ['4 cores, 4 threads, GTX 980 4 GB, 100 GB', needs(4, 4, 100, ['GTX 980', 4]), 'memory'],
];

for (const [what, demand, expected] of EXAMPLES)
  test(`${what}: the class is ${expected}`, () => {
    assert.equal(classOf(featureOf(demand, machine)), expected);
  });

test('a named GPU counts by what it computes, one that is not known by what the demand says', () => {
  assert.equal(gflopsOf('NVIDIA GeForce GTX 970'), 3920);
  assert.equal(gflopsOf('GTX970'), 3920);
  assert.equal(gflopsOf('GTX 980'), 4981);
  assert.equal(gflopsOf('RTX 2080'), 10_068);
  assert.equal(gflopsOf('constructor'), undefined);
  const named = featureOf(needs(1, 1, 1, ['GTX 970', 0]), machine);
  assert.equal(named.gpuPpm, Math.round((3920 / machine.gpuGflops) * 1e6));
  const unknown = featureOf(needs(1, 1, 1, ['Drive 9000', 0]), machine);
  assert.equal(unknown.gpuPpm, 1e6);
});

test('equal shares are told apart in a stated order: gpu, memory, cpu', () => {
  assert.equal(classOf({ cpuPpm: 5, memoryPpm: 5, gpuPpm: 5 }), 'gpu');
  assert.equal(classOf({ cpuPpm: 5, memoryPpm: 5, gpuPpm: 0 }), 'memory');
});

function runs(count: number, demand: Demand, used: Used, from: LearnedUse = NO_USE): LearnedUse {
  let learned = from;
  for (let run = 0; run < count; run++) learned = learnUse(learned, demand, used);
  return learned;
}

test('a program that asks for 100 GB and uses 2 becomes what it really leans on, after enough runs and not before', () => {
  const demand = needs(4, 4, 100);
  const used = { cpuMs: 4000, wallMs: 1000, memoryPeakMib: 2 * GIB, gpuMs: 0 };
  const few = runs(LEARNED_RUNS_MIN - 1, demand, used);
  assert.deepEqual(featureOf(demand, machine, few), featureOf(demand, machine));
  const many = runs(LEARNED_RUNS_MAX, demand, used);
  assert.equal(classOf(featureOf(demand, machine, many), 'memory'), 'cpu');
});

test('a class is kept until another share is clearly larger', () => {
  assert.equal(classOf({ cpuPpm: 110, memoryPpm: 100, gpuPpm: 0 }, 'memory'), 'memory');
  assert.equal(classOf({ cpuPpm: 121, memoryPpm: 100, gpuPpm: 0 }, 'memory'), 'cpu');
});

const anyDemand = fc.record({
  cpuMillicores: fc.integer({ min: 1, max: 1_024_000 }),
  threads: fc.integer({ min: 1, max: 1024 }),
  memoryMib: fc.integer({ min: 1, max: 1_000_000 }),
  gpu: fc.option(fc.record({ shareMillis: fc.integer({ min: 1, max: 1000 }), vramMib: fc.nat(100_000) }), {
    nil: undefined,
  }),
}) as fc.Arbitrary<Demand>;

const anyUsed: fc.Arbitrary<Used> = fc.record({
  cpuMs: fc.nat(),
  wallMs: fc.nat(),
  memoryPeakMib: fc.nat(),
  gpuMs: fc.nat(),
});

test('whatever donors claim to have used, a feature is finite and no more than its demand with all its threads', () => {
  fc.assert(
    fc.property(anyDemand, fc.array(anyUsed, { maxLength: 60 }), (demand, useds) => {
      let learned = NO_USE;
      for (const used of useds) learned = learnUse(learned, demand, used);
      const feature = featureOf(demand, machine, learned);
      const stated = featureOf(demand, machine);
      assert.ok(feature.memoryPpm <= stated.memoryPpm && feature.gpuPpm <= stated.gpuPpm);
      const coresMax = Math.max(demand.cpuMillicores, demand.threads * 1000) / machine.cpuMillicores;
      assert.ok(feature.cpuPpm <= Math.ceil(coresMax * 1e6));
      for (const share of Object.values(feature)) assert.ok(Number.isFinite(share) && share >= 0);
    }),
  );
});

test('a class that was chosen is chosen again from the same feature, and two features near each other do not alternate', () => {
  const share = fc.integer({ min: 1, max: 1_000_000 });
  fc.assert(
    fc.property(share, share, share, (cpuPpm, memoryPpm, gpuPpm) => {
      const feature = { cpuPpm, memoryPpm, gpuPpm };
      const first = classOf(feature);
      assert.equal(classOf(feature, first), first);
      // Eight percent of noise either way.
      const noisy = { ...feature, cpuPpm: cpuPpm * 1.08, memoryPpm: memoryPpm * 1.08 };
      const moved = classOf(noisy, first);
      assert.equal(classOf(feature, moved), moved);
    }),
  );
});
