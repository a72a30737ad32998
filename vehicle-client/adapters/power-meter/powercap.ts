/**
 * The energy counters that Linux shows under /sys/class/powercap (Documentation/power/powercap/powercap.rst): RAPL of Intel's
 * processors, and of AMD's from Linux 5.8 on, under the same names.
 *
 * Zones lie within each other: `core` and `uncore` are parts of their package, `dram` lies beside it though it is listed under
 * it, and `psys` is the board with everything on it. So psys is taken alone where it counts; else packages and their dram. The
 * same package is listed twice where the processor shows it by MSR and by MMIO (`intel-rapl-mmio`): only the first is read.
 */
import { CountedEnergy, type EnergyCounter } from './energy-counters.ts';
import type { FoundMeter } from './found-meter.ts';
import { isForbidden, list, readNumber, readText } from './sysfs.ts';

interface Zone extends EnergyCounter {
  readonly domain: 'package' | 'dram' | 'psys';
}

export function findPowercap(sysfs: string): FoundMeter {
  const zones = zonesUnder(`${sysfs}/class/powercap`);
  const boards = zones.filter(({ domain, path }) => domain === 'psys' && isCounting(path));
  const counters = boards.length > 0 ? boards : zones.filter(({ domain }) => domain !== 'psys');
  const forbidden = counters.find(({ path }) => isForbidden(path));
  if (forbidden !== undefined) return { found: 'forbidden', path: forbidden.path };
  if (counters.length === 0 || counters.some(({ path }) => readNumber(path) === undefined))
    return { found: 'nothing' };
  return {
    found: 'meter',
    energy: new CountedEnergy(counters, readNumber),
    source: {
      name: 'powercap',
      parts: counters.map(({ name }) => name),
      covers: [...new Set(counters.map(({ domain }) => domain))],
      kind: 'counted',
    },
  };
}

function zonesUnder(directory: string): Zone[] {
  return list(directory).flatMap((entry) => {
    const [, packageIndex, part] = /^intel-rapl:(\d+)(?::(\d+))?$/.exec(entry) ?? [];
    if (packageIndex === undefined) return [];
    const zone = `${directory}/${entry}`;
    const name = readText(`${zone}/name`) ?? '';
    const domain = domainOf(name, part !== undefined);
    const rangeUj = readNumber(`${zone}/max_energy_range_uj`);
    if (domain === undefined || rangeUj === undefined) return [];
    // Parts of different packages have the same name.
    return [
      {
        domain,
        name: part === undefined ? name : `${name}-${packageIndex}`,
        path: `${zone}/energy_uj`,
        rangeUj,
      },
    ];
  });
}

/** `package-0`, and `package-0-die-1` where a package has several. */
function domainOf(name: string, isPart: boolean): Zone['domain'] | undefined {
  if (name === 'psys') return 'psys';
  if (name === 'dram') return 'dram';
  return !isPart && name.startsWith('package') ? 'package' : undefined;
}

/** Boards that were never wired for it have a psys that stands at 0; one that is forbidden may count. */
function isCounting(path: string): boolean {
  return isForbidden(path) || (readNumber(path) ?? 0) > 0;
}
