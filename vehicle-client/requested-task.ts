/** One request as its requester sees it: what was accepted, what happens to it, and what came of it. */
import type {
  Delivery,
  Payload,
  RequestId,
  StatusEntry,
  TaskId,
  TaskState,
  TaskUpdate,
  Used,
} from '@plugpool/proto';
import { PlugpoolError } from './errors.ts';

/** Events that wait for a reader who is slow; beyond, the oldest updates go. */
const EVENTS_KEPT_MAX = 256;

/** What happens to a task, in order; the last one is `ended`. */
export type TaskEvent =
  | { readonly kind: 'accepted'; readonly taskId: TaskId; readonly deadlineMs: number }
  | {
      readonly kind: 'update';
      readonly taskId: TaskId;
      readonly state: TaskState;
      /** Counts from 1; grows when the task moves to another donor. */
      readonly attempt: number;
      readonly progressPermille: number;
      /** The donor's name at the pile; empty while the task waits. */
      readonly donor: string;
      /** Why it waits or moved; empty where it runs undisturbed. */
      readonly reason: string;
    }
  | { readonly kind: 'ended'; readonly taskId: TaskId; readonly state: TaskState };

/** What a completed task gave. */
export interface TaskResult {
  readonly taskId: TaskId;
  /** Verified against its digest where it was too large to travel in the message. */
  readonly output: Uint8Array;
  /** Of every parallel instance, in their order; `output` is the first of them. */
  readonly outputs: readonly Uint8Array[];
  readonly attempts: number;
  readonly donor: string;
  readonly used: Used | undefined;
  /** What the requester was charged, in milli-normalised-core-seconds. */
  readonly chargedMncs: number;
  /** How many vehicles of different owners gave this result; of several instances the least. */
  readonly agreeing: number;
  readonly algorithmId: string;
  readonly algorithmVersion: string;
  /** Tells the pile that the result is safe here; it keeps it until then. Done already, unless `autoAck` is false. */
  acknowledge(): void;
}

export interface TaskHooks {
  cancel(task: RequestedTask): void;
  acknowledge(taskId: TaskId): void;
}

export class RequestedTask implements AsyncIterable<TaskEvent> {
  readonly requestId: RequestId;
  readonly taskId: TaskId;
  /** From now, as the pile counts it. */
  readonly deadlineMs: number;
  /** The output; rejects with a `PlugpoolError` whose code is the failure's where the task ends otherwise. */
  readonly result: Promise<TaskResult>;
  readonly #settle: PromiseWithResolvers<TaskResult>;
  readonly #hooks: TaskHooks;
  readonly #events: TaskEvent[] = [];
  #state: TaskState = 'queued';
  #ended: PromiseWithResolvers<TaskState> | undefined;
  #wake: (() => void) | undefined;
  #isOver = false;

  constructor(ids: Pick<RequestedTask, 'requestId' | 'taskId' | 'deadlineMs'>, hooks: TaskHooks) {
    this.requestId = ids.requestId;
    this.taskId = ids.taskId;
    this.deadlineMs = ids.deadlineMs;
    this.#hooks = hooks;
    this.#settle = Promise.withResolvers();
    this.result = this.#settle.promise;
    // Whoever only watches the events must not be killed by a rejection that he did not ask for.
    this.result.catch(() => undefined);
    this.#events.push({ kind: 'accepted', taskId: ids.taskId, deadlineMs: ids.deadlineMs });
  }

  get state(): TaskState {
    return this.#state;
  }

  /** Asks the pile to cancel; resolves with the state in which the task then ended (it may have completed meanwhile). */
  cancel(): Promise<TaskState> {
    if (this.#isOver) return Promise.resolve(this.#state);
    this.#ended ??= Promise.withResolvers();
    this.#hooks.cancel(this);
    return this.#ended.promise;
  }

  /** True once a cancellation was asked for and is not yet answered. */
  get isCancelling(): boolean {
    return this.#ended !== undefined && !this.#isOver;
  }

  /** Every event from acceptance on, for one reader; ends after `ended`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TaskEvent, void, undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) {
        yield event;
        if (event.kind === 'ended') return;
      } else if (this.#isOver) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
  }

  /** For the requester alone. */
  updated(update: TaskUpdate): void {
    if (this.#isOver) return;
    this.#state = update.state;
    const { taskId, state, attempt, progressPermille, donor, reason } = update;
    this.#tell({ kind: 'update', taskId, state, attempt, progressPermille, donor, reason });
  }

  /** For the requester alone: all outputs are here and verified. */
  completed(delivery: Delivery, outputs: readonly Uint8Array[]): void {
    const { taskId, attempts, donor, used, chargedMncs, agreeing, algorithmId, algorithmVersion } = delivery;
    this.#end('completed');
    this.#settle.resolve({
      taskId,
      // There is always a first: without any, a task has not completed.
      output: outputs[0] as Uint8Array,
      outputs,
      attempts,
      donor,
      used,
      chargedMncs,
      agreeing,
      algorithmId,
      algorithmVersion,
      acknowledge: () => this.#hooks.acknowledge(taskId),
    });
  }

  /** For the requester alone. */
  failed(state: TaskState, error: PlugpoolError): void {
    this.#end(state);
    this.#settle.reject(error);
  }

  #end(state: TaskState): void {
    this.#state = state;
    this.#isOver = true;
    this.#tell({ kind: 'ended', taskId: this.taskId, state });
    this.#ended?.resolve(state);
  }

  #tell(event: TaskEvent): void {
    if (this.#events.length >= EVENTS_KEPT_MAX) this.#events.shift();
    this.#events.push(event);
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** What a completed task gave, of all instances; empty of one that ended otherwise. */
export function payloadsOf({ state, output, outputs = [] }: Delivery): readonly Payload[] {
  if (state !== 'completed') return [];
  if (outputs.length > 0) return outputs;
  return output === undefined ? [] : [output];
}

/** The error for a task that ended without an output. */
export function taskEndError(delivery: Delivery): PlugpoolError {
  const { state, failure, taskId } = delivery;
  const code = failure?.code || `task_${state}`;
  const stderr = failure?.stderrTail
    ? `\nIts last words on standard error:\n${failure.stderrTail.trimEnd()}`
    : '';
  return new PlugpoolError({
    code,
    message: `task ${taskId} ${describeEnd(state)}${failure?.detail ? `: ${failure.detail}` : ''}${stderr}`,
    hint: hintFor(state),
    retryable: state === 'expired' || state === 'dead',
  });
}

function describeEnd(state: TaskState): string {
  switch (state) {
    case 'expired':
      return 'was not done before its deadline';
    case 'cancelled':
      return 'was cancelled';
    case 'dead':
      return 'was given up after several attempts';
    default:
      return 'failed';
  }
}

function hintFor(state: TaskState): string {
  switch (state) {
    case 'expired':
      return 'ask with a longer deadline, or when more vehicles are plugged in';
    case 'cancelled':
      return 'ask again if it was not meant';
    case 'dead':
      return 'ask the operator of the pile for its history (plugpool task ID)';
    default:
      return 'the program itself failed: check its input and arguments';
  }
}

/** What a delivery says of its task where a status was asked for. */
export function endedEntry(delivery: Delivery): StatusEntry {
  const { taskId, requestId, algorithmId, state, attempts, failure } = delivery;
  const progressPermille = state === 'completed' ? 1000 : 0;
  const reason = failure?.code ?? '';
  return { taskId, requestId, algorithmId, state, attempts, progressPermille, delivered: true, reason };
}
