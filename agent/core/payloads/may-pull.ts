/** Whose bytes a vehicle may pull from the pile: what it was granted, what it asked with, what it is owed, and images of the catalogue. */
import type { Digest, VehicleId } from '@plugpool/proto';
import type { State } from '../state.ts';

export function mayPull(state: State, vehicleId: VehicleId, digest: Digest): boolean {
  for (const { task, checkpoint } of state.donors.get(vehicleId)?.leased.values() ?? []) {
    if (checkpoint?.state.digest === digest) return true;
    if (task.record.input.where === 'blob' && task.record.input.blob.digest === digest) return true;
  }
  for (const algorithm of state.algorithms.values()) if (algorithm.image.digest === digest) return true;
  for (const taskId of state.openTasksOf.get(vehicleId) ?? []) {
    const task = state.tasks.get(taskId);
    const { output, outputs = [] } = task?.end ?? {};
    if (
      [task?.record.input, output, ...outputs].some(
        (each) => each?.where === 'blob' && each.blob.digest === digest,
      )
    )
      return true;
  }
  return false;
}
