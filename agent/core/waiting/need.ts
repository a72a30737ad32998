/**
 * What one instance of a request needs, in each of the ways that its selector and its overrides allow. Requests that need the
 * same share one `Need`, and with it every verdict about a donor.
 */
import type { Demand, DemandOverride, Trust, VehicleId, Wants } from '@plugpool/proto';
import { algorithmKey } from '../algorithms/algorithm-key.ts';
import { candidates } from '../algorithms/catalogue.ts';
import type { AlgorithmClass } from '../algorithms/feature.ts';
import { kindOf } from '../donors/known-vehicles.ts';
import { gangOf } from './gang-of.ts';
import { priorityOf, type Priority } from '../tasks/priority.ts';
import { classOfAlgorithm } from '../algorithms/profile.ts';
import type { AlgorithmRecord, TaskRecord } from '../records.ts';
import { firstOf, isReplicated } from '../replicas/replicas-of.ts';
import type { Instance, State, Task } from '../state.ts';

/** One program with one of its demands. */
export interface Way {
  readonly algorithm: AlgorithmRecord;
  /** Of the algorithm. */
  readonly key: string;
  readonly demand: Demand;
  /** 0: the algorithm's preferred demand. */
  readonly alternative: number;
  /** What is left to do, in milli-normalised-core-seconds. */
  readonly workMncs: number;
  readonly class: AlgorithmClass;
  /** What was done of it is not lost with its donor. */
  readonly checkpoints: boolean;
}

export interface Need {
  readonly key: string;
  readonly ways: readonly Way[];
  /** In each dimension the least that any way takes: a donor with less is not looked at any closer. */
  readonly least: { readonly cpuMillicores: number; readonly memoryMib: number; readonly gpuMillis: number };
  readonly priority: Priority;
  /** Of parts that wait to start together: placed as a whole, and chosen by no donor (gang.ts). */
  readonly isForGangs: boolean;
  readonly constraint?: string;
  readonly trust?: Trust;
  /** The requester's fleet, where the trust is in it. */
  readonly fleet?: string;
}

/** The same for all instances that need the same. */
export function needKey(state: State, instance: Instance): string {
  const asked = askedKey(state, instance.task.record);
  const { quorum, program = '' } = firstOf(instance);
  const pinned = quorum === 1 ? '' : `^${program}`;
  const done = instance.checkpoint === undefined ? '' : `+${workClass(instance.checkpoint.doneMncs)}`;
  return `${asked}${pinned}${done}${gangOf(instance) === undefined ? '' : '&'}`;
}

/** The same for all requests whose instances need the same before they run. */
export function askedKey(
  state: State,
  { vehicleId, selector, wants }: Pick<TaskRecord, 'vehicleId' | 'selector' | 'wants'>,
): string {
  const program =
    selector.by === 'type' ? selector.type : `=${selector.algorithmId}@${selector.version ?? ''}`;
  return wants === undefined ? program : `${program}|${wantsKey(state, vehicleId, wants)}`;
}

function wantsKey(state: State, vehicleId: VehicleId, wants: Wants): string {
  const { demand, trust, constraint } = wants;
  const fleet = trust?.whom === 'fleet' ? kindOf(state.settings.vehicles, vehicleId).fleet : undefined;
  return JSON.stringify([
    priorityOf(wants, state.settings),
    demand === undefined ? 0 : demandKey(demand),
    trust ?? 0,
    fleet ?? 0,
    constraint ?? '',
    asksForSeveral(wants) ? 1 : 0,
  ]);
}

/** Who states no work needs what the algorithm is said to, which is not the same as any that is stated. */
function demandKey({ workMncs, ...rest }: DemandOverride): unknown {
  return workMncs === undefined ? rest : { ...rest, workClass: workClass(workMncs) };
}

export function needOf(state: State, instance: Instance, key: string): Need {
  const { wants, vehicleId } = instance.task.record;
  const ways = programsOf(state, instance).flatMap((algorithm) => waysOf(state, algorithm, instance));
  const least = {
    cpuMillicores: leastOf(ways, (demand) => demand.cpuMillicores),
    memoryMib: leastOf(ways, (demand) => demand.memoryMib),
    gpuMillis: leastOf(ways, (demand) => demand.gpu?.shareMillis ?? 0),
  };
  const trust = wants?.trust;
  return {
    key,
    ways,
    least,
    priority: priorityOf(wants, state.settings),
    isForGangs: gangOf(instance) !== undefined,
    ...(wants?.constraint === undefined ? {} : { constraint: wants.constraint }),
    ...(trust === undefined ? {} : { trust }),
    ...(trust?.whom === 'fleet' ? { fleet: kindOf(state.settings.vehicles, vehicleId).fleet } : {}),
  };
}

/** What it may run: replicas run what the first of them ran, and whoever wants results compared has those alone that compare. */
export function programsOf(state: State, instance: Instance): readonly AlgorithmRecord[] {
  const { selector, wants } = instance.task.record;
  const { program } = firstOf(instance);
  const pinned = program === undefined ? undefined : state.algorithms.get(program);
  if (pinned !== undefined) return [pinned];
  const meant = candidates(state, selector);
  return asksForSeveral(wants) ? meant.filter(({ compare }) => compare !== undefined) : meant;
}

function asksForSeveral(wants: Wants | undefined): boolean {
  return (wants?.quorum ?? 1) > 1;
}

function leastOf(ways: readonly Way[], of: (demand: Demand) => number): number {
  return ways.reduce((least, { demand }) => Math.min(least, of(demand)), Infinity);
}

function waysOf(state: State, algorithm: AlgorithmRecord, instance: Instance): Way[] {
  const override = instance.task.record.wants?.demand;
  const workMncs = leftMncs(instance, algorithm);
  // What one keeps on the way another could not confirm.
  const isCompared = isReplicated(instance) || asksForSeveral(instance.task.record.wants);
  return overridden(algorithm.demands, override).map((demand, alternative) => ({
    algorithm,
    key: algorithmKey(algorithm.id, algorithm.version),
    demand,
    alternative,
    workMncs,
    class: classOfAlgorithm(state, algorithm),
    checkpoints: state.settings.checkpoints && algorithm.checkpoints === true && !isCompared,
  }));
}

/** As the catalogue has it; of what differs from request to request, rounded up to its class. */
function leftMncs({ task, checkpoint }: Instance, algorithm: AlgorithmRecord): number {
  const asked = askedMncs(task, algorithm);
  if (checkpoint === undefined && task.record.wants?.demand?.workMncs === undefined)
    return Math.max(1, asked);
  return workOfClass(workClass(Math.max(1, asked - (checkpoint?.doneMncs ?? 0))));
}

/** Of one instance, before anything of it was done. */
export function askedMncs({ record }: Task, algorithm: AlgorithmRecord): number {
  return record.wants?.demand?.workMncs ?? algorithm.workCoreS * 1000;
}

/** An override of the GPU is of those alternatives that have one; where none has, it gives one to the preferred. */
export function overridden(
  demands: readonly Demand[],
  override: DemandOverride | undefined,
): readonly Demand[] {
  if (override === undefined) return demands;
  const { gpu, workMncs: _work, ...rest } = override;
  const someHasGpu = demands.some((demand) => demand.gpu !== undefined);
  return demands.map((demand, alternative) => {
    const base = { ...demand, ...rest };
    const takesGpu = gpu !== undefined && (demand.gpu !== undefined || (!someHasGpu && alternative === 0));
    if (!takesGpu) return base;
    if (gpu.shareMillis === 0) {
      const { gpu: _none, ...without } = base;
      return without;
    }
    return { ...base, gpu: { shareMillis: 0, vramMib: 0, ...demand.gpu, ...gpu } };
  });
}

/** Work is compared in steps of a fifth: what differs by less shares its verdicts. */
const CLASSES_PER_DOUBLING = 4;

function workClass(workMncs: number): number {
  return workMncs <= 1 ? 0 : Math.ceil(Math.log2(workMncs) * CLASSES_PER_DOUBLING - 1e-9);
}

function workOfClass(cls: number): number {
  return 2 ** (cls / CLASSES_PER_DOUBLING);
}
