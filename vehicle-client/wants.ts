/** What a caller states beside program, input and deadline, as a request carries it; what no pile could take is refused here. */
import type { DemandOverride, Place, Trust, Wants } from '@plugpool/proto';
import {
  CONSTRAINT_BYTES_MAX,
  CORES_MAX,
  CPU_MILLICORES_MAX,
  DURATION_MS_MAX,
  INSTANCES_MAX,
  LABEL_PATTERN,
  LATITUDE_E7_MAX,
  LONGITUDE_E7_MAX,
  MEMORY_MIB_MAX,
  PERMILLE_MAX,
  QUORUM_MAX,
  TEXT_BYTES_MAX,
  TRUSTED_MAKES_MAX,
} from '@plugpool/proto';
import { PlugpoolError } from './errors.ts';

/** How the request is to be served; whatever is left out is the pile's default. */
export interface WantOptions {
  /** Where you are, by the zone's name; or `at`. */
  readonly zone?: string | undefined;
  /** Where you are, in degrees (WGS 84): the pile looks the zone up. */
  readonly at?: { readonly latitude: number; readonly longitude: number } | undefined;
  /** How soon the answer is needed; the sooner, the higher the priority. */
  readonly latencyMs?: number | undefined;
  /** Parallel instances of the same program and input, 1 to 16; each finds its index in `PLUGPOOL_PART`. */
  readonly instances?: number | undefined;
  /** Start all instances in the same moment, or none. */
  readonly allAtOnce?: boolean | undefined;
  /** What one instance needs, where that differs from what the algorithm says. */
  readonly demand?: DemandOptions | undefined;
  /** The most that may be charged for all instances, in normalised core-seconds. */
  readonly budgetCoreS?: number | undefined;
  /** The fleet that pays; left out, the vehicle itself. */
  readonly payer?: string | undefined;
  /** Whose vehicles may see the data: your own fleet's, or those of some makes; left out, anybody's. */
  readonly trust?: 'fleet' | { readonly makes: readonly string[] } | undefined;
  /** So many vehicles of different owners must return the same, 1 to 5; left out, the pile decides whose word it takes. */
  readonly quorum?: number | undefined;
  /** A CEL expression over `donor`; only a donor for which it is `true` is a match. */
  readonly constraint?: string | undefined;
}

export interface DemandOptions {
  readonly cpuMillicores?: number | undefined;
  readonly memoryMib?: number | undefined;
  readonly threads?: number | undefined;
  /** Thousandths of a GPU. */
  readonly gpuMillis?: number | undefined;
  readonly vramMib?: number | undefined;
  readonly gpuModel?: string | undefined;
  /** Work of one instance, in normalised core-seconds. */
  readonly workCoreS?: number | undefined;
}

const DEGREE_E7 = 10_000_000;
/** Every core of the largest machine for the longest time. */
const CORE_S_MAX = (CORES_MAX * DURATION_MS_MAX) / 1000;

/** Undefined where nothing is stated. Throws a `PlugpoolError`. */
export function toWants(options: WantOptions): Wants | undefined {
  const wants = given({
    place: placeOf(options),
    latencyMs: wholeNumber('the latency in milliseconds', options.latencyMs, 1, DURATION_MS_MAX),
    instances: wholeNumber('the number of instances', options.instances, 1, INSTANCES_MAX),
    allAtOnce: options.allAtOnce === true ? true : undefined,
    demand: demandOf(options.demand ?? {}),
    budgetMncs: coreSeconds('the budget in core-seconds', options.budgetCoreS),
    payer: label('the payer', options.payer),
    trust: trustOf(options.trust),
    constraint: constraintOf(options.constraint),
    quorum: wholeNumber('the number of owners that must agree', options.quorum, 1, QUORUM_MAX),
  });
  return isEmpty(wants) ? undefined : wants;
}

function placeOf({ zone, at }: WantOptions): Place | undefined {
  if (zone !== undefined && at !== undefined)
    throw wantsError('a request comes from a zone or from a point', 'give one of the two');
  if (at !== undefined) {
    const latitudeE7 = degreesE7('latitude', at.latitude, LATITUDE_E7_MAX);
    return { by: 'point', latitudeE7, longitudeE7: degreesE7('longitude', at.longitude, LONGITUDE_E7_MAX) };
  }
  const named = label('the zone', zone);
  return named === undefined ? undefined : { by: 'zone', zone: named };
}

function degreesE7(what: string, degrees: number, e7Max: number): number {
  if (Math.abs(degrees) * DEGREE_E7 <= e7Max) return Math.round(degrees * DEGREE_E7);
  const hint = `give degrees from -${e7Max / DEGREE_E7} to ${e7Max / DEGREE_E7}, the latitude first`;
  throw wantsError(`a ${what} of ${degrees} is nowhere`, hint);
}

function demandOf(demand: DemandOptions): DemandOverride | undefined {
  const gpu = given({
    shareMillis: wholeNumber('the thousandths of a GPU', demand.gpuMillis, 1, PERMILLE_MAX),
    vramMib: wholeNumber('the MiB of VRAM', demand.vramMib, 1, MEMORY_MIB_MAX),
    model: modelOf(demand.gpuModel),
  });
  const override = given({
    cpuMillicores: wholeNumber('the millicores', demand.cpuMillicores, 1, CPU_MILLICORES_MAX),
    memoryMib: wholeNumber('the MiB of memory', demand.memoryMib, 1, MEMORY_MIB_MAX),
    threads: wholeNumber('the number of threads', demand.threads, 1, CORES_MAX),
    gpu: isEmpty(gpu) ? undefined : gpu,
    workMncs: coreSeconds('the work in core-seconds', demand.workCoreS),
  });
  return isEmpty(override) ? undefined : override;
}

function trustOf(trust: WantOptions['trust']): Trust | undefined {
  if (trust === undefined) return undefined;
  if (trust === 'fleet') return { whom: 'fleet' };
  const { makes } = trust;
  if (makes.length === 0 || makes.length > TRUSTED_MAKES_MAX) {
    const hint = 'leave the trust out to trust any donor';
    throw wantsError(`1 to ${TRUSTED_MAKES_MAX} makes can be trusted, not ${makes.length}`, hint);
  }
  return { whom: 'makes', makes: makes.map((make) => label('a trusted make', make) as string) };
}

function constraintOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (text.trim() === '')
    throw wantsError('the constraint is empty', 'give a CEL expression over `donor`, or leave it out');
  const bytes = Buffer.byteLength(text);
  if (bytes <= CONSTRAINT_BYTES_MAX) return text;
  throw wantsError(
    `the constraint has ${bytes} bytes, more than ${CONSTRAINT_BYTES_MAX}`,
    'say it shorter, for instance with "in [..]"',
  );
}

function label(what: string, text: string | undefined): string | undefined {
  if (text === undefined || LABEL_PATTERN.test(text)) return text;
  const hint = 'give 1 to 64 letters, digits, spaces, ".", "_" and "-", a letter or digit first';
  throw wantsError(`${what} cannot be ${JSON.stringify(text.slice(0, 100))}`, hint);
}

function modelOf(text: string | undefined): string | undefined {
  if (text === undefined || (text.trim() !== '' && Buffer.byteLength(text) <= TEXT_BYTES_MAX)) return text;
  throw wantsError(
    'the model of the GPU is empty or too long',
    `give it as "plugpool vehicles" shows it, at most ${TEXT_BYTES_MAX} bytes`,
  );
}

function wholeNumber(what: string, value: number | undefined, min: number, max: number): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return value;
  throw wantsError(`${what} cannot be ${value}`, `give a whole number from ${min} to ${max}`);
}

/** In thousandths; what is less than one of them is none. */
function coreSeconds(what: string, coreS: number | undefined): number | undefined {
  if (coreS === undefined) return undefined;
  if (coreS >= 0.001 && coreS <= CORE_S_MAX) return Math.round(coreS * 1000);
  throw wantsError(`${what} cannot be ${coreS}`, `give core-seconds from 0.001 to ${CORE_S_MAX}`);
}

/** Without what was not given: a repeated request must have the same fields. */
function given<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: NonNullable<Fields[Name]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: NonNullable<Fields[Name]>;
  };
}

function isEmpty(fields: object): boolean {
  return Object.keys(fields).length === 0;
}

function wantsError(message: string, hint: string): PlugpoolError {
  return new PlugpoolError({ code: 'wants_invalid', message, hint, retryable: false });
}
