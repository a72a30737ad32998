/** What was accepted of a task so far. */
import type { Task } from '../state.ts';
import type { Returned } from './agreement.ts';

/** The accepted result of each part that has one, in their order. A replica's waits for others until its part is decided. */
export function acceptedOf(task: Task): Returned[] {
  const accepted: Returned[] = [];
  for (const instance of task.instances) {
    const { result } = instance;
    if (result !== undefined && (result.run === undefined || result.agreeing !== undefined))
      accepted.push({ instance, result });
  }
  return accepted.sort((a, b) => a.instance.index - b.instance.index);
}
