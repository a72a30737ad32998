/** A request becomes a task: known already, refused with every reason, waiting for its input, or accepted. */
import type {
  Accepted,
  ClientId,
  Envelope,
  InstanceId,
  Reason,
  Selector,
  TaskId,
  TaskRequest,
  VehicleId,
} from '@plugpool/proto';
import { countAsked, whyTooMuchAsked } from '../waiting/asked.ts';
import { awaitBlob, TOO_MANY_UPLOADS } from '../payloads/blobs.ts';
import { candidates } from '../algorithms/catalogue.ts';
import { INLINE_BYTES_PER_VEHICLE_MAX, INLINE_BYTES_TOTAL_MAX } from '../limits.ts';
import type { TaskRecord } from '../records.ts';
import type { KnownRequest } from './known-requests.ts';
import type { Client, Instance, State, Task } from '../state.ts';
import { lengthInWords } from '../explain/figures.ts';
import { watchGang } from '../matching/gang.ts';
import { foresee } from '../pools/foresee.ts';
import { countInline, inlineBytesOf } from '../payloads/inline-bytes.ts';
import { deliverAgain } from './task-end.ts';
import { whyNever } from './never-feasible.ts';
import { whyUnwanted } from './wants.ts';
import { log, queue, refuse, send, write, type Turn } from '../turn.ts';

export interface Heard<Body> {
  readonly envelope: Envelope<Body>;
  readonly bodyHash: string;
  readonly blobHeld: boolean;
}

export function onRequest(turn: Turn, client: Client, heard: Heard<TaskRequest>): void {
  const { body, correlationId } = heard.envelope;
  const to = { clientId: client.name.clientId, correlationId, requestId: body.requestId };
  const known = turn.state.requests.get(client.name.vehicleId, body.requestId);
  if (known !== undefined) return answerAgain(turn, to, known, heard.bodyHash);
  const reasons = whyRefused(turn.state, client.name.vehicleId, body);
  if (reasons.length > 0) return refuse(turn, to, reasons, reasons.every(isPassing));
  if (body.input.where === 'blob' && !heard.blobHeld) {
    const { envelope, bodyHash } = heard;
    const waits = awaitBlob(turn, client, body.input.blob, { envelope, bodyHash });
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

/** Everything that is wrong with a request, at once. */
function whyRefused(state: State, vehicleId: VehicleId, body: TaskRequest): Reason[] {
  const reasons: Reason[] = [];
  const algorithms = candidates(state, body.selector);
  if (algorithms.length === 0) reasons.push(unknownProgram(state, body.selector));
  else reasons.push(...whyNever(state, algorithms, body));
  const tooMuch = whyTooMuchAsked(state, vehicleId, body);
  reasons.push(...tooMuch);
  // A constraint that is one too many is not even compiled.
  if (body.wants !== undefined && tooMuch.length === 0)
    reasons.push(...whyUnwanted(state, vehicleId, body.wants, algorithms));
  const { deadlineMaxMs } = state.settings;
  if (body.deadlineMs !== undefined && body.deadlineMs > deadlineMaxMs)
    reasons.push({
      code: 'deadline_invalid',
      detail: `the deadline is in ${lengthInWords(body.deadlineMs)}, this pile keeps tasks for ${lengthInWords(deadlineMaxMs, Math.floor)}`,
      hint: 'ask with an earlier deadline',
    });
  reasons.push(...whyFull(state, vehicleId, body));
  return reasons;
}

function unknownProgram(state: State, selector: Selector): Reason {
  const hint = 'ask the operator which algorithms this pile has (plugpool algorithms list)';
  if (selector.by === 'type')
    return { code: 'type_unknown', detail: `no active algorithm is of type ${selector.type}`, hint };
  const wanted = `${selector.algorithmId}${selector.version === undefined ? '' : `@${selector.version}`}`;
  const retired = [...state.algorithms.values()].some(
    (a) => a.id === selector.algorithmId && a.state === 'retired',
  );
  const detail = `algorithm ${wanted} is ${retired ? 'retired' : 'not known'} here`;
  return { code: 'algorithm_unknown', detail, hint };
}

function whyFull(state: State, vehicleId: VehicleId, body: TaskRequest): Reason[] {
  const reasons: Reason[] = [];
  const hint = 'acknowledge deliveries, and ask again when some tasks have ended';
  if (state.stopping)
    reasons.push({ code: 'shutting_down', detail: 'the pile is stopping', hint: 'ask again in a minute' });
  if (state.tasks.size >= state.settings.openTasksMax)
    reasons.push({ code: 'too_many_tasks', detail: `the pile holds ${state.tasks.size} open tasks`, hint });
  const own = state.openTasksOf.get(vehicleId)?.size ?? 0;
  if (own >= state.settings.openTasksPerVehicleMax)
    reasons.push({ code: 'too_many_tasks', detail: `${vehicleId} has ${own} open tasks`, hint });
  const bytes = inlineBytesOf(body);
  if (state.inlineBytes + bytes > INLINE_BYTES_TOTAL_MAX)
    reasons.push({
      code: 'too_many_tasks',
      detail: 'the inputs and arguments that wait fill the memory',
      hint,
    });
  else if ((state.inlineBytesOf.get(vehicleId) ?? 0) + bytes > INLINE_BYTES_PER_VEHICLE_MAX)
    reasons.push({
      code: 'too_many_tasks',
      detail: `the inputs and arguments of ${vehicleId} that wait are too many bytes`,
      hint,
    });
  return reasons;
}

/** Whether waiting may mend it. */
function isPassing(reason: Reason): boolean {
  return ['too_many_tasks', 'rate_limited', 'shutting_down', 'storage_unavailable'].includes(reason.code);
}

export function accept(turn: Turn, client: Client, heard: Heard<TaskRequest>): void {
  const { state, now } = turn;
  const { body, correlationId } = heard.envelope;
  const deadlineMs = body.deadlineMs ?? state.settings.deadlineDefaultMs;
  const record: TaskRecord = {
    taskId: nextTaskId(state),
    vehicleId: client.name.vehicleId,
    slot: client.name.slot,
    requestId: body.requestId,
    bodyHash: heard.bodyHash,
    selector: body.selector,
    args: body.args,
    input: body.input,
    acceptedWallMs: now.wallMs,
    deadlineWallMs: now.wallMs + deadlineMs,
    ...(body.wants === undefined ? {} : { wants: body.wants }),
  };
  const task = openTask(state, record, now.monoMs + deadlineMs);
  countInline(state, record, 1);
  countAsked(state, record, 1);
  state.counters.accepted += 1;
  const count = body.wants?.instances ?? 1;
  // An array that is pushed to keeps room for many more.
  task.instances = Array.from({ length: count }, (_, index) => newInstance(state, task, index, now.monoMs));
  watchGang(state, task);
  foresee(turn, task);
  write(turn, { change: 'insertTask', task: record });
  send(turn, client.name.clientId, acceptedOf(turn, task), correlationId);
  log(turn, 'debug', 'accepted', { taskId: record.taskId, vehicleId: record.vehicleId });
  for (const instance of task.instances) queue(turn, instance);
}

/** Short enough to type, unique over restarts. */
function nextTaskId(state: State): TaskId {
  state.taskCounter += 1;
  return `t${state.generation.toString(36)}-${state.taskCounter.toString(36)}` as TaskId;
}

export function openTask(state: State, record: TaskRecord, deadlineMonoMs: number): Task {
  const payer = record.wants?.payer ?? record.vehicleId;
  const task: Task = {
    record,
    instances: [],
    deadlineMonoMs,
    payer,
    hasStarted: false,
    end: undefined,
    ownerVerdicts: undefined,
  };
  state.tasks.set(record.taskId, task);
  state.requests.open(task);
  let ofVehicle = state.openTasksOf.get(record.vehicleId);
  if (ofVehicle === undefined) state.openTasksOf.set(record.vehicleId, (ofVehicle = new Set()));
  ofVehicle.add(record.taskId);
  state.deadlines.add(task);
  return task;
}

export function newInstance(state: State, task: Task, index: number, queuedMonoMs: number): Instance {
  state.orderCounter += 1;
  return {
    instanceId: `${task.record.taskId}_${index}` as InstanceId,
    task,
    index,
    attempts: 0,
    departures: 0,
    crashes: 0,
    lease: undefined,
    waitsIn: undefined,
    queuedMonoMs,
    turnMonoMs: queuedMonoMs,
    order: state.orderCounter,
    preempted: false,
    checkpoint: undefined,
    result: undefined,
    avoided: undefined,
    passedOver: 0,
    lastReason: '',
  };
}

/** The instance with that id, or undefined. */
export function instanceOf(state: State, instanceId: InstanceId): Instance | undefined {
  const mark = instanceId.lastIndexOf('_');
  const task = state.tasks.get(instanceId.slice(0, mark) as TaskId);
  return task?.instances[Number(instanceId.slice(mark + 1))];
}
