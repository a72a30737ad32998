/** What a task's parts returned: kept as it comes, and the task ends with the last of them. */
import type { Failure, Payload, Used } from '@plugpool/proto';
import type { PartResultRecord, ReplicaRunRecord, TaskEndRecord } from '../records.ts';
import { acceptedOf } from '../replicas/accepted.ts';
import type { Returned } from '../replicas/agreement.ts';
import type { Instance, Lease, Task } from '../state.ts';
import { endTask } from './task-end.ts';
import { tellRequester } from './task-news.ts';
import type { Turn } from '../turn.ts';

type RanBy = Pick<TaskEndRecord, 'donor' | 'used' | 'algorithmId' | 'algorithmVersion'>;

/** Which program ran where, as the end of a task tells it. */
export function ranBy(lease: Lease, used: Used): RanBy {
  return { donor: lease.vehicleId, used, ...programOf(lease) };
}

/** Which program a result came from. */
export type Program = Pick<ReplicaRunRecord, 'algorithmId' | 'algorithmVersion'>;

export function programOf({ algorithm }: Pick<Lease, 'algorithm'>): Program {
  return { algorithmId: algorithm.id, algorithmVersion: algorithm.version };
}

/** It is booked already. Its donor is credited for it, whatever becomes of the other parts. */
export function acceptPart(turn: Turn, instance: Instance, result: PartResultRecord, program: Program): void {
  const { task } = instance;
  instance.result = result;
  turn.changedInstances.set(instance.instanceId, instance);
  const accepted = acceptedOf(task);
  if (accepted.length < task.parts) return tellHowMany(turn, task, accepted.length);
  const results = accepted.map(({ result: each }) => each);
  const [first] = results;
  endTask(turn, task, {
    ...program,
    state: 'completed',
    used: usedByAll(results),
    agreeing: Math.min(...results.map(({ agreeing = 1 }) => agreeing)),
    ...(first === undefined ? {} : { output: first.output, donor: first.donor }),
    ...(task.parts === 1 ? {} : { outputs: results.map(({ output }): Payload => output) }),
  });
}

/** The program's own doing, as enough of its replicas say: the other parts would end the same way. */
export function failTask(
  turn: Turn,
  { instance, result }: Returned,
  failure: Failure,
  agreeing: number,
): void {
  const { donor, used, run } = result;
  endTask(turn, instance.task, {
    donor,
    used,
    ...(run === undefined ? {} : { algorithmId: run.algorithmId, algorithmVersion: run.algorithmVersion }),
    state: 'failed',
    failure,
    agreeing,
  });
}

function usedByAll(results: readonly PartResultRecord[]): Used {
  const [only, ...others] = results;
  if (only !== undefined && others.length === 0) return only.used;
  const sum = (of: (used: Used) => number): number =>
    results.reduce((total, { used }) => total + of(used), 0);
  const most = (of: (used: Used) => number): number => Math.max(...results.map(({ used }) => of(used)));
  return {
    cpuMs: sum((used) => used.cpuMs),
    wallMs: most((used) => used.wallMs),
    memoryPeakMib: most((used) => used.memoryPeakMib),
    gpuMs: sum((used) => used.gpuMs),
    ...(results.some(({ used }) => used.energyMwh !== undefined)
      ? { energyMwh: sum((used) => used.energyMwh ?? 0) }
      : {}),
  };
}

function tellHowMany(turn: Turn, task: Task, done: number): void {
  tellRequester(turn, task, {
    state: 'running',
    attempt: Math.max(...task.instances.map(({ attempts }) => attempts)),
    progressPermille: Math.floor((1000 * done) / task.parts),
  });
}
