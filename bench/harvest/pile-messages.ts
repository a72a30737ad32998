/** The messages and catalogue entries that stand for the simulated vehicles and tasks; pure. */
import type {
  AlgorithmId,
  Capacity,
  CapacityReport,
  Demand,
  LeaseId,
  RequestId,
  TaskRequest,
  UpBody,
  Used,
} from '@plugpool/proto';
import type { AlgorithmRecord } from '../../agent/core/records.ts';
import { digestOf } from '../../test/simulation/simulated-pile.ts';
import type { HarvestTask, Vector } from './work.ts';

/** Of the one GPU; a task that takes a share of the device takes that share of it. */
const WHOLE_VRAM_MIB = 8 * 1024;

function capacityOf({ cpuMillicores, memoryMib, gpuMillis }: Vector): Capacity {
  const gpu = { deviceId: 'gpu0', model: 'simulated', shareMillis: gpuMillis, vramMib: WHOLE_VRAM_MIB };
  return { cpuMillicores, memoryMib, gpus: gpuMillis > 0 ? [gpu] : [] };
}

export function helloOf(whole: Vector): UpBody {
  const { cpuMillicores, memoryMib, gpus } = capacityOf(whole);
  const hardware = {
    cpuModel: 'simulated',
    cores: Math.ceil(cpuMillicores / 1000),
    clockMhz: 2000,
    memoryMib,
    gpus,
    speedMillis: 1000,
    platform: 'linux',
  };
  return { kind: 'hello', clientVersion: '1', hardware, held: [], runtimes: ['echo'] };
}

export function capacityReportOf(whole: Vector): CapacityReport {
  return {
    kind: 'capacity',
    lendable: capacityOf(whole),
    lending: true,
    reason: '',
    cachedImages: [],
    allowedAlgorithms: [],
    chargingOnly: false,
  };
}

function demandOf({ demand: { cpuMillicores, memoryMib, gpuMillis } }: HarvestTask): Demand {
  const cpu = {
    cpuMillicores: Math.max(1, cpuMillicores),
    memoryMib: Math.max(1, memoryMib),
    threads: Math.max(1, Math.ceil(cpuMillicores / 1000)),
  };
  return gpuMillis === 0
    ? cpu
    : { ...cpu, gpu: { shareMillis: gpuMillis, vramMib: Math.floor((WHOLE_VRAM_MIB * gpuMillis) / 1000) } };
}

/** Cores that a run of it keeps busy: what turns its duration into work. */
function busyCores(task: HarvestTask): number {
  return demandOf(task).cpuMillicores / 1000;
}

/** A program is what has its demand, and keeps its state or does not. */
export function algorithmIdOf({ demand, checkpoints }: HarvestTask): AlgorithmId {
  const { cpuMillicores, memoryMib, gpuMillis } = demand;
  return `c${cpuMillicores}-m${memoryMib}-g${gpuMillis}${checkpoints ? '-kept' : ''}` as AlgorithmId;
}

export function algorithmOf(task: HarvestTask): AlgorithmRecord {
  const id = algorithmIdOf(task);
  return {
    id,
    version: '1',
    type: 'harvest',
    runtime: 'echo',
    image: { digest: digestOf(id), sizeBytes: 1 },
    demands: [demandOf(task)],
    ...(task.checkpoints ? { checkpoints: true } : {}),
    workCoreS: (task.estimateMs / 1000) * busyCores(task),
    state: 'active',
    addedWallMs: 0,
  };
}

export function requestOf(task: HarvestTask, nowMs: number): TaskRequest {
  return {
    kind: 'request',
    requestId: task.id as RequestId,
    selector: { by: 'algorithm', algorithmId: algorithmIdOf(task) },
    args: [],
    input: { where: 'inline', bytes: new Uint8Array() },
    // A result that comes in the very last millisecond is in time.
    deadlineMs: task.deadlineMs - nowMs + 1,
    wants: { demand: { workMncs: Math.max(1, Math.round(task.estimateMs * busyCores(task))) } },
  };
}

export function resultOf(lease: LeaseId, task: HarvestTask, ranMs: number): UpBody {
  return {
    kind: 'result',
    lease,
    used: usedBy(task, ranMs),
    outcome: { ok: true, output: { where: 'inline', bytes: new Uint8Array() } },
  };
}

export function revokedOf(lease: LeaseId, task: HarvestTask, ranMs: number): UpBody {
  const failure = { code: 'revoked', detail: 'unplugged', stderrTail: '' } as const;
  return { kind: 'result', lease, used: usedBy(task, ranMs), outcome: { ok: false, failure } };
}

export function checkpointOf(lease: LeaseId, task: HarvestTask, ranMs: number): UpBody {
  return {
    kind: 'checkpoint',
    lease,
    state: { digest: digestOf(`kept-${task.id}`), sizeBytes: 1 },
    used: usedBy(task, ranMs),
  };
}

function usedBy(task: HarvestTask, ranMs: number): Used {
  return {
    cpuMs: Math.round(ranMs * busyCores(task)),
    wallMs: ranMs,
    memoryPeakMib: task.demand.memoryMib,
    gpuMs: task.demand.gpuMillis === 0 ? 0 : ranMs,
  };
}
