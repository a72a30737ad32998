/** In which state a task is, as everybody is told. */
import type { TaskState } from '@plugpool/proto';
import type { Task } from '../state.ts';

/** It runs as soon as one of its parts does. */
export function stateOf({ instances, end }: Task): TaskState {
  return end?.state ?? (instances.some(({ lease }) => lease !== undefined) ? 'running' : 'queued');
}
