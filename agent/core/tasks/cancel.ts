/** A requester takes its request back. */
import type { Cancel } from '@plugpool/proto';
import { dropAwaited } from '../payloads/blobs.ts';
import type { Client, Task } from '../state.ts';
import { deliverAgain, endTask } from './task-end.ts';
import { refuse, type Turn } from '../turn.ts';

/** Answered by the delivery of how the task ended: cancelled now, or ended before. */
export function onCancel(turn: Turn, client: Client, cancel: Cancel, correlationId: number): void {
  const to = { clientId: client.name.clientId, correlationId };
  const task = meantTask(turn, client, cancel);
  if (task === undefined || task.record.vehicleId !== client.name.vehicleId) {
    // Still waiting for its input: it is not accepted any more.
    if (cancel.which.by === 'request') dropAwaited(turn, client.name.vehicleId, cancel.which.requestId);
    return refuse(turn, to, [
      {
        code: 'task_unknown',
        detail: `no open task of ${client.name.vehicleId} is meant`,
        hint: 'list the tasks: it may have ended, or was never accepted',
      },
    ]);
  }
  if (task.end !== undefined) return deliverAgain(turn, task, to);
  endTask(turn, task, {
    state: 'cancelled',
    failure: { code: 'cancelled', detail: 'cancelled by its requester', stderrTail: '' },
  });
  // The connection that cancels may be another one than the one that asked.
  if (client.name.slot !== task.record.slot) deliverAgain(turn, task, to);
}

function meantTask(turn: Turn, client: Client, { which }: Cancel): Task | undefined {
  if (which.by === 'task') return turn.state.tasks.get(which.taskId);
  const known = turn.state.requests.get(client.name.vehicleId, which.requestId);
  return known?.stage === 'open' ? known.task : undefined;
}
