/** How a task ends, and how its requester gets to know: sent until it is acknowledged. */
import type { ClientId, Delivery } from '@plugpool/proto';
import { CHECKER } from '../checks/checker.ts';
import { countAsking } from '../waiting/asked.ts';
import { forgetPayloads } from '../payloads/inline-bytes.ts';
import { CLOSED_TASKS_MAX } from '../limits.ts';
import { settleTask } from '../ledger/bookings.ts';
import { revokeAtOnce } from '../leases/lease.ts';
import type { TaskEndRecord, TaskRecord } from '../records.ts';
import type { State, Task } from '../state.ts';
import { endDisputes } from '../replicas/end-disputes.ts';
import { hasReplicas } from '../replicas/replicas-of.ts';
import { acceptedOf } from '../replicas/accepted.ts';
import { askingClient, leaveLine, send, write, writeLazily, type Turn } from '../turn.ts';

type Ending = Pick<TaskEndRecord, 'state'> &
  Partial<Omit<TaskEndRecord, 'state' | 'endedWallMs' | 'attempts'>>;

/** Ends a task that has not ended: stops what still runs, writes the end, tells the requester. */
export function endTask(turn: Turn, task: Task, ending: Ending): void {
  const { state, now } = turn;
  const attempts = task.instances.reduce((sum, instance) => sum + instance.attempts, 0);
  // What was accepted is paid for, whatever became of the other parts; who cancels pays for what was kept till then.
  const settledMncs = settleTask(turn, task, ending.state === 'cancelled' ? 'payer' : 'operator');
  const chargedMncs = acceptedOf(task).reduce((sum, { result }) => sum + result.chargedMncs, settledMncs);
  task.endedMonoMs = now.monoMs;
  task.end = { chargedMncs, ...ending, endedWallMs: now.wallMs, attempts };
  if (hasReplicas(task)) endDisputes(turn, task);
  for (const instance of task.instances) {
    leaveLine(turn, instance);
    instance.result = undefined;
    instance.checkpoint = undefined;
    if (ending.state === 'cancelled') revokeAtOnce(turn, instance, 'cancelled', 'cancelled');
    else if (ending.state === 'failed') revokeAtOnce(turn, instance, 'superseded', 'cancelled');
    else revokeAtOnce(turn, instance, 'deadline_passed', 'expired');
    turn.changedInstances.set(instance.instanceId, instance);
  }
  task.ownerVerdicts = undefined;
  state.gangs.delete(task);
  state.deadlines.drop();
  state.counters[task.end.state] += 1;
  write(turn, { change: 'endTask', taskId: task.record.taskId, end: task.end });
  // To the connection that asked, where it is there; else it is owed, and said at its next hello.
  const client = askingClient(state, task.record);
  if (client !== undefined) send(turn, client.name.clientId, deliveryOf(task.record, task.end));
  countAsking(state, task.record, -1);
  forgetPayloads(state, task);
  // Nobody acknowledges what the pile asked itself.
  if (task.record.vehicleId === CHECKER) closeTask(turn, task);
}

/** A task that waits for a program which is no more would wait for ever: its requester is told. */
export function endOrphan(turn: Turn, task: Task): void {
  const detail = 'the algorithm was retired or removed by the operator of the pile';
  endTask(turn, task, {
    state: 'failed',
    failure: { code: 'algorithm_unknown', detail, stderrTail: '' },
  });
}

/** Says the end of a task again, from what is on disk; nothing where it has not ended. */
export function deliverAgain(
  turn: Turn,
  task: Task,
  to: { readonly clientId: ClientId; readonly correlationId: number },
): void {
  if (task.end === undefined) return;
  const { clientId, correlationId } = to;
  turn.effects.recalls.push({ clientId, correlationId, taskId: task.record.taskId });
}

/** The same, without being asked, to the connection that asked for the task, where it is there. */
export function tellAgain(turn: Turn, task: Task): void {
  const client = task.end === undefined ? undefined : askingClient(turn.state, task.record);
  if (client !== undefined) deliverAgain(turn, task, { clientId: client.name.clientId, correlationId: 0 });
}

export function deliveryOf(record: TaskRecord, end: TaskEndRecord): Delivery {
  return {
    kind: 'delivery',
    requestId: record.requestId,
    taskId: record.taskId,
    state: end.state,
    ...(end.output === undefined ? {} : { output: end.output }),
    ...(end.outputs === undefined ? {} : { outputs: end.outputs }),
    ...(end.failure === undefined ? {} : { failure: end.failure }),
    attempts: end.attempts,
    donor: end.donor ?? '',
    ...(end.used === undefined ? {} : { used: end.used }),
    chargedMncs: end.chargedMncs,
    agreeing: end.agreeing ?? (end.state === 'completed' ? 1 : 0),
    algorithmId: end.algorithmId ?? '',
    algorithmVersion: end.algorithmVersion ?? '',
  };
}

/** The requester has it: the task leaves memory, its request id stays known. */
export function closeTask(turn: Turn, task: Task): void {
  const { state } = turn;
  if (task.end === undefined) return;
  writeLazily(turn, { change: 'taskDelivered', taskId: task.record.taskId });
  forgetOpen(state, task);
  const { vehicleId, requestId, taskId, bodyHash } = task.record;
  state.requests.close(vehicleId, requestId, {
    bodyHash,
    taskId,
    endedMonoMs: task.endedMonoMs ?? turn.now.monoMs,
  });
  if (state.requests.closedCount <= CLOSED_TASKS_MAX) return;
  const oldest = state.requests.forgetOldestClosed();
  if (oldest !== undefined) writeLazily(turn, { change: 'forgetTasks', taskIds: [oldest.taskId] });
}

export function forgetOpen(state: State, task: Task): void {
  const { taskId, vehicleId } = task.record;
  state.tasks.delete(taskId);
  const ofVehicle = state.openTasksOf.get(vehicleId);
  ofVehicle?.delete(taskId);
  if (ofVehicle?.size === 0) state.openTasksOf.delete(vehicleId);
}
