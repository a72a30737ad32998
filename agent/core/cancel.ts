/** A requester takes its request back. */
import type { Cancel } from '@plugpool/proto';
import { requestKey, type Client, type Task } from './state.ts';
import { deliver, endTask } from './task-end.ts';
import { refuse, type Turn } from './turn.ts';

/** Answered by the delivery of how the task ended: cancelled now, or ended before. */
export function onCancel(turn: Turn, client: Client, cancel: Cancel, correlationId: number): void {
  const task = meantTask(turn, client, cancel);
  if (task === undefined || task.record.vehicleId !== client.name.vehicleId)
    return refuse(turn, { clientId: client.name.clientId, correlationId }, [
      {
        code: 'task_unknown',
        detail: `no open task of ${client.name.vehicleId} is meant`,
        hint: 'list the tasks: it may have ended',
      },
    ]);
  if (task.end !== undefined) return deliver(turn, task);
  endTask(turn, task, {
    state: 'cancelled',
    failure: { code: 'cancelled', detail: 'cancelled by its requester', stderrTail: '' },
  });
  // The connection that cancels may be another one than the one that asked.
  if (client.name.slot !== task.record.slot)
    deliver(turn, { ...task, record: { ...task.record, slot: client.name.slot } });
}

function meantTask(turn: Turn, client: Client, { which }: Cancel): Task | undefined {
  if (which.by === 'task') return turn.state.tasks.get(which.taskId);
  const known = turn.state.requests.get(requestKey(client.name.vehicleId, which.requestId));
  return known?.stage === 'open' ? known.task : undefined;
}
