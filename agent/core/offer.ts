/** What a donor is handed with a grant: program, input, bounds of the run, seed. */
import type { Offer, RunLimits } from '@plugpool/proto';
import type { AlgorithmRecord } from './records.ts';
import { randomBytes, seededRandom } from './random.ts';
import type { Settings } from './settings.ts';
import type { Instance, Lease } from './state.ts';
import type { Turn } from './turn.ts';

export function offerFor(turn: Turn, instance: Instance, lease: Lease): Offer {
  const { record } = instance.task;
  return {
    kind: 'offer',
    lease: { instanceId: instance.instanceId, fencingToken: lease.fencingToken },
    leaseMs: turn.state.settings.leaseMs,
    taskId: record.taskId,
    attempt: instance.attempts,
    algorithmId: lease.algorithm.id,
    algorithmVersion: lease.algorithm.version,
    runtime: lease.algorithm.runtime,
    image: lease.algorithm.image,
    args: record.args,
    input: record.input,
    demand: lease.demand,
    limits: limitsOf(turn, instance, lease),
    seed: seedOf(instance),
  };
}

/** Waiting is not computing: a run that sleeps is bounded too, by this many times its share of the cpu. */
const WALL_PER_CPU = 2;

/** Generous, since the estimate may be wrong and the donor slow; bounded, since a program may loop. */
function limitsOf(turn: Turn, instance: Instance, lease: Lease): RunLimits {
  const { settings } = turn.state;
  const speedMillis = turn.state.donors.get(lease.vehicleId)?.hardware?.speedMillis ?? 1000;
  const cpuMs = cpuLimitMs(settings, lease.algorithm, speedMillis);
  const untilDeadlineMs = Math.max(1, Math.ceil(instance.task.deadlineMonoMs - turn.now.monoMs));
  const wallMs = Math.min(untilDeadlineMs, cpuMs * WALL_PER_CPU);
  return { cpuMs, wallMs, memoryMib: lease.demand.memoryMib, outputBytes: settings.wire.blobBytesMax };
}

/** Image, input and output each take as long as bytes may take. */
const TRANSFERS = 3;

/** When every honest attempt has ended, whatever it was: who renews a lease for longer only keeps the task from others. */
export function heldMsMax({ state }: Turn, { algorithm, vehicleId }: Lease): number {
  const { settings } = state;
  const speedMillis = state.donors.get(vehicleId)?.hardware?.speedMillis ?? 1000;
  const runMs = cpuLimitMs(settings, algorithm, speedMillis) * WALL_PER_CPU;
  return runMs + TRANSFERS * settings.blobWaitMs + settings.leaseMs;
}

/** CPU time after which a run on a core of that speed is stopped. */
export function cpuLimitMs(settings: Settings, algorithm: AlgorithmRecord, speedMillis: number): number {
  const estimateMs = expectedCpuMs(algorithm, speedMillis);
  return Math.round(Math.max(settings.runTimeFloorMs, estimateMs * settings.runTimeFactor));
}

/** CPU time of one run on a core of that speed. */
export function expectedCpuMs(algorithm: AlgorithmRecord, speedMillis: number): number {
  return (algorithm.workCoreS * 1_000_000) / Math.max(1, speedMillis);
}

/** How long one run takes there, with the cores that the demand takes. */
export function expectedRunMs(
  algorithm: AlgorithmRecord,
  lease: Pick<Lease, 'demand'>,
  speedMillis: number,
): number {
  const cores = Math.max(0.01, lease.demand.cpuMillicores / 1000);
  const usable = Math.min(cores, Math.max(1, lease.demand.threads));
  return expectedCpuMs(algorithm, speedMillis) / usable;
}

/** The same for every attempt of an instance's task, so that replicas agree. */
function seedOf(instance: Instance): Uint8Array {
  let hash = 0x811c9dc5;
  for (const char of instance.task.record.taskId)
    hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  return randomBytes(seededRandom(hash), 16);
}
