/** The flags with which `run` states how a request is to be served, and what they say in the words of the SDK. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { toWants, type WantOptions } from '../wants.ts';

export interface WantFlags {
  readonly zone?: string;
  readonly at?: NonNullable<WantOptions['at']>;
  readonly latency?: number;
  readonly instances?: number;
  readonly allAtOnce?: true;
  readonly cpu?: number;
  readonly memory?: number;
  readonly threads?: number;
  readonly gpu?: number;
  readonly vram?: number;
  readonly gpuModel?: string;
  readonly work?: number;
  readonly budget?: number;
  readonly payer?: string;
  readonly trust?: NonNullable<WantOptions['trust']>;
  readonly quorum?: number;
  readonly constraint?: string;
}

export function withWants(command: Command): Command {
  return command
    .addOption(new Option('--zone <name>', 'where you are, by its name').conflicts('at'))
    .option('--at <lat,lon>', 'where you are, in degrees: the pile looks the zone up', parsePoint)
    .option(
      '--latency <time>',
      'how soon the answer is needed, such as 200ms: sooner goes first',
      parseTimeMs,
    )
    .option('--instances <n>', 'run so many at once; each finds its index in PLUGPOOL_PART', parseWhole)
    .option('--all-at-once', 'start all instances in the same moment, or none')
    .option('--cpu <millicores>', 'each instance needs so many thousandths of a core', parseWhole)
    .option('--memory <mib>', 'each instance needs so much memory', parseWhole)
    .option('--threads <n>', 'each instance uses so many threads', parseWhole)
    .option('--gpu <millis>', 'each instance needs so many thousandths of a GPU', parseWhole)
    .option('--vram <mib>', 'each instance needs so much VRAM', parseWhole)
    .option('--gpu-model <model>', 'each instance needs this GPU')
    .option('--work <core-seconds>', 'the work of each instance, on the reference core', parseAboveZero)
    .option('--budget <core-seconds>', 'the most that may be charged for all instances', parseAboveZero)
    .option('--payer <name>', 'the fleet that pays (default: this vehicle)')
    .option('--trust <whom>', 'whose vehicles may see the data: fleet, or make:NAME[,NAME…]', parseTrust)
    .option('--quorum <n>', 'only a result that so many vehicles of different owners gave alike', parseWhole)
    .option('--constraint <cel>', 'only donors for which this is true, such as "donor.speed > 1.0"');
}

/** Throws a `PlugpoolError` for what no pile could take, before any is asked. */
export function wantsOf(flags: WantFlags): WantOptions {
  const { zone, at, instances, allAtOnce, payer, trust, quorum, constraint } = flags;
  const wanted: WantOptions = {
    zone,
    at,
    latencyMs: flags.latency,
    instances,
    allAtOnce,
    demand: demandOf(flags),
    budgetCoreS: flags.budget,
    payer,
    trust,
    quorum,
    constraint,
  };
  toWants(wanted);
  return wanted;
}

function demandOf({
  cpu,
  memory,
  threads,
  gpu,
  vram,
  gpuModel,
  work,
}: WantFlags): NonNullable<WantOptions['demand']> {
  return {
    cpuMillicores: cpu,
    memoryMib: memory,
    threads,
    gpuMillis: gpu,
    vramMib: vram,
    gpuModel,
    workCoreS: work,
  };
}

function parseWhole(text: string): number {
  if (/^\d+$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

function parseAboveZero(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError('It must be a number above 0, such as 2.5.');
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000 };

function parseTimeMs(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|min|m)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * (UNIT_MS[unit] ?? NaN));
  if (ms > 0) return ms;
  throw new InvalidArgumentError('It must be a time above 0 with its unit, such as 200ms, 2s or 1min.');
}

function parsePoint(text: string): { latitude: number; longitude: number } {
  const [, latitude, longitude] = /^(-?\d+(?:\.\d+)?),\s*(-?\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (latitude !== undefined && longitude !== undefined)
    return { latitude: Number(latitude), longitude: Number(longitude) };
  throw new InvalidArgumentError('It must be latitude and longitude in degrees, such as -31.95,115.86.');
}

function parseTrust(text: string): NonNullable<WantOptions['trust']> {
  if (text === 'fleet') return 'fleet';
  const makes = text.startsWith('make:') ? text.slice('make:'.length).split(',') : [];
  if (makes.length > 0 && makes.every((make) => make.trim() !== '')) return { makes };
  throw new InvalidArgumentError('It must be fleet, or make: and one or more names, such as make:volta,ohm.');
}
