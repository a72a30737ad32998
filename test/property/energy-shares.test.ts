/** Whose energy it was: all runs together are never given more than the meter counted, and what was not measured is no number. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CountedEnergy } from '../../vehicle-client/adapters/power-meter/energy-counters.ts';
import { EnergyShares, UJ_PER_MWH, type EnergyLook } from '../../vehicle-client/core/energy-shares.ts';

const RUNS = ['a', 'b', 'c'];

/** A machine that computes, and a meter that counts what it takes. */
class Machine {
  monoMs = 0;
  busyMs = 0;
  meterUj = 0;
  series = 0;
  readonly runs = new Map<string, number>();

  /** `othersMs` of the owner's own programs beside what each run computes. */
  pass(
    lengthMs: number,
    { idleMw = 5_000, perCoreMw = 10_000, othersMs = 0 },
    cpuMs: Record<string, number> = {},
  ): void {
    let computedMs = othersMs;
    for (const [key, ms] of Object.entries(cpuMs)) {
      this.runs.set(key, (this.runs.get(key) ?? 0) + ms);
      computedMs += ms;
    }
    this.monoMs += lengthMs;
    this.busyMs += computedMs;
    this.meterUj += idleMw * lengthMs + perCoreMw * computedMs;
  }

  look(): EnergyLook {
    const { monoMs, busyMs, meterUj, series, runs } = this;
    return { monoMs, busyMs, meter: { energyUj: meterUj, series }, runs: new Map(runs) };
  }
}

/** Its idle floor is known: 5 W. */
function machineAtRest(isGpuMetered = false): { machine: Machine; shares: EnergyShares } {
  const machine = new Machine();
  const shares = new EnergyShares({ isGpuMetered, cores: 4 });
  shares.look(machine.look());
  machine.pass(2_000, {});
  shares.look(machine.look());
  return { machine, shares };
}

test('a run alone on the machine took what was taken above idle', () => {
  const { machine, shares } = machineAtRest();
  shares.began('a', false);
  machine.pass(3_600, {}, { a: 3_600 });
  shares.look(machine.look());
  assert.equal(shares.soFarMwh('a'), 10, '10 W for 3.6 s');
  assert.equal(shares.powerMw, 15_000);
  assert.equal(shares.floorMw, 5_000);
  assert.equal(shares.ended('a', 3_600, false), 10);
});

test('runs and the owner share by CPU time', () => {
  const { machine, shares } = machineAtRest();
  for (const key of ['a', 'b']) shares.began(key, false);
  machine.pass(3_600, { othersMs: 3_600 }, { a: 7_200, b: 3_600 });
  shares.look(machine.look());
  assert.deepEqual([shares.soFarMwh('a'), shares.soFarMwh('b')], [20, 10]);
});

test('what is less than a mWh is told with a later run', () => {
  const { machine, shares } = machineAtRest();
  const told = Array.from({ length: 10 }, (_, i) => {
    shares.began(`run ${i}`, false);
    machine.pass(90, {}, { [`run ${i}`]: 90 });
    shares.look(machine.look());
    return shares.ended(`run ${i}`, 90, false) ?? NaN;
  });
  assert.equal(
    told.reduce((sum, mwh) => sum + mwh, 0),
    2,
    '9 J are two and a half mWh',
  );
});

test('a run that began and ended between two looks is told with the next', () => {
  const { machine, shares } = machineAtRest();
  shares.began('short', false);
  shares.began('a', false);
  machine.pass(3_600, {}, { short: 3_600 });
  assert.equal(shares.ended('short', 3_600, false), 0);
  shares.look(machine.look());
  assert.equal(shares.ended('a', 0, false), 10);
});

test('runs whose CPU time the kernel has not counted for the machine yet are given no more than was taken', () => {
  const { machine, shares } = machineAtRest();
  for (const key of ['a', 'b']) shares.began(key, false);
  machine.pass(3_600, {}, { a: 1_800, b: 1_800 });
  machine.busyMs -= 3_590;
  shares.look(machine.look());
  assert.deepEqual([shares.soFarMwh('a'), shares.soFarMwh('b')], [5, 5]);
});

test('what the owner computes after a run is not added to what the run took', () => {
  const { machine, shares } = machineAtRest();
  shares.began('short', false);
  machine.pass(1_800, {}, { short: 1_800 });
  shares.ended('short', 1_800, false);
  for (let i = 0; i < 10; i++) {
    shares.look(machine.look());
    machine.pass(3_600, { othersMs: 3_600 });
  }
  shares.began('a', false);
  assert.equal(shares.ended('a', 0, false), 5);
});

test('a run is not measured where the meter began anew, was lost at its end, or no idle floor is known', () => {
  const { machine, shares } = machineAtRest();
  shares.began('a', false);
  machine.pass(1_000, {}, { a: 1_000 });
  machine.series++;
  shares.look(machine.look());
  assert.equal(shares.soFarMwh('a'), undefined);
  assert.equal(shares.ended('a', 1_000, false), undefined);

  shares.began('b', false);
  machine.pass(1_000, {}, { b: 1_000 });
  assert.equal(shares.ended('b', 1_000, true), undefined);

  const unknown = new EnergyShares({ isGpuMetered: false, cores: 4 });
  const busy = new Machine();
  unknown.look(busy.look());
  unknown.began('c', false);
  busy.pass(1_000, {}, { c: 900 });
  unknown.look(busy.look());
  assert.equal(unknown.ended('c', 900, false), undefined);
});

test('a run with a GPU is not measured, nor those beside it where the meter counts the GPU', () => {
  for (const isGpuMetered of [true, false]) {
    const { machine, shares } = machineAtRest(isGpuMetered);
    shares.began('gpu', true);
    shares.began('a', false);
    machine.pass(3_600, {}, { gpu: 3_600, a: 3_600 });
    shares.look(machine.look());
    assert.equal(shares.ended('gpu', 3_600, false), undefined);
    assert.equal(shares.ended('a', 3_600, false), isGpuMetered ? undefined : 10);
  }
});

test('a machine that its owner keeps busy was never seen at rest: no run on it is measured', () => {
  const machine = new Machine();
  const shares = new EnergyShares({ isGpuMetered: false, cores: 4 });
  shares.look(machine.look());
  for (let i = 0; i < 10; i++) {
    machine.pass(2_000, { othersMs: 4_000 });
    shares.look(machine.look());
  }
  shares.began('a', false);
  machine.pass(2_000, { othersMs: 4_000 }, { a: 2_000 });
  shares.look(machine.look());
  assert.equal(shares.floorMw, undefined);
  assert.equal(shares.ended('a', 2_000, false), undefined);
});

test('a load that lasts does not become the idle floor, and a floor that is no longer true goes', () => {
  const { machine, shares } = machineAtRest();
  shares.began('a', false);
  for (let minute = 0; minute < 180; minute++) {
    machine.pass(60_000, {}, { a: 60_000 });
    shares.look(machine.look());
  }
  assert.equal(shares.floorMw, 5_000);
  for (let minute = 0; minute < 70; minute++) {
    machine.pass(60_000, { idleMw: 8_000 });
    shares.look(machine.look());
  }
  assert.equal(shares.floorMw, 8_000);
});

const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      lengthMs: fc.integer({ min: 0, max: 5_000 }),
      idleMw: fc.integer({ min: 0, max: 30_000 }),
      perCoreMw: fc.integer({ min: 0, max: 40_000 }),
      othersMs: fc.integer({ min: 0, max: 8_000 }),
      cpuMs: fc.array(fc.integer({ min: 0, max: 9_000 }), { minLength: 3, maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('began' as const), run: fc.nat(2), usesGpu: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('ended' as const),
      run: fc.nat(2),
      looksFirst: fc.boolean(),
      extraMs: fc.integer({ min: 0, max: 50 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forgot' as const), run: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'look' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('meterBeganAnew' as const),
      atUj: fc.integer({ min: 0, max: 1_000_000_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('clockJumped' as const),
      byMs: fc.integer({ min: -100_000, max: 100_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('meterJumped' as const),
      byUj: fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }),
    }),
  },
);

test('whatever overlaps, pauses, is lost, jumps or begins anew: all runs are told no more than the meter counted', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), fc.boolean(), (events, isGpuMetered) => {
      const { machine, shares } = machineAtRest(isGpuMetered);
      let countedUj = machine.meterUj;
      let toldMwh = 0;
      const live = new Map<string, boolean>();
      let seen = { ...machine.look().meter };
      const look = (): void => {
        shares.look(machine.look());
        const { meter } = machine.look();
        if (meter.series === seen.series) countedUj += Math.max(0, meter.energyUj - seen.energyUj);
        seen = meter;
      };
      for (const one of events) {
        const key = 'run' in one ? (RUNS[one.run] as string) : '';
        switch (one.kind) {
          case 'pass':
            machine.pass(
              one.lengthMs,
              one,
              Object.fromEntries([...live.keys()].map((run, i) => [run, one.cpuMs[i] ?? 0])),
            );
            break;
          case 'began':
            if (live.has(key)) break;
            live.set(key, one.usesGpu);
            machine.runs.set(key, 0);
            shares.began(key, one.usesGpu);
            break;
          case 'ended': {
            const usesGpu = live.get(key);
            if (one.looksFirst) look();
            const mwh = shares.ended(key, (machine.runs.get(key) ?? 0) + one.extraMs, false);
            if (usesGpu !== false) assert.equal(mwh, undefined);
            live.delete(key);
            toldMwh += mwh ?? 0;
            break;
          }
          case 'forgot':
            live.delete(key);
            shares.forgot(key);
            break;
          case 'look':
            look();
            break;
          case 'meterBeganAnew':
            machine.series++;
            machine.meterUj = one.atUj;
            break;
          case 'clockJumped':
            machine.monoMs += one.byMs;
            break;
          case 'meterJumped':
            machine.meterUj += one.byUj;
            break;
        }
        assert.ok(toldMwh * UJ_PER_MWH <= countedUj + 1e-3, `${toldMwh} mWh of ${countedUj} µJ`);
      }
    }),
    { numRuns: 500 },
  );
});

test('counters that go round are followed as if they never did', () => {
  const step = fc.record({
    lengthMs: fc.integer({ min: 1, max: 60_000 }),
    powersMw: fc.tuple(fc.integer({ min: 0, max: 400_000 }), fc.integer({ min: 0, max: 400_000 })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rangeUj = 65_532_610_987;
      const trueUj = [rangeUj - 1_000_000, 5];
      const counters = ['0', '1'].map((path) => ({ name: path, path, rangeUj }));
      const meter = new CountedEnergy(counters, (path) => (trueUj[Number(path)] as number) % rangeUj);
      let monoMs = 0;
      let sumUj = 0;
      assert.equal(meter.read(monoMs)?.energyUj, 0);
      for (const { lengthMs, powersMw } of steps) {
        monoMs += lengthMs;
        for (const [i, powerMw] of powersMw.entries()) {
          trueUj[i] = (trueUj[i] as number) + powerMw * lengthMs;
          sumUj += powerMw * lengthMs;
        }
        assert.deepEqual(meter.read(monoMs), { energyUj: sumUj, series: 0 });
      }
    }),
  );
});
