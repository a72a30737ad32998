/** Bytes that open tasks speak of and the pile does not have: after a restore, or where a disk lost a file. */
import type { Digest, Payload } from '@plugpool/proto';
import type { Instance, State, Task } from '../state.ts';
import { endTask } from '../tasks/task-end.ts';
import { log, type Turn } from '../turn.ts';

/** Inputs, results of parts, checkpoints: of tasks that have not ended. */
export function* digestsOfOpenTasks(state: State): Generator<Digest> {
  for (const task of state.tasks.values()) {
    if (task.end !== undefined) continue;
    yield* digestOf(task.record.input);
    for (const { result, checkpoint } of task.instances) {
      if (result !== undefined) yield* digestOf(result.output);
      if (checkpoint !== undefined) yield checkpoint.state.digest;
    }
  }
}

function* digestOf(payload: Payload): Generator<Digest> {
  if (payload.where === 'blob') yield payload.blob.digest;
}

/** A task that nobody could run, or whose result could not be given, ends with the reason; a lost checkpoint costs work alone. */
export function endWithoutBytes(turn: Turn, gone: ReadonlySet<Digest>): void {
  for (const task of [...turn.state.tasks.values()]) {
    if (task.end !== undefined) continue;
    const failure = whyItEnds(task, gone);
    if (failure !== undefined) {
      log(turn, 'warn', 'bytes are gone', { taskId: task.record.taskId, code: failure.code });
      endTask(turn, task, { state: 'failed', failure: { ...failure, stderrTail: '' } });
    } else for (const instance of task.instances) forgetCheckpoint(turn, instance, gone);
  }
}

function whyItEnds({ record, instances }: Task, gone: ReadonlySet<Digest>) {
  if (isGone(record.input, gone))
    return { code: 'input_unavailable', detail: 'the pile lost the input; ask again with it' };
  if (instances.some(({ result }) => result !== undefined && isGone(result.output, gone)))
    return { code: 'result_unavailable', detail: 'the pile lost the result of a part; ask again' };
  return undefined;
}

function isGone(payload: Payload, gone: ReadonlySet<Digest>): boolean {
  return payload.where === 'blob' && gone.has(payload.blob.digest);
}

function forgetCheckpoint(turn: Turn, instance: Instance, gone: ReadonlySet<Digest>): void {
  if (instance.checkpoint === undefined || !gone.has(instance.checkpoint.state.digest)) return;
  instance.checkpoint = undefined;
  turn.changedInstances.set(instance.instanceId, instance);
}
