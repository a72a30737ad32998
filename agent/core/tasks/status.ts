/** What a requester asks of its tasks, and what it acknowledges. */
import type { StatusEntry, StatusQuery, TaskId } from '@plugpool/proto';
import { closeTask, deliverAgain } from './task-end.ts';
import { stateOf } from './task-state.ts';
import { asksTooMuch, isTooHeavy } from '../clients/heavy-bodies.ts';
import { explainToRequester } from '../explain/explain.ts';
import type { Client, Task } from '../state.ts';
import { send, type Turn } from '../turn.ts';

export function onStatusQuery(turn: Turn, client: Client, query: StatusQuery, correlationId: number): void {
  const { state, now } = turn;
  if (query.taskId === undefined && isTooHeavy(turn, client, correlationId)) return;
  if (query.explain === true && asksTooMuch(turn, client, correlationId)) return;
  const own = state.openTasksOf.get(client.name.vehicleId) ?? new Set();
  const asked = query.taskId === undefined ? [...own] : own.has(query.taskId) ? [query.taskId] : [];
  if (query.taskId !== undefined && asked.length === 0)
    return onAskedForClosed(turn, client, query.taskId, correlationId);
  const tasks: StatusEntry[] = [];
  for (const taskId of asked.slice(0, state.settings.wire.statusTasksMax)) {
    const task = state.tasks.get(taskId);
    if (task === undefined) continue;
    const explanation = query.explain === true ? explainToRequester(state, task, now) : undefined;
    tasks.push({ ...statusOf(task), ...(explanation === undefined ? {} : { explanation }) });
    if (query.deliver) deliverAgain(turn, task, { clientId: client.name.clientId, correlationId });
  }
  const truncated = asked.length > state.settings.wire.statusTasksMax;
  send(turn, client.name.clientId, { kind: 'statusReport', tasks, truncated }, correlationId);
}

/** Acknowledged, and on disk alone: the daemon reads it. What was never there is known here. */
function onAskedForClosed(
  turn: Turn,
  { name: { clientId, vehicleId } }: Client,
  taskId: TaskId,
  correlationId: number,
): void {
  if (turn.state.requests.closedTaskOf(taskId) === vehicleId) {
    turn.effects.recalls.push({ clientId, correlationId, taskId });
    return;
  }
  const detail = `no task ${taskId} of this vehicle is known here`;
  const hint = 'list the tasks; ended ones are forgotten after the retention of the pile';
  const reasons = [{ code: 'task_unknown', detail, hint }] as const;
  send(turn, clientId, { kind: 'refused', reasons, retryable: false }, correlationId);
}

export function statusOf(task: Task): StatusEntry {
  const { instances, end } = task;
  const running = instances.find(({ lease }) => lease !== undefined)?.lease;
  return {
    taskId: task.record.taskId,
    requestId: task.record.requestId,
    algorithmId: running?.algorithm.id ?? end?.algorithmId ?? nameOf(task),
    state: stateOf(task),
    attempts: Math.max(0, ...instances.map(({ attempts }) => attempts)),
    progressPermille: progressOf(task),
    delivered: false,
    reason: end?.failure?.code ?? instances.find(({ lastReason }) => lastReason !== '')?.lastReason ?? '',
  };
}

/** Of all its parts. */
function progressOf({ instances, end }: Task): number {
  if (end !== undefined) return end.state === 'completed' ? 1000 : 0;
  const sum = instances.reduce(
    (total, { lease, result }) => total + (result === undefined ? (lease?.progressPermille ?? 0) : 1000),
    0,
  );
  return Math.floor(sum / Math.max(1, instances.length));
}

/** What was asked for, where no algorithm is chosen yet. */
export function nameOf(task: Task): string {
  const { selector } = task.record;
  return selector.by === 'type' ? selector.type : selector.algorithmId;
}

export function onDeliveryAck(turn: Turn, client: Client, taskId: Task['record']['taskId']): void {
  const task = turn.state.tasks.get(taskId);
  if (task === undefined || task.record.vehicleId !== client.name.vehicleId) return;
  closeTask(turn, task);
}
