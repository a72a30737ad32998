/** Requests of several parallel parts: each part's result is kept as it comes, and the task ends with the last of them. */
import type { Payload, Used } from '@plugpool/proto';
import type { PartResultRecord, TaskEndRecord } from '../records.ts';
import type { Instance, Lease, Task } from '../state.ts';
import { endTask } from './task-end.ts';
import { tellRequester } from './task-news.ts';
import type { Turn } from '../turn.ts';

/** Which program ran where, as the end of a task tells it. */
export function ranBy(
  lease: Lease,
  used: Used,
): Pick<TaskEndRecord, 'donor' | 'used' | 'algorithmId' | 'algorithmVersion'> {
  return {
    donor: lease.vehicleId,
    used,
    algorithmId: lease.algorithm.id,
    algorithmVersion: lease.algorithm.version,
  };
}

/** It is booked already. Its donor is credited for it, whatever becomes of the other parts. */
export function acceptPart(turn: Turn, instance: Instance, lease: Lease, result: PartResultRecord): void {
  const { task } = instance;
  instance.result = result;
  const results = task.instances.flatMap((part) => (part.result === undefined ? [] : [part.result]));
  if (results.length < task.instances.length) return tellHowMany(turn, task, results.length);
  const [first] = results;
  endTask(turn, task, {
    ...ranBy(lease, usedByAll(results)),
    state: 'completed',
    ...(first === undefined ? {} : { output: first.output, donor: first.donor }),
    outputs: results.map(({ output }): Payload => output),
  });
}

function usedByAll(results: readonly PartResultRecord[]): Used {
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
    progressPermille: Math.floor((1000 * done) / task.instances.length),
  });
}
