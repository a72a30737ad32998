/** Which instances wait to start together with the others of their task. */
import type { Instance, Task } from '../state.ts';

/** The task whose parts wait to start together; undefined once it has started, or where it never asked for that. */
export function gangOf({ task }: Instance): Task | undefined {
  const { wants } = task.record;
  if (wants?.allAtOnce !== true || task.parts < 2 || task.hasStarted) return undefined;
  return task;
}
