/** The meter of a Linux machine: whichever of its counters can be read, best first. */
import type { MeterReading } from '../../core/energy-shares.ts';
import type { PowerMeter, PowerMeterProblem, PowerSource, PowerSourceName } from '../../ports.ts';
import type { EnergySum } from './energy-counters.ts';
import type { FoundMeter } from './found-meter.ts';
import { findHwmon } from './hwmon.ts';
import { findPowercap } from './powercap.ts';
import { SYSFS } from './sysfs.ts';

/** Counted before sampled. */
const WAYS: readonly { readonly name: PowerSourceName; find(sysfs: string): FoundMeter }[] = [
  { name: 'powercap', find: findPowercap },
  { name: 'hwmon', find: findHwmon },
];

export interface SysfsPowerMeterOptions {
  /** One of them alone; absent: whichever is there. */
  readonly only?: PowerSourceName | undefined;
  readonly sysfs?: string | undefined;
}

export class SysfsPowerMeter implements PowerMeter {
  readonly #options: SysfsPowerMeterOptions;
  #energy: EnergySum | undefined;

  constructor(options: SysfsPowerMeterOptions = {}) {
    this.#options = options;
  }

  start(): { readonly ok: true; readonly source: PowerSource } | PowerMeterProblem {
    const { only, sysfs = SYSFS } = this.#options;
    const found = WAYS.filter(({ name }) => only === undefined || name === only).map((way) =>
      way.find(sysfs),
    );
    for (const one of found) {
      if (one.found !== 'meter') continue;
      this.#energy = one.energy;
      return { ok: true, source: one.source };
    }
    const forbidden = found.find((one) => one.found === 'forbidden');
    return forbidden === undefined ? nothingFound(only) : forbiddenAt(forbidden.path);
  }

  read(nowMonoMs: number): MeterReading | undefined {
    return this.#energy?.read(nowMonoMs);
  }
}

/** Since CVE-2020-8694 the kernel shows them to root alone: who reads them finely enough can guess at others' keys. */
function forbiddenAt(path: string): PowerMeterProblem {
  return {
    ok: false,
    code: 'power_meter_forbidden',
    detail: `this machine counts its energy, and ${path} may be read by root alone (CVE-2020-8694)`,
    hint: 'let the group of this program read it at each start of the machine (docs/energy.md has the rule), or set energy: off',
  };
}

function nothingFound(only: PowerSourceName | undefined): PowerMeterProblem {
  const where = only === undefined ? '' : ` by ${only}`;
  return {
    ok: false,
    code: 'no_power_meter',
    detail: `nothing that can be read here${where} counts what the machine takes`,
    hint: 'the pile takes what such work usually draws; docs/energy.md lists what can be read',
  };
}
