/** A request becomes a task: known already, refused with every reason, waiting for its input, or accepted. */
import type { Accepted, ClientId, ClientName, TaskRequest } from '@plugpool/proto';
import type { KnownRequest } from './known-requests.ts';
import { nextTaskId } from './next-task-id.ts';
import { newInstance, openTask } from './open-task.ts';
import { isPassing, whyRefused } from './refusals.ts';
import { deliverAgain } from './task-end.ts';
import type { Heard } from '../events.ts';
import { watchGang } from '../matching/gang.ts';
import { awaitBlob, TOO_MANY_UPLOADS } from '../payloads/blobs.ts';
import { countInline } from '../payloads/inline-bytes.ts';
import { foresee } from '../pools/foresee.ts';
import type { TaskRecord } from '../records.ts';
import type { Client, Task } from '../state.ts';
import { log, queue, refuse, send, write, type Turn } from '../turn.ts';
import { countAsking } from '../waiting/asked.ts';

export function onRequest(turn: Turn, client: Client, heard: Heard<TaskRequest>): void {
  const { body, correlationId } = heard.envelope;
  const to = { clientId: client.name.clientId, correlationId, requestId: body.requestId };
  const known = turn.state.requests.get(client.name.vehicleId, body.requestId);
  if (known !== undefined) return answerAgain(turn, to, known, heard.bodyHash);
  const reasons = whyRefused(turn.state, client.name.vehicleId, body);
  if (reasons.length > 0) return refuse(turn, to, reasons, reasons.every(isPassing));
  if (body.input.where === 'blob' && !heard.blobHeld) {
    const { envelope, bodyHash } = heard;
    const waits = awaitBlob(turn, client, body.input.blob, { envelope, bodyHash }, client.name.vehicleId);
    if (!waits) refuse(turn, to, [TOO_MANY_UPLOADS], true);
    return;
  }
  accept(turn, client, heard);
}

interface Addressee {
  readonly clientId: ClientId;
  readonly correlationId: number;
  readonly requestId: TaskRequest['requestId'];
}

/** The same id with the same body is answered with what is stored; with another body it is refused. */
function answerAgain(turn: Turn, to: Addressee, known: KnownRequest, bodyHash: string): void {
  if (known.bodyHash !== bodyHash)
    return refuse(turn, to, [
      {
        code: 'request_id_reused',
        detail: `request id ${to.requestId} was used for another request`,
        hint: 'choose a new request id for each request',
      },
    ]);
  if (known.stage === 'closed') {
    turn.effects.recalls.push({
      clientId: to.clientId,
      correlationId: to.correlationId,
      taskId: known.taskId,
    });
    return;
  }
  send(turn, to.clientId, acceptedOf(turn, known.task), to.correlationId);
  deliverAgain(turn, known.task, to);
}

function acceptedOf(turn: Turn, task: Task): Accepted {
  const deadlineMs = Math.max(0, Math.round(task.deadlineMonoMs - turn.now.monoMs));
  return { kind: 'accepted', requestId: task.record.requestId, taskId: task.record.taskId, deadlineMs };
}

function accept(turn: Turn, client: Client, heard: Heard<TaskRequest>): void {
  const { body, correlationId } = heard.envelope;
  const task = admit(turn, newTaskRecord(turn, client.name, body, heard.bodyHash));
  send(turn, client.name.clientId, acceptedOf(turn, task), correlationId);
}

export function newTaskRecord(
  { state, now }: Turn,
  { vehicleId, slot }: Pick<ClientName, 'vehicleId' | 'slot'>,
  body: TaskRequest,
  bodyHash: string,
): TaskRecord {
  const deadlineMs = body.deadlineMs ?? state.settings.deadlineDefaultMs;
  return {
    taskId: nextTaskId(state),
    vehicleId,
    slot,
    requestId: body.requestId,
    bodyHash,
    selector: body.selector,
    args: body.args,
    input: body.input,
    acceptedWallMs: now.wallMs,
    deadlineWallMs: now.wallMs + deadlineMs,
    ...(body.wants === undefined ? {} : { wants: body.wants }),
  };
}

/** From now on it is owed an end. */
export function admit(turn: Turn, record: TaskRecord): Task {
  const { state, now } = turn;
  const task = openTask(state, record, now.monoMs + record.deadlineWallMs - record.acceptedWallMs);
  countInline(state, record, 1);
  countAsking(state, record, 1);
  state.counters.accepted += 1;
  // An array that is pushed to keeps room for many more.
  task.instances = Array.from({ length: task.parts }, (_, index) =>
    newInstance(state, task, { index, number: index, replica: 0 }, now.monoMs),
  );
  watchGang(state, task);
  foresee(turn, task);
  write(turn, { change: 'insertTask', task: record });
  log(turn, 'debug', 'accepted', { taskId: record.taskId, vehicleId: record.vehicleId });
  for (const instance of task.instances) queue(turn, instance);
  return task;
}
