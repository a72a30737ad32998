/** Names of tasks: short enough to type, unique over restarts. */
import type { TaskId } from '@plugpool/proto';
import type { State } from '../state.ts';

export function nextTaskId(state: State): TaskId {
  state.taskCounter += 1;
  return `t${state.generation.toString(36)}-${state.taskCounter.toString(36)}` as TaskId;
}
