/** The replicas of a part: instances of a task that run the same on vehicles of different owners; the first is the part itself. */
import type { Instance, Task } from '../state.ts';

/** Some part of it runs more than once. */
export function hasReplicas(task: Task): boolean {
  return task.instances.length > task.parts;
}

/** The parts come before all replicas that joined later. */
export function firstOf({ task, index }: Instance): Instance {
  const first = task.instances[index];
  if (first === undefined) throw new Error(`${task.record.taskId} has no part ${index}`);
  return first;
}

export function replicasOf(first: Instance): readonly Instance[] {
  if (!hasReplicas(first.task)) return [first];
  return first.task.instances.filter(({ index }) => index === first.index);
}

export function partsOf(task: Task): readonly Instance[] {
  return hasReplicas(task) ? task.instances.slice(0, task.parts) : task.instances;
}

/** So many results of a part must agree: more than one, and each counts only with others. */
export function isReplicated(instance: Instance): boolean {
  return firstOf(instance).quorum > 1;
}

/** Its requester asked for it: then nothing less will do, however long it takes. */
export function isAskedFor({ task }: Instance): boolean {
  return (task.record.wants?.quorum ?? 1) > 1;
}
