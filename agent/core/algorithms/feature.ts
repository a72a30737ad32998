/**
 * What an algorithm leans on: its demand as shares of a stated reference machine, and the class of its largest share. Pure.
 *
 *   demand profile ──► blended with what its runs really used ──► shares of the reference machine ──► the dominant one
 *
 * The machine is a setting and not what is plugged in now, so that no class changes because a vehicle comes or goes.
 */
import type { Demand, Used } from '@plugpool/proto';
import { gflopsOf } from './gpu-models.ts';

export type AlgorithmClass = 'cpu' | 'gpu' | 'memory';

/** In the order that breaks ties: what fewer vehicles have goes first. */
export const ALGORITHM_CLASSES: readonly AlgorithmClass[] = ['gpu', 'memory', 'cpu'];

export interface ReferenceMachine {
  readonly cpuMillicores: number;
  readonly threads: number;
  readonly memoryMib: number;
  readonly vramMib: number;
  /** Peak single precision of its one GPU, in thousand million operations a second. */
  readonly gpuGflops: number;
}

/** Shares of the reference machine in millionths; above a million where the demand is more than the machine. */
export interface Feature {
  readonly cpuPpm: number;
  readonly gpuPpm: number;
  readonly memoryPpm: number;
}

/** Means over the accepted results of an algorithm that ran with its preferred demand. */
export interface LearnedUse {
  readonly runs: number;
  readonly cpuMillicores: number;
  readonly memoryMib: number;
  /** Thousandths of the donor's device. */
  readonly gpuMillis: number;
}

/** With fewer runs the profile alone counts; from here on, as much as this many runs. */
export const LEARNED_RUNS_MIN = 20;
/** What older runs weigh is forgotten beyond this many: a new version of the inputs shows. */
export const LEARNED_RUNS_MAX = 200;
/** A class changes only where another share is larger than its own by this much, in thousandths. */
const CLASS_HOLDS_MILLIS = 200;

export const NO_USE: LearnedUse = { runs: 0, cpuMillicores: 0, memoryMib: 0, gpuMillis: 0 };

/** The means with one more run; what a run cannot have used under `demand` is cut down to it. */
export function learnUse(before: LearnedUse, demand: Demand, used: Used): LearnedUse {
  if (!(used.wallMs > 0)) return before;
  const runs = Math.min(before.runs + 1, LEARNED_RUNS_MAX);
  const mean = (old: number, seen: number, max: number): number =>
    old + (Math.min(Math.max(0, seen), max) - old) / runs;
  const { gpu } = demand;
  return {
    runs,
    cpuMillicores: mean(
      before.cpuMillicores,
      (used.cpuMs / used.wallMs) * 1000,
      Math.max(demand.cpuMillicores, demand.threads * 1000),
    ),
    memoryMib: mean(before.memoryMib, used.memoryPeakMib, demand.memoryMib),
    gpuMillis: mean(before.gpuMillis, (used.gpuMs / used.wallMs) * 1000, gpu?.shareMillis ?? 0),
  };
}

/** The shares of the preferred demand, where enough runs are known drawn towards what they used. */
export function featureOf(demand: Demand, machine: ReferenceMachine, learned: LearnedUse = NO_USE): Feature {
  const weight = learned.runs < LEARNED_RUNS_MIN ? 0 : learned.runs / (learned.runs + LEARNED_RUNS_MIN);
  const blend = (stated: number, used: number): number => stated + weight * (used - stated);
  const cores = blend(demand.cpuMillicores, learned.cpuMillicores) / machine.cpuMillicores;
  const threads = (1 - weight) * (demand.threads / machine.threads);
  const memory = blend(demand.memoryMib, learned.memoryMib) / machine.memoryMib;
  const gpu =
    demand.gpu === undefined
      ? 0
      : gpuShare({ ...demand.gpu, shareMillis: blend(demand.gpu.shareMillis, learned.gpuMillis) }, machine);
  return { cpuPpm: ppm(Math.max(cores, threads)), gpuPpm: ppm(gpu), memoryPpm: ppm(memory) };
}

/** The larger of the device's share, for a named model of the reference GPU's throughput, and that of its memory. */
function gpuShare(gpu: NonNullable<Demand['gpu']>, machine: ReferenceMachine): number {
  const gflops = gpu.model === undefined ? undefined : gflopsOf(gpu.model);
  const device = gflops === undefined ? 1 : gflops / machine.gpuGflops;
  return Math.max((gpu.shareMillis / 1000) * device, gpu.vramMib / machine.vramMib);
}

function ppm(share: number): number {
  return Math.round(share * 1e6);
}

/** The class of the largest share; `before` is kept until another share is clearly larger. */
export function classOf(feature: Feature, before?: AlgorithmClass): AlgorithmClass {
  let dominant: AlgorithmClass = 'gpu';
  for (const one of ALGORITHM_CLASSES) if (shareOf(feature, one) > shareOf(feature, dominant)) dominant = one;
  if (before === undefined) return dominant;
  const isClear = shareOf(feature, dominant) * 1000 > shareOf(feature, before) * (1000 + CLASS_HOLDS_MILLIS);
  return isClear ? dominant : before;
}

export function shareOf(feature: Feature, one: AlgorithmClass): number {
  return { cpu: feature.cpuPpm, gpu: feature.gpuPpm, memory: feature.memoryPpm }[one];
}
