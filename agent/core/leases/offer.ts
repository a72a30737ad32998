/** What a donor is handed with a grant: program, input, bounds of the run, seed. */
import type { Offer, RunLimits } from '@plugpool/proto';
import { cpuMsFor, speedMillisOf } from '../feasible/expected-run.ts';
import type { Settings } from '../settings.ts';
import type { Instance, Lease } from '../state.ts';
import { seedOf } from './seed.ts';
import { suspendedMsOf } from './suspension.ts';
import type { Turn } from '../turn.ts';

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
    seed: seedOf(turn, instance.task),
    ...partOf(instance),
    ...(instance.checkpoint === undefined ? {} : { checkpoint: instance.checkpoint.state }),
    ...(lease.checkpointEveryMs === undefined ? {} : { checkpointEveryMs: lease.checkpointEveryMs }),
  };
}

function partOf({ index, task }: Instance): Pick<Offer, 'part'> {
  const count = task.parts;
  return count === 1 ? {} : { part: { index, count } };
}

/** Waiting is not computing: a run that sleeps is bounded too, by this many times its share of the cpu. */
const WALL_PER_CPU = 2;

/** Generous, since the estimate may be wrong and the donor slow; bounded, since a program may loop. */
function limitsOf(turn: Turn, instance: Instance, lease: Lease): RunLimits {
  const { settings } = turn.state;
  const cpuMs = cpuLimitMs(settings, lease, speedMillisOf(turn.state.donors.get(lease.vehicleId)));
  const untilDeadlineMs = Math.max(1, Math.ceil(instance.task.deadlineMonoMs - turn.now.monoMs));
  const wallMs = Math.min(untilDeadlineMs, cpuMs * WALL_PER_CPU);
  const count = instance.task.parts;
  return {
    cpuMs,
    wallMs,
    memoryMib: lease.demand.memoryMib,
    outputBytes: settings.wire.blobBytesMax,
    // The outputs of all parts leave in one message.
    ...(count === 1 ? {} : { inlineBytes: Math.floor(settings.wire.inlineBytesMax / count) }),
  };
}

/** Image, input and output each take as long as bytes may take. */
const TRANSFERS = 3;

/** When every honest attempt has ended, whatever it was: who renews a lease for longer only keeps the task from others. */
export function heldMsMax({ state, now }: Turn, lease: Lease): number {
  const { settings } = state;
  const speedMillis = speedMillisOf(state.donors.get(lease.vehicleId));
  const runMs = cpuLimitMs(settings, lease, speedMillis) * WALL_PER_CPU;
  const suspendedMs = suspendedMsOf(settings, lease, now.monoMs);
  return runMs + suspendedMs + TRANSFERS * settings.blobWaitMs + settings.leaseMs;
}

/** CPU time after which a run on a core of that speed is stopped: when the estimate was far off, or the budget is spent. */
export function cpuLimitMs(
  settings: Settings,
  { workMncs, budgetMncs }: Pick<Lease, 'workMncs' | 'budgetMncs'>,
  speedMillis: number,
): number {
  const estimateMs = cpuMsFor(workMncs, speedMillis);
  const patienceMs = Math.max(settings.runTimeFloorMs, estimateMs * settings.runTimeFactor);
  const paidMs = budgetMncs === undefined ? Infinity : cpuMsFor(budgetMncs, speedMillis);
  return Math.max(1, Math.floor(Math.min(patienceMs, paidMs)));
}
