/** Sub-pools: law 2 while vehicles come and go, and that a steady load moves nothing to and fro. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Capacity, VehicleId } from '@plugpool/proto';
import fc from 'fast-check';
import { ALGORITHM_CLASSES, type AlgorithmClass } from '../../agent/core/algorithms/feature.ts';
import { afterDrawing, afterGiving, levelOf, wanted } from '../../agent/core/pools/monitor.ts';
import { ALL_PPM, planPools, remainder, sizeOf } from '../../agent/core/pools/plan.ts';
import { countDonor, emptyPools, newSubPool, reserveSize, type Pools } from '../../agent/core/pools/pools.ts';
import { onPoolTimer, watchPools } from '../../agent/core/pools/watch.ts';
import { DIMENSIONS, mapVector, useOf, vectorOf, type Vector } from '../../agent/core/pools/vector.ts';
import { emptyState, type State } from '../../agent/core/state.ts';
import { beginTurn } from '../../agent/core/turn.ts';
import { TEST_SETTINGS } from '../simulation/simulated-pile.ts';

const amount = fc.oneof(fc.nat(20), fc.nat(100_000), fc.integer({ min: 0, max: 3_000_000_000 }));
const vector: fc.Arbitrary<Vector> = fc.record({
  cpuMillicores: amount,
  memoryMib: amount,
  gpuMillis: amount,
  vramMib: amount,
});
const classes = fc.subarray([...ALGORITHM_CLASSES]);

const planInput = fc
  .tuple(classes, fc.array(vector, { minLength: 3, maxLength: 3 }), fc.nat(900), fc.nat(300))
  .map(([present, demands, reserveMillis, minimumMillis]) => ({
    expected: new Map(present.map((one, index) => [one, demands[index] as Vector])),
    kept: new Map<AlgorithmClass, Vector>(),
    reserveMillis,
    minimumMillis,
  }));

test('a plan leaves the reserve what it is due, and every class its part of what it needs', () => {
  fc.assert(
    fc.property(planInput, (input) => {
      const planned = planPools(input);
      const reserve = remainder(ALL_PPM, planned.values());
      for (const dimension of DIMENSIONS)
        assert.ok(reserve[dimension] >= input.reserveMillis * 1000, `${dimension} of the reserve`);
      for (const [one, ppm] of planned)
        for (const dimension of DIMENSIONS) {
          const needs = (input.expected.get(one)?.[dimension] ?? 0) > 0;
          if (!needs) assert.equal(ppm[dimension], 0, `${one} needs no ${dimension}`);
          assert.ok(Number.isSafeInteger(ppm[dimension]));
        }
    }),
  );
});

test('whoever is expected to need more gets no less', () => {
  fc.assert(
    fc.property(planInput, fc.nat(2), vector, (input, nth, more) => {
      const one = [...input.expected.keys()][nth];
      if (one === undefined) return;
      const before = planPools(input).get(one) as Vector;
      const old = input.expected.get(one) as Vector;
      const larger = mapVector((dimension) => old[dimension] + more[dimension]);
      const after = planPools({ ...input, expected: new Map([...input.expected, [one, larger]]) }).get(one);
      for (const dimension of DIMENSIONS) {
        // A class that needs any at all takes its minimum from the others, and nothing of its own.
        assert.ok((after as Vector)[dimension] >= before[dimension], dimension);
      }
    }),
  );
});

/** Fractions of up to three sub-pools, often without any reserve. */
const split: fc.Arbitrary<Vector[]> = fc
  .array(fc.constantFrom(0, 1, 250_000, 333_333, 499_999, 500_000, 500_001, 1_000_000), {
    minLength: 3,
    maxLength: 3,
  })
  .map((wishes) => {
    let left = 1_000_000;
    return wishes.map((wish) => {
      const ppm = Math.min(left, wish);
      left -= ppm;
      return mapVector(() => ppm);
    });
  });

test('law 2: sub-pools and reserve are the whole to the last unit, however large it is', () => {
  fc.assert(
    fc.property(split, vector, fc.nat(1000), (parts, small, factor) => {
      const whole = mapVector((dimension) => small[dimension] * factor + (small[dimension] % 7));
      const sizes = parts.map((ppm) => sizeOf(ppm, whole));
      const reserve = remainder(whole, sizes);
      for (const dimension of DIMENSIONS) {
        assert.ok(reserve[dimension] >= 0, `${dimension}: ${reserve[dimension]} of ${whole[dimension]}`);
        for (const [nth, size] of sizes.entries()) {
          const exact = (BigInt((parts[nth] as Vector)[dimension]) * BigInt(whole[dimension])) / 1_000_000n;
          assert.equal(size[dimension], Number(exact));
        }
      }
    }),
  );
});

const capacity: fc.Arbitrary<Capacity> = fc.record({
  cpuMillicores: fc.nat(64_000),
  memoryMib: fc.nat(200_000),
  gpus: fc.array(
    fc.record({
      deviceId: fc.constant('0'),
      model: fc.constant('m'),
      shareMillis: fc.nat(1000),
      vramMib: fc.nat(16_000),
    }),
    { maxLength: 2 },
  ),
});

test('law 2: sub-pools and reserve add up to the whole while vehicles come and go', () => {
  const comings = fc.array(
    fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.option(capacity, { nil: undefined })),
  );
  fc.assert(
    fc.property(planInput, comings, (input, all) => {
      const pools = poolsOf(planPools(input));
      const here = new Map<string, Capacity>();
      for (const [vehicleId, lendable] of all) {
        countDonor(pools, vehicleId as VehicleId, lendable);
        if (lendable === undefined) here.delete(vehicleId);
        else here.set(vehicleId, lendable);
        const each = [...here.values()].map(vectorOf);
        const whole = mapVector((dimension) => each.reduce((sum, one) => sum + one[dimension], 0));
        assert.deepEqual(pools.whole, whole);
        const parts = [...[...pools.subPools.values()].map(({ size }) => size), reserveSize(pools)];
        assert.deepEqual(
          mapVector((dimension) => parts.reduce((sum, part) => sum + part[dimension], 0)),
          whole,
        );
      }
    }),
  );
});

function poolsOf(planned: ReadonlyMap<AlgorithmClass, Vector>): Pools {
  const pools = emptyPools();
  for (const [one, ppm] of planned) pools.subPools.set(one, { ...newSubPool(one), ppm });
  return pools;
}

/** Uses around both thresholds, in millionths of the whole. */
const usePpm = fc.constantFrom(
  0,
  1,
  10_000,
  30_000,
  49_000,
  51_000,
  400_000,
  940_000,
  960_000,
  1_000_000,
  1_500_000,
);
const sizePpm = fc.constantFrom(0, 1, 20_000, 200_000, 400_000, 990_000, 1_000_000);
const fractions = (of: fc.Arbitrary<number>): fc.Arbitrary<Vector> =>
  fc.record({ cpuMillicores: of, memoryMib: of, gpuMillis: of, vramMib: of });

test('what gave back or drew is even under the same use: one move, and never back', () => {
  fc.assert(
    fc.property(
      vector,
      fractions(usePpm),
      fractions(sizePpm),
      fc.constantFrom(0, 20),
      (whole, use, ppm, minimum) => {
        const thresholds = { poolLowMillis: 50, poolHighMillis: 950, poolMinimumMillis: minimum };
        const used = mapVector((dimension) => Math.round((use[dimension] * whole[dimension]) / 1e6));
        const measured = { ppm, size: sizeOf(ppm, whole), used, whole };
        const level = levelOf(measured, thresholds);
        if (level === 'even') return;
        const after =
          level === 'low'
            ? afterGiving(measured, thresholds)
            : afterDrawing(ppm, wanted(measured, thresholds), ALL_PPM);
        const again = { ...measured, ppm: after, size: sizeOf(after, whole) };
        const then = levelOf(again, thresholds);
        // It may be low at the minimum, or high where all of the whole is used; what moved does not move back.
        const next =
          then === 'low'
            ? afterGiving(again, thresholds)
            : then === 'high'
              ? wanted(again, thresholds)
              : after;
        for (const dimension of DIMENSIONS) {
          const moved = Math.sign(after[dimension] - ppm[dimension]);
          const movesThen = Math.sign(next[dimension] - after[dimension]);
          assert.ok(moved === 0 || movesThen === 0, `${dimension}: ${level} became ${then}`);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

/** Runs the pools of a state with nothing but the timers that they set, for that many windows. */
function steadily(state: State, windows: number): void {
  const { poolWindowMs } = state.settings;
  let turn = beginTurn(state, { monoMs: 0, wallMs: 0 });
  watchPools(turn);
  for (let nowMs = 0; nowMs <= windows * poolWindowMs; nowMs += poolWindowMs / 4) {
    turn = beginTurn(state, { monoMs: nowMs, wallMs: nowMs });
    for (;;) {
      const name = state.timers.takeDue(nowMs);
      if (name === undefined) break;
      if (name.startsWith('pool:')) onPoolTimer(turn, name.slice('pool:'.length) as AlgorithmClass);
    }
    watchPools(turn);
  }
}

test('under any steady use a sub-pool changes finitely often, in one direction, and then rests', () => {
  const uses = fc.record({ cpu: vector, gpu: vector, memory: vector });
  fc.assert(
    fc.property(planInput, uses, vector, (input, used, whole) => {
      const state = emptyState(TEST_SETTINGS, 1);
      const pools = poolsOf(planPools(input));
      Object.assign(state.pools, { subPools: pools.subPools });
      Object.assign(state.pools.whole, whole);
      for (const one of ALGORITHM_CLASSES) Object.assign(state.pools.used[one], used[one]);
      for (const pool of pools.subPools.values()) pool.size = sizeOf(pool.ppm, whole);
      state.pools.moved = true;
      steadily(state, 12);
      const changes = [...state.pools.changes];
      steadily(state, 24);
      assert.deepEqual(state.pools.changes, changes, 'something still moves');
      for (const one of ALGORITHM_CLASSES) {
        const own = changes.filter(({ algorithmClass }) => algorithmClass === one);
        for (const dimension of DIMENSIONS) {
          const moves = own.map(({ beforePpm, afterPpm }) =>
            Math.sign(afterPpm[dimension] - beforePpm[dimension]),
          );
          assert.ok(!(moves.includes(1) && moves.includes(-1)), `${dimension} of ${one} turned back`);
        }
        assert.ok(own.length <= 5, `${one} changed ${own.length} times`);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('use is the dominant share, and nothing of a size of nothing is not use', () => {
  const size = { cpuMillicores: 1000, memoryMib: 100, gpuMillis: 0, vramMib: 0 };
  assert.equal(useOf({ cpuMillicores: 100, memoryMib: 50, gpuMillis: 0, vramMib: 0 }, size), 0.5);
  assert.equal(useOf({ cpuMillicores: 0, memoryMib: 0, gpuMillis: 1, vramMib: 0 }, size), Infinity);
});
