/**
 * What a donor is told of a result, and told again whenever it hands the same one in: that it is taken, or that its lease is void. Said
 * when it is taken; from then on derived from the attempt as it is on disk, so that no restart and no lost message changes it.
 */
import type { LeaseId, ResultAck, VehicleId } from '@plugpool/proto';
import type { AttemptRecord } from '../records.ts';
import type { State } from '../state.ts';
import { taskIdOf } from '../tasks/open-task.ts';

/** In the log, wherever it is said. */
export const RESULT_REFUSED = 'result refused';

export function takenAck(lease: LeaseId): ResultAck {
  return { kind: 'resultAck', lease, accepted: true, reason: '' };
}

export function voidAck(lease: LeaseId): ResultAck {
  return { kind: 'resultAck', lease, accepted: false, reason: 'lease_void' };
}

/** `attempt`: under that lease, as it is on disk; undefined where there is none. Nobody hears of another vehicle's. */
export function answerAgain(
  lease: LeaseId,
  vehicleId: VehicleId,
  attempt: AttemptRecord | undefined,
): ResultAck {
  return attempt?.vehicleId === vehicleId && wasTaken(attempt) ? takenAck(lease) : voidAck(lease);
}

/** Attempts of versions before this one say it by their outcome alone, which only a result gives. */
function wasTaken({ handedIn, outcome }: AttemptRecord): boolean {
  return handedIn === true || outcome === 'completed' || outcome === 'failed';
}

/** Of a task that was never there, or is forgotten, there is nothing to read. */
export function mayBeOnDisk(state: State, { instanceId }: LeaseId): boolean {
  const taskId = taskIdOf(instanceId);
  return state.tasks.has(taskId) || state.requests.closedTaskOf(taskId) !== undefined;
}
