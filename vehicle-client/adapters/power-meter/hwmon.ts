/**
 * Power and energy that hardware monitors tell under /sys/class/hwmon (Documentation/hwmon/sysfs-interface.rst), of the few
 * that are known to see the computing: a monitor of unknown wiring may see a fan, a battery or the whole car.
 *
 * `amd_energy` (Linux 5.8 to 5.12) and its successor `zenergy` count µJ a socket, and each core once more within it.
 * `ina3221` is on the boards of car computers of the Jetson kind (Documentation/hwmon/ina3221.rst): three rails a chip, V × A,
 * named by the board. `VDD_IN` (`POM_5V_IN` on older ones) is the module's input and all there is; where there is none the
 * rails are added, without those of the memory, which hang behind the 5 V rail. `power_meter` is ACPI's, of the whole board.
 */
import type { PowerDomain } from '../../ports.ts';
import { CountedEnergy, SampledEnergy, type EnergyCounter, type PowerRail } from './energy-counters.ts';
import type { FoundMeter } from './found-meter.ts';
import { isForbidden, list, readNumber, readText } from './sysfs.ts';

const COUNTING = new Set(['amd_energy', 'zenergy']);
const MODULE_INPUTS = new Set(['VDD_IN', 'POM_5V_IN']);
/** A chip's own measures: 4 to 7 are the voltages of its shunts and sums. */
const INA3221_CHANNELS = [1, 2, 3];

interface Monitor {
  readonly path: string;
  readonly name: string;
}

export function findHwmon(sysfs: string): FoundMeter {
  const directory = `${sysfs}/class/hwmon`;
  const monitors = list(directory).map((entry): Monitor => ({
    path: `${directory}/${entry}`,
    name: readText(`${directory}/${entry}/name`) ?? '',
  }));
  const counters = monitors.filter(({ name }) => COUNTING.has(name)).flatMap(socketCounters);
  if (counters.length > 0) return counted(counters);
  const rails = moduleRails(monitors.filter(({ name }) => name === 'ina3221').flatMap(railsOf));
  if (rails.length > 0) return sampled(rails, ['package', 'dram', 'gpu']);
  const boards = monitors.filter(({ name }) => name === 'power_meter').flatMap(boardPower);
  return boards.length > 0 ? sampled(boards, ['psys']) : { found: 'nothing' };
}

function counted(counters: readonly EnergyCounter[]): FoundMeter {
  const forbidden = counters.find(({ path }) => isForbidden(path));
  if (forbidden !== undefined) return { found: 'forbidden', path: forbidden.path };
  return {
    found: 'meter',
    energy: new CountedEnergy(counters, readNumber),
    source: { name: 'hwmon', parts: counters.map(({ name }) => name), covers: ['package'], kind: 'counted' },
  };
}

function sampled(rails: readonly PowerRail[], covers: readonly PowerDomain[]): FoundMeter {
  return {
    found: 'meter',
    energy: new SampledEnergy(rails),
    source: { name: 'hwmon', parts: rails.map(({ name }) => name), covers, kind: 'sampled' },
  };
}

function socketCounters({ path }: Monitor): EnergyCounter[] {
  return list(path)
    .filter((file) => /^energy\d+_label$/.test(file))
    .flatMap((file) => {
      const name = readText(`${path}/${file}`) ?? '';
      return name.startsWith('Esocket')
        ? [{ name, path: `${path}/${file.replace('_label', '_input')}` }]
        : [];
    });
}

/** mV × mA is µW. A rail without a name feeds nobody knows what; one that is off answers nothing. */
function railsOf({ path }: Monitor): PowerRail[] {
  return INA3221_CHANNELS.flatMap((channel) => {
    const name = readText(`${path}/in${channel}_label`) ?? '';
    const powerMw = (): number | undefined => {
      const millivolts = readNumber(`${path}/in${channel}_input`);
      const milliamperes = readNumber(`${path}/curr${channel}_input`);
      return millivolts === undefined || milliamperes === undefined
        ? undefined
        : (millivolts * milliamperes) / 1000;
    };
    return name === '' || name === 'NC' || powerMw() === undefined ? [] : [{ name, powerMw }];
  });
}

function moduleRails(rails: readonly PowerRail[]): readonly PowerRail[] {
  const input = rails.find(({ name }) => MODULE_INPUTS.has(name));
  return input === undefined ? rails.filter(({ name }) => !/^VDDR?Q/.test(name)) : [input];
}

/** µW, over the interval that the firmware chose. */
function boardPower({ path }: Monitor): PowerRail[] {
  const file = `${path}/power1_average`;
  const powerMw = (): number | undefined => {
    const microwatts = readNumber(file);
    return microwatts === undefined ? undefined : microwatts / 1000;
  };
  return powerMw() === undefined ? [] : [{ name: 'power1', powerMw }];
}
