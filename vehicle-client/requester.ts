/**
 * The role `ask`: one connection over which a vehicle asks for computing power.
 *
 * A request is repeated after every reconnection until the pile answers it; its id makes that harmless. A result is
 * acknowledged only once it is here, verified and, where the caller wants that, stored by him.
 */
import type {
  Accepted,
  Delivery,
  DownBody,
  Payload,
  Refused,
  StatusEntry,
  EarningsReport,
  StatusQuery,
  StatusReport,
  TaskId,
  Welcome,
} from '@plugpool/proto';
import { AcknowledgedTasks } from './acknowledged-tasks.ts';
import { AwaitedResults } from './awaited-results.ts';
import { BlobPulls } from './blob-pulls.ts';
import { BlobShelf } from './blob-shelf.ts';
import { closedError, connectError } from './connect-error.ts';
import { Conversation } from './conversation.ts';
import { usageError, type PlugpoolError } from './errors.ts';
import { OpenQuestions, QUERY_TIMEOUT_MS, type Question, type Report } from './open-questions.ts';
import { OpenRequests } from './open-requests.ts';
import type { Clock, Link, LinkDown, Log } from './ports.ts';
import { toRequest, toTaskId, type RequestOptions } from './request-body.ts';
import { RequestedTask, endedEntry, payloadsOf, taskEndError, type TaskResult } from './requested-task.ts';
import { CLIENT_VERSION } from './version.ts';

/** Requests and tasks that one client may have open. */
export const OPEN_MAX = 4096;
export const CONNECT_TIMEOUT_MS_DEFAULT = 10_000;
/** A pile that cannot be reached at all is waited for no longer than this: long enough for one that restarts. */
const UNREACHABLE_AFTER_MS = 3_000;

export interface RequesterParts {
  readonly link: Link;
  readonly clock: Clock;
  readonly log: Log;
  /** False: the caller calls `result.acknowledge()` once he has stored the output. */
  readonly autoAck: boolean;
  readonly connectTimeoutMs: number;
}

export class Requester {
  readonly #parts: RequesterParts;
  readonly #conversation: Conversation;
  readonly #pulls: BlobPulls;
  readonly #shelf: BlobShelf;
  readonly #requests: OpenRequests;
  readonly #tasks = new Map<TaskId, RequestedTask>();
  readonly #awaited: AwaitedResults;
  readonly #delivering = new Set<TaskId>();
  readonly #acknowledged = new AcknowledgedTasks();
  readonly #questions: OpenQuestions;
  #connected: PromiseWithResolvers<void> | undefined;
  #startedMonoMs = 0;
  #wasWelcomed = false;
  #lastDown: LinkDown | undefined;
  #isClosed = false;

  constructor(parts: RequesterParts) {
    this.#parts = parts;
    const { link, clock, log } = parts;
    this.#conversation = new Conversation({
      link,
      clock,
      log,
      handlers: {
        hello: () => ({ kind: 'hello', clientVersion: CLIENT_VERSION, held: [], runtimes: [] }),
        welcomed: () => this.#welcomed(),
        body: (body, correlationId) => this.#heard(body, correlationId),
        lost: (cause) => this.#lost(cause),
      },
    });
    this.#pulls = new BlobPulls(this.#conversation, clock);
    this.#shelf = new BlobShelf(this.#conversation);
    const conversation = this.#conversation;
    this.#requests = new OpenRequests({ conversation, shelf: this.#shelf, clock });
    const unanswered = (): Error => connectError(this.#lastDown, QUERY_TIMEOUT_MS);
    this.#questions = new OpenQuestions({ conversation, clock, unanswered });
    this.#awaited = new AwaitedResults({
      clock,
      askFor: (taskId) => this.#query({ taskId, deliver: true }),
      isDelivering: (taskId) => this.#delivering.has(taskId),
      acknowledge: (taskId) => this.#acknowledge(taskId),
    });
  }

  /** Resolves once the pile says welcome; afterwards a lost connection is made again without a word. */
  async connect(): Promise<void> {
    const connected = Promise.withResolvers<void>();
    this.#connected = connected;
    const timeoutMs = this.#parts.connectTimeoutMs;
    this.#startedMonoMs = this.#parts.clock.monoMs();
    const cancelTimeout = this.#parts.clock.setTimer(timeoutMs, () => {
      connected.reject(connectError(this.#lastDown, timeoutMs));
    });
    try {
      this.#conversation.start();
      await connected.promise;
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      cancelTimeout();
      this.#connected = undefined;
    }
  }

  /** Resolves when the pile has accepted (and so owes a result or a reason); rejects where it refuses. */
  async request(options: RequestOptions): Promise<RequestedTask> {
    this.#assertOpen();
    if (this.#requests.size + this.#tasks.size >= OPEN_MAX) {
      throw usageError(
        'too_many_tasks',
        `this client has ${OPEN_MAX} tasks open`,
        'wait for some of them to end',
      );
    }
    const { body, bytes } = toRequest(options, this.#parts.clock.wallMs());
    if (this.#requests.has(body.requestId)) {
      throw usageError(
        'request_id_reused',
        `request ${body.requestId} is under way`,
        'use another request id',
      );
    }
    return this.#requests.ask(body, bytes);
  }

  /** Every task of this vehicle that the pile still knows. */
  async tasks(): Promise<{ readonly tasks: readonly StatusEntry[]; readonly truncated: boolean }> {
    const { tasks, truncated } = await this.#query({ deliver: false });
    return { tasks, truncated };
  }

  /** What this vehicle earned by lending, and on what terms it would lend now. */
  async earnings(): Promise<Omit<EarningsReport, 'kind'>> {
    const { kind: _, ...report } = (await this.#ask({ kind: 'earningsQuery' })) as EarningsReport;
    return report;
  }

  /** What the pile knows of one task, also of one that was acknowledged; rejects where it knows none of that id. */
  task(taskId: string): Promise<StatusEntry> {
    return this.#entryOf(taskId, {});
  }

  /** Where a task stands, and why it waits where it does: `explanation` is absent of one that does not wait; else as `task`. */
  explain(taskId: string): Promise<StatusEntry> {
    return this.#entryOf(taskId, { explain: true });
  }

  /** A pile refuses an id that it does not know; a report without it says no more. */
  async #entryOf(taskId: string, more: Pick<StatusQuery, 'explain'>): Promise<StatusEntry> {
    const { tasks } = await this.#query({ taskId: toTaskId(taskId), deliver: false, ...more });
    const entry = tasks.find((one) => one.taskId === taskId);
    if (entry !== undefined) return entry;
    throw usageError(
      'task_unknown',
      `the pile knows no task ${taskId} of this vehicle`,
      'list them with "tasks"; old ones are forgotten',
    );
  }

  /** The result of a task of this vehicle, whoever asked for it; waits for it where the task still runs. */
  result(taskId: string): Promise<TaskResult> {
    this.#assertOpen();
    const id = toTaskId(taskId);
    return this.#tasks.get(id)?.result ?? this.#awaited.of(id);
  }

  /** Cancels a task of this vehicle, whoever asked for it; resolves with what became of it. */
  async cancel(taskId: string): Promise<StatusEntry> {
    this.#assertOpen();
    this.#conversation.post({ kind: 'cancel', which: { by: 'task', taskId: toTaskId(taskId) } });
    // Bodies of one client are heard in order: what this answers is true after the cancellation.
    return this.task(taskId);
  }

  /** Disconnects. Tasks that were accepted go on; their results can be asked for later. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const error = closedError();
    this.#requests.close(error);
    this.#questions.close(error);
    this.#awaited.close(error);
    for (const task of this.#tasks.values()) task.failed(task.state, error);
    this.#tasks.clear();
    this.#pulls.stop();
    await this.#conversation.stop();
  }

  #welcomed(): void {
    if (this.#wasWelcomed) this.#catchUp();
    this.#wasWelcomed = true;
    this.#lastDown = undefined;
    this.#connected?.resolve();
  }

  /** Says again what the lost connection may have swallowed, and asks for what it may have missed. */
  #catchUp(): void {
    this.#requests.sayAgain();
    for (const task of this.#tasks.values()) if (task.isCancelling) this.#sendCancel(task);
    if (this.#tasks.size > 0) this.#conversation.post({ kind: 'statusQuery', deliver: true });
    this.#pulls.connected();
  }

  #lost(cause: LinkDown): void {
    this.#lastDown = cause;
    if (this.#connected === undefined) {
      this.#parts.log.warn(
        { code: cause.code, detail: cause.detail },
        'no connection to the pile; trying again',
      );
      return;
    }
    const isHopeless =
      cause.code === 'unreachable' && this.#parts.clock.monoMs() - this.#startedMonoMs > UNREACHABLE_AFTER_MS;
    // Trying again does not make these better.
    if (isHopeless || cause.code === 'token_refused' || cause.code === 'id_refused') {
      this.#connected.reject(connectError(cause, this.#parts.connectTimeoutMs));
    }
  }

  #sendCancel(task: RequestedTask): void {
    this.#conversation.post({ kind: 'cancel', which: { by: 'task', taskId: task.taskId } });
  }

  #heard(body: Exclude<DownBody, Welcome>, correlationId: number): void {
    switch (body.kind) {
      case 'accepted':
        return this.#accepted(body);
      case 'delivery':
        this.#delivered(body);
        return this.#answeredByDelivery(body, correlationId);
      case 'taskUpdate':
        return this.#tasks.get(body.taskId)?.updated(body);
      case 'refused':
        return this.#refused(body, correlationId);
      case 'earningsReport':
      case 'statusReport':
        return this.#questions.reported(body, correlationId);
      case 'blobPull':
        return void this.#shelf.answer(body, correlationId);
      case 'blobChunk':
        return this.#pulls.chunk(correlationId, body);
      case 'blobRefused':
        return this.#pulls.refused(correlationId, body);
      case 'offer':
      case 'deploy':
      case 'revoke':
      case 'renewed':
      case 'resultAck':
      case 'checkpointAck':
      case 'connectorBound':
      case 'watchPower':
        this.#parts.log.warn({ kind: body.kind }, 'the pile sent a requester what only donors hear');
    }
  }

  #accepted({ requestId, taskId, deadlineMs }: Accepted): void {
    if (!this.#requests.has(requestId)) return;
    // Asked again while it is open, it is the same task: who waits for it already goes on waiting.
    const known = this.#tasks.get(taskId);
    if (known !== undefined) return this.#requests.accepted(requestId, known);
    const task = new RequestedTask(
      { requestId, taskId, deadlineMs },
      {
        cancel: (cancelled) => this.#sendCancel(cancelled),
        acknowledge: (id) => this.#acknowledge(id),
      },
    );
    this.#tasks.set(taskId, task);
    this.#requests.accepted(requestId, task);
  }

  #refused(refused: Refused, correlationId: number): void {
    if (!this.#questions.refused(refused, correlationId)) this.#requests.refused(refused, correlationId);
  }

  #delivered(delivery: Delivery): void {
    const { taskId } = delivery;
    // A request that was repeated may be answered by its result alone.
    if (this.#requests.has(delivery.requestId)) {
      this.#accepted({ kind: 'accepted', requestId: delivery.requestId, taskId, deadlineMs: 0 });
    }
    const task = this.#tasks.get(taskId) ?? this.#awaited.adopt(delivery);
    if (task === undefined) {
      // Else it is not ours to acknowledge: another run of this program may still wait for it.
      if (this.#acknowledged.has(taskId)) this.#acknowledge(taskId);
      return;
    }
    if (this.#delivering.has(taskId)) return;
    const payloads = payloadsOf(delivery);
    const inline = payloads.flatMap((payload) => (payload.where === 'inline' ? [payload.bytes] : []));
    if (payloads.length === 0) {
      this.#tasks.delete(taskId);
      // There is nothing to store: whoever hears of it has all of it.
      this.#acknowledge(taskId);
      task.failed(delivery.state, taskEndError(delivery));
    } else if (inline.length === payloads.length) {
      this.#complete(task, delivery, inline);
    } else {
      this.#delivering.add(taskId);
      void this.#pullOutputs(task, delivery, payloads);
    }
  }

  async #pullOutputs(task: RequestedTask, delivery: Delivery, payloads: readonly Payload[]): Promise<void> {
    try {
      const outputs = await Promise.all(payloads.map((payload) => this.#bytesOf(payload)));
      if (!this.#isClosed) this.#complete(task, delivery, outputs);
    } catch (error) {
      // Not acknowledged: the pile keeps it, and it can be asked for again by its task id.
      this.#tasks.delete(task.taskId);
      task.failed('completed', error as PlugpoolError);
    } finally {
      this.#delivering.delete(task.taskId);
    }
  }

  #bytesOf(payload: Payload): Promise<Uint8Array> {
    return payload.where === 'inline' ? Promise.resolve(payload.bytes) : this.#pulls.pull(payload.blob);
  }

  #complete(task: RequestedTask, delivery: Delivery, outputs: readonly Uint8Array[]): void {
    this.#tasks.delete(task.taskId);
    if (this.#parts.autoAck) this.#acknowledge(task.taskId);
    task.completed(delivery, outputs);
  }

  #acknowledge(taskId: TaskId): void {
    this.#acknowledged.add(taskId);
    this.#conversation.post({ kind: 'deliveryAck', taskId });
  }

  async #query(asked: Omit<StatusQuery, 'kind'>): Promise<StatusReport> {
    return (await this.#ask({ kind: 'statusQuery', ...asked })) as StatusReport;
  }

  #ask(question: Question): Promise<Report> {
    this.#assertOpen();
    return this.#questions.ask(question);
  }

  /** What is on disk alone is answered with how it ended. */
  #answeredByDelivery(delivery: Delivery, correlationId: number): void {
    if (!this.#questions.has(correlationId)) return;
    const entry = endedEntry(delivery);
    this.#questions.reported({ kind: 'statusReport', tasks: [entry], truncated: false }, correlationId);
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError();
  }
}
