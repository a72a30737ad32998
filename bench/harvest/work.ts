/** What the harvest bench moves about: capacity, tasks, stays; types, and the few sums over them. */

/** What a task needs, or a vehicle lends. */
export interface Vector {
  readonly cpuMillicores: number;
  readonly memoryMib: number;
  readonly gpuMillis: number;
}

export const DIMENSIONS = ['cpuMillicores', 'memoryMib', 'gpuMillis'] as const;

/** A task of the window, as it was asked for. */
export interface HarvestTask {
  readonly id: string;
  readonly submittedMs: number;
  /** Its result counts until then, and not after. */
  readonly deadlineMs: number;
  /** On a vehicle of speed 1. */
  readonly durationMs: number;
  /** What the scheduler is told of its duration. */
  readonly estimateMs: number;
  readonly demand: Vector;
  /** Largest share of a vehicle in any dimension: its weight in every figure. */
  readonly dominant: number;
  readonly class: string;
  readonly payer: number;
  /** What it has done can be kept, when it is told to stop. */
  readonly checkpoints: boolean;
}

/** One stay of one vehicle, in the simulated clock. */
export interface Stay {
  readonly connector: string;
  readonly vehicle: string;
  readonly pluggedMs: number;
  /** Energy stops; never after `unpluggedMs`. */
  readonly chargingEndMs: number;
  readonly unpluggedMs: number;
  /** Until when it lends: one of the two above. */
  readonly lendsUntilMs: number;
  /** False: it was torn off, and nothing could be saved at the end. */
  readonly graceful: boolean;
  /** What its driver said when plugging in, if anything. */
  readonly statedDepartureMs: number | undefined;
}

export function dominantOf(demand: Vector, whole: Vector): number {
  return Math.max(...DIMENSIONS.map((d) => demand[d] / whole[d]));
}

export function fits(demand: Vector, free: Vector): boolean {
  return (
    demand.cpuMillicores <= free.cpuMillicores &&
    demand.memoryMib <= free.memoryMib &&
    demand.gpuMillis <= free.gpuMillis
  );
}

export function minus(a: Vector, b: Vector): Vector {
  return {
    cpuMillicores: a.cpuMillicores - b.cpuMillicores,
    memoryMib: a.memoryMib - b.memoryMib,
    gpuMillis: a.gpuMillis - b.gpuMillis,
  };
}

export function plus(a: Vector, b: Vector): Vector {
  return {
    cpuMillicores: a.cpuMillicores + b.cpuMillicores,
    memoryMib: a.memoryMib + b.memoryMib,
    gpuMillis: a.gpuMillis + b.gpuMillis,
  };
}

/** A number in 0 … 1 that depends on the words alone (FNV-1a, mixed): the same in every run and for every policy. */
export function hashShare(...words: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const char of words.join('/')) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return (hash >>> 0) / 2 ** 32;
}
