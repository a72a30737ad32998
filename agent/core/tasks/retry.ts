/**
 * An operator has a task run again that ended without a result. It is a new task of the same vehicle, with its own id: the end of the
 * old one may have been told already, and what was told of a task never changes.
 */
import type { RequestId, TaskId, TaskRequest } from '@plugpool/proto';
import { CHECKER } from '../checks/checker.ts';
import type { OperatorAnswer } from '../events.ts';
import type { TaskEndRecord, TaskRecord } from '../records.ts';
import { log, type Turn } from '../turn.ts';
import type { KnownRequest } from './known-requests.ts';
import { admit, newTaskRecord } from './requests.ts';
import { whyRefused } from './refusals.ts';

/** As it lies on disk. */
export interface EndedTask {
  readonly task: TaskRecord;
  readonly end: TaskEndRecord | undefined;
}

const WITHOUT_RESULT: ReadonlySet<TaskEndRecord['state']> = new Set(['failed', 'expired', 'dead']);

export function retryTask(turn: Turn, { task, end }: EndedTask): OperatorAnswer {
  const { taskId, vehicleId } = task;
  if (end === undefined)
    return refusal('task_running', `task ${taskId} has not ended`, 'wait for its end, or cancel it first');
  if (vehicleId === CHECKER)
    return refusal('task_ended', `task ${taskId} was a spot check`, 'others follow by themselves');
  if (!WITHOUT_RESULT.has(end.state))
    return refusal(
      'task_ended',
      `task ${taskId} is ${end.state}`,
      'only what failed, expired or was given up is run again; its requester can ask anew',
    );
  const requestId = requestIdOf(taskId);
  const known = turn.state.requests.get(vehicleId, requestId);
  // Said twice, it is done once.
  if (known !== undefined) return answerOf(taskIdOf(known), task);
  const deadlineMs = task.deadlineWallMs - task.acceptedWallMs;
  const { slot, bodyHash, selector, args, input, wants } = task;
  const body: TaskRequest = {
    kind: 'request',
    ...{ requestId, selector, args, input, deadlineMs },
    ...(wants === undefined ? {} : { wants }),
  };
  const [reason] = whyRefused(turn.state, vehicleId, body);
  if (reason !== undefined) return refusal(reason.code, reason.detail, reason.hint);
  const asker = { vehicleId, slot };
  const record = { ...newTaskRecord(turn, asker, body, bodyHash), retryOf: taskId };
  admit(turn, record);
  log(turn, 'info', 'task is run again', { taskId: record.taskId, retryOf: taskId });
  return answerOf(record.taskId, task);
}

/** One a task: the retry of a retry has its own. */
function requestIdOf(taskId: TaskId): RequestId {
  return `retry-of-${taskId}` as RequestId;
}

function taskIdOf(known: KnownRequest): TaskId {
  return known.stage === 'closed' ? known.taskId : known.task.record.taskId;
}

function answerOf(taskId: TaskId, { taskId: retryOf, vehicleId }: TaskRecord): OperatorAnswer {
  return { ok: true, value: { taskId, retryOf, requester: vehicleId } };
}

function refusal(code: string, detail: string, hint: string): OperatorAnswer {
  return { ok: false, code, detail, hint };
}
