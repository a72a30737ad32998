/** Capacity as four plain numbers, over which sub-pools are sized and used; all GPUs of the whole count together. */
import type { Capacity, Demand } from '@plugpool/proto';

export interface Vector {
  cpuMillicores: number;
  memoryMib: number;
  gpuMillis: number;
  vramMib: number;
}

export const DIMENSIONS = [
  'cpuMillicores',
  'memoryMib',
  'gpuMillis',
  'vramMib',
] as const satisfies readonly (keyof Vector)[];

export type Dimension = (typeof DIMENSIONS)[number];

export function zero(): Vector {
  return { cpuMillicores: 0, memoryMib: 0, gpuMillis: 0, vramMib: 0 };
}

export function vectorOf(capacity: Capacity): Vector {
  const vector = { ...zero(), cpuMillicores: capacity.cpuMillicores, memoryMib: capacity.memoryMib };
  for (const { shareMillis, vramMib } of capacity.gpus) {
    vector.gpuMillis += shareMillis;
    vector.vramMib += vramMib;
  }
  return vector;
}

/** Changes `sum` in place: this runs at every grant. */
export function addDemand(sum: Vector, demand: Demand, sign: 1 | -1): void {
  sum.cpuMillicores += sign * demand.cpuMillicores;
  sum.memoryMib += sign * demand.memoryMib;
  if (demand.gpu === undefined) return;
  sum.gpuMillis += sign * demand.gpu.shareMillis;
  sum.vramMib += sign * demand.gpu.vramMib;
}

export function addCapacity(sum: Vector, capacity: Capacity, sign: 1 | -1): void {
  sum.cpuMillicores += sign * capacity.cpuMillicores;
  sum.memoryMib += sign * capacity.memoryMib;
  for (const { shareMillis, vramMib } of capacity.gpus) {
    sum.gpuMillis += sign * shareMillis;
    sum.vramMib += sign * vramMib;
  }
}

export function mapVector(from: (dimension: Dimension) => number): Vector {
  return {
    cpuMillicores: from('cpuMillicores'),
    memoryMib: from('memoryMib'),
    gpuMillis: from('gpuMillis'),
    vramMib: from('vramMib'),
  };
}

export function isSame(a: Readonly<Vector>, b: Readonly<Vector>): boolean {
  return DIMENSIONS.every((dimension) => a[dimension] === b[dimension]);
}

/** The largest share, over the dimensions, that `used` takes of `size`; Infinity where something is used of nothing. */
export function useOf(used: Readonly<Vector>, size: Readonly<Vector>): number {
  let use = 0;
  for (const dimension of DIMENSIONS) {
    const part = used[dimension];
    if (part > 0) use = Math.max(use, size[dimension] > 0 ? part / size[dimension] : Infinity);
  }
  return use;
}
