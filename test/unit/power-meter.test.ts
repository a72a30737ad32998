/** What the meter of a machine reads of trees under /sys that are laid out as the kernel lays them out, and what it leaves out. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SysfsPowerMeter } from '../../vehicle-client/adapters/power-meter/sysfs-power-meter.ts';
import { hiddenCounters } from '../../vehicle-client/runtimes/sandbox.ts';

const RANGE_UJ = 262_143_328_850;

class Sysfs {
  readonly root: string;

  constructor(t: TestContext) {
    this.root = mkdtempSync(join(tmpdir(), 'plugpool-sysfs-'));
    chmodSync(this.root, 0o755);
    t.after(() => rmSync(this.root, { recursive: true }));
  }

  write(files: Readonly<Record<string, string | number>>): this {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.root, 'class', path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${content}\n`);
    }
    return this;
  }

  zone(entry: string, name: string, energyUj: number, rangeUj = RANGE_UJ): this {
    return this.write({
      [`powercap/${entry}/name`]: name,
      [`powercap/${entry}/energy_uj`]: energyUj,
      [`powercap/${entry}/max_energy_range_uj`]: rangeUj,
    });
  }

  energy(entry: string, energyUj: number): this {
    return this.write({ [`powercap/${entry}/energy_uj`]: energyUj });
  }

  rail(hwmon: string, channel: number, label: string, millivolts: number, milliamperes: number): this {
    return this.write({
      [`hwmon/${hwmon}/in${channel}_label`]: label,
      [`hwmon/${hwmon}/in${channel}_input`]: millivolts,
      [`hwmon/${hwmon}/curr${channel}_input`]: milliamperes,
    });
  }

  meter(only?: 'powercap' | 'hwmon'): SysfsPowerMeter {
    return new SysfsPowerMeter({ sysfs: this.root, only });
  }
}

/** A client's processor: two copies of the package, what lies within it, and its memory. */
function laptop(t: TestContext): Sysfs {
  return new Sysfs(t)
    .write({ 'powercap/intel-rapl/enabled': 1 })
    .zone('intel-rapl:0', 'package-0', 1_000_000)
    .zone('intel-rapl:0:0', 'core', 600_000)
    .zone('intel-rapl:0:1', 'uncore', 100_000)
    .zone('intel-rapl:0:2', 'dram', 50_000)
    .zone('intel-rapl-mmio:0', 'package-0', 1_000_000);
}

function sourceOf(meter: SysfsPowerMeter) {
  const found = meter.start();
  assert.ok(found.ok, found.ok ? '' : found.detail);
  return found.source;
}

function grownUj(meter: SysfsPowerMeter, fromMonoMs: number, toMonoMs: number, change: () => void): number {
  const before = meter.read(fromMonoMs);
  change();
  const after = meter.read(toMonoMs);
  assert.equal(after?.series, before?.series);
  return (after?.energyUj ?? NaN) - (before?.energyUj ?? NaN);
}

test('a package and the memory beside it are added; its cores, its graphics and its second listing are not', (t) => {
  const sysfs = laptop(t);
  const meter = sysfs.meter();
  assert.deepEqual(sourceOf(meter), {
    name: 'powercap',
    parts: ['package-0', 'dram-0'],
    covers: ['package', 'dram'],
    kind: 'counted',
  });
  const grewUj = grownUj(meter, 0, 1000, () => {
    sysfs.energy('intel-rapl:0', 1_010_000).energy('intel-rapl:0:0', 609_000);
    sysfs.energy('intel-rapl:0:2', 50_700).energy('intel-rapl-mmio:0', 1_010_000);
  });
  assert.equal(grewUj, 10_700);
});

test('the packages of a machine with several are added', (t) => {
  const sysfs = new Sysfs(t).zone('intel-rapl:0', 'package-0', 10).zone('intel-rapl:1', 'package-1', 20);
  const meter = sysfs.meter();
  assert.deepEqual(sourceOf(meter).parts, ['package-0', 'package-1']);
  assert.equal(
    grownUj(meter, 0, 1000, () => sysfs.energy('intel-rapl:0', 15).energy('intel-rapl:1', 27)),
    12,
  );
});

test('where the whole board counts it is all there is, and a board that stands at 0 does not count', (t) => {
  const sysfs = laptop(t).zone('intel-rapl:1', 'psys', 0);
  assert.deepEqual(sourceOf(sysfs.meter()).covers, ['package', 'dram']);
  sysfs.energy('intel-rapl:1', 5_000_000);
  const meter = sysfs.meter();
  assert.deepEqual(sourceOf(meter).parts, ['psys']);
  const grewUj = grownUj(meter, 0, 1000, () => {
    sysfs.energy('intel-rapl:0', 1_010_000).energy('intel-rapl:1', 5_030_000);
  });
  assert.equal(grewUj, 30_000);
});

test('a counter that begins at 0 again is followed over its range', (t) => {
  const sysfs = new Sysfs(t).zone('intel-rapl:0', 'package-0', RANGE_UJ - 4_000_000);
  const meter = sysfs.meter();
  sourceOf(meter);
  assert.equal(
    grownUj(meter, 0, 1000, () => sysfs.energy('intel-rapl:0', 6_000_000)),
    10_000_000,
  );
});

test('a counter that was set back, or may have gone round unseen, begins a new series', (t) => {
  const sysfs = new Sysfs(t).zone('intel-rapl:0', 'package-0', 5_000_000_000);
  const meter = sysfs.meter();
  sourceOf(meter);
  const first = meter.read(0);
  sysfs.energy('intel-rapl:0', 100);
  assert.notEqual(meter.read(2_000)?.series, first?.series, 'it would have taken 250 kJ in two seconds');
  const second = meter.read(4_000);
  assert.notEqual(meter.read(4_000 + 3_600_000)?.series, second?.series);
});

test('a counter that cannot be read tells nothing, and goes on where it was', (t) => {
  const sysfs = laptop(t);
  const meter = sysfs.meter();
  sourceOf(meter);
  const before = meter.read(0);
  sysfs.write({ 'powercap/intel-rapl:0:2/energy_uj': '' });
  assert.equal(meter.read(1_000), undefined);
  sysfs.energy('intel-rapl:0', 1_020_000).energy('intel-rapl:0:2', 50_000);
  assert.deepEqual(meter.read(2_000), {
    energyUj: (before?.energyUj ?? NaN) + 20_000,
    series: before?.series,
  });
});

test(
  'counters that only root may read are told once with what helps',
  { skip: process.geteuid?.() !== 0 && 'needs root' },
  (t) => {
    const sysfs = laptop(t);
    chmodSync(join(sysfs.root, 'class/powercap/intel-rapl:0/energy_uj'), 0o400);
    process.seteuid?.(65_534);
    try {
      const found = sysfs.meter().start();
      assert.ok(!found.ok);
      assert.equal(found.code, 'power_meter_forbidden');
      assert.match(found.detail, /intel-rapl:0\/energy_uj/);
    } finally {
      process.seteuid?.(0);
    }
  },
);

test('sockets are counted where a monitor counts them, and the cores within them are not', (t) => {
  const sysfs = new Sysfs(t).write({
    'hwmon/hwmon2/name': 'amd_energy',
    'hwmon/hwmon2/energy1_label': 'Ecore000',
    'hwmon/hwmon2/energy1_input': 7,
    'hwmon/hwmon2/energy2_label': 'Esocket0',
    'hwmon/hwmon2/energy2_input': 1_000,
  });
  const meter = sysfs.meter();
  const { name, parts, covers, kind } = sourceOf(meter);
  assert.deepEqual(
    { name, parts, covers, kind },
    { name: 'hwmon', parts: ['Esocket0'], covers: ['package'], kind: 'counted' },
  );
  assert.equal(
    grownUj(meter, 0, 1000, () => sysfs.write({ 'hwmon/hwmon2/energy2_input': 5_000 })),
    4_000,
  );
});

test('the input of a module is all that it takes: volts times amperes over time', (t) => {
  const sysfs = new Sysfs(t)
    .write({ 'hwmon/hwmon1/name': 'ina3221' })
    .rail('hwmon1', 1, 'VDD_IN', 5_000, 1_000)
    .rail('hwmon1', 2, 'VDD_CPU_GPU_CV', 5_000, 400)
    .rail('hwmon1', 3, 'VDD_SOC', 5_000, 300)
    .rail('hwmon1', 7, 'sum of shunt voltages', 9, 9);
  const meter = sysfs.meter();
  const { parts, covers, kind } = sourceOf(meter);
  assert.deepEqual(
    { parts, covers, kind },
    { parts: ['VDD_IN'], covers: ['package', 'dram', 'gpu'], kind: 'sampled' },
  );
  const grewUj = grownUj(meter, 0, 2000, () => sysfs.rail('hwmon1', 1, 'VDD_IN', 5_000, 3_000));
  assert.equal(grewUj, 20_000_000, '10 W in the mean for two seconds');
});

test('a module without an input rail is the sum of its rails, without what hangs behind one of them', (t) => {
  const sysfs = new Sysfs(t)
    .write({ 'hwmon/hwmon3/name': 'ina3221', 'hwmon/hwmon4/name': 'ina3221' })
    .rail('hwmon3', 1, 'VDD_GPU_SOC', 20_000, 100)
    .rail('hwmon3', 2, 'VDD_CPU_CV', 20_000, 200)
    .rail('hwmon3', 3, 'VIN_SYS_5V0', 5_000, 400)
    .rail('hwmon4', 1, 'NC', 0, 0)
    .rail('hwmon4', 2, 'VDDQ_VDD2_1V8AO', 5_000, 80)
    .rail('hwmon4', 3, '', 5_000, 99);
  const meter = sysfs.meter();
  assert.deepEqual(sourceOf(meter).parts, ['VDD_GPU_SOC', 'VDD_CPU_CV', 'VIN_SYS_5V0']);
  assert.equal(
    grownUj(meter, 0, 1000, () => undefined),
    8_000_000,
  );
});

test('power that nobody looked at for long begins a new series', (t) => {
  const sysfs = new Sysfs(t).write({
    'hwmon/hwmon0/name': 'power_meter',
    'hwmon/hwmon0/power1_average': 20_000_000,
  });
  const meter = sysfs.meter();
  assert.deepEqual(sourceOf(meter).covers, ['psys']);
  assert.equal(
    grownUj(meter, 0, 1000, () => undefined),
    20_000_000,
  );
  const { series = NaN } = meter.read(1_000) ?? {};
  assert.equal(meter.read(60_000)?.series, series + 1);
});

test('a battery, a fan and rails without a name are no meter of computing', (t) => {
  const sysfs = new Sysfs(t)
    .write({ 'hwmon/hwmon0/name': 'BAT0', 'hwmon/hwmon0/power1_input': 9_000_000 })
    .write({ 'hwmon/hwmon1/name': 'ina3221', 'hwmon/hwmon1/in1_input': 5_000, 'hwmon/hwmon1/curr1_input': 5 })
    .write({ 'power_supply/BAT0/power_now': 9_000_000 });
  const found = sysfs.meter().start();
  assert.ok(!found.ok);
  assert.equal(found.code, 'no_power_meter');
});

test('a source that was named is the only one', (t) => {
  const sysfs = laptop(t).write({ 'hwmon/hwmon0/name': 'power_meter', 'hwmon/hwmon0/power1_average': 1 });
  assert.equal(sourceOf(sysfs.meter()).name, 'powercap');
  assert.equal(sourceOf(sysfs.meter('hwmon')).name, 'hwmon');
  assert.equal(new SysfsPowerMeter({ sysfs: `${sysfs.root}/none`, only: 'powercap' }).start().ok, false);
});

test('a sandbox that shows /sys hides the counters, where there are any', (t) => {
  const { root } = new Sysfs(t);
  assert.deepEqual(hiddenCounters(root), []);
  const counters = join(root, 'devices/virtual/powercap');
  mkdirSync(counters, { recursive: true });
  assert.deepEqual(hiddenCounters(root), ['--tmpfs', counters]);
});
