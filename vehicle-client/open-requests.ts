/** Requests that the pile has neither accepted nor refused for good; said again after each reconnection, which their ids make harmless. */
import type { Digest, Refused, RequestId, TaskRequest } from '@plugpool/proto';
import { shelvedBytes, type BlobShelf } from './blob-shelf.ts';
import type { Conversation } from './conversation.ts';
import { backoffDelaysMs } from './core/backoff.ts';
import { refusalError } from './errors.ts';
import type { Clock } from './ports.ts';
import type { RequestedTask } from './requested-task.ts';

/** Tries of a request that the pile refuses for now. */
const RETRIES_MAX = 8;
const RETRY_BACKOFF = { minMs: 200, maxMs: 5_000 };

interface OpenRequest {
  readonly body: TaskRequest;
  readonly shelved: Digest | undefined;
  readonly answer: PromiseWithResolvers<RequestedTask>;
  readonly delays: Iterator<number, never>;
  tries: number;
  correlationId: number;
  /** Set while the pile's refusal for now is waited out. */
  cancelRetry: (() => void) | undefined;
}

export interface OpenRequestsOptions {
  readonly conversation: Conversation;
  /** Inputs that the pile pulls. */
  readonly shelf: BlobShelf;
  readonly clock: Clock;
}

export class OpenRequests {
  readonly #options: OpenRequestsOptions;
  readonly #open = new Map<RequestId, OpenRequest>();

  constructor(options: OpenRequestsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  has(requestId: RequestId): boolean {
    return this.#open.has(requestId);
  }

  ask(body: TaskRequest, input: Uint8Array): Promise<RequestedTask> {
    const shelved = body.input.where === 'blob' ? body.input.blob.digest : undefined;
    if (shelved !== undefined) this.#options.shelf.put(shelved, shelvedBytes(input));
    const request: OpenRequest = {
      body,
      shelved,
      answer: Promise.withResolvers(),
      delays: backoffDelaysMs(Math.random, RETRY_BACKOFF),
      tries: 0,
      correlationId: 0,
      cancelRetry: undefined,
    };
    this.#open.set(body.requestId, request);
    this.#send(request);
    return request.answer.promise;
  }

  /** Those whose refusal is being waited out go when that is over. */
  sayAgain(): void {
    for (const request of this.#open.values()) if (request.cancelRetry === undefined) this.#send(request);
  }

  accepted(requestId: RequestId, task: RequestedTask): void {
    const request = this.#open.get(requestId);
    if (request === undefined) return;
    this.#settle(request);
    request.answer.resolve(task);
  }

  refused(refused: Refused, correlationId: number): void {
    const { requestId, reasons, retryable } = refused;
    const request = requestId === undefined ? this.#byCorrelation(correlationId) : this.#open.get(requestId);
    if (request === undefined) return;
    request.tries += 1;
    if (retryable && request.tries <= RETRIES_MAX) return this.#tryLater(request);
    this.#settle(request);
    request.answer.reject(refusalError('the request', reasons, retryable));
  }

  close(error: Error): void {
    for (const request of this.#open.values()) {
      request.cancelRetry?.();
      request.answer.reject(error);
    }
    this.#open.clear();
  }

  #send(request: OpenRequest): void {
    const { conversation } = this.#options;
    request.correlationId = conversation.nextCorrelationId();
    conversation.post(request.body, request.correlationId);
  }

  #tryLater(request: OpenRequest): void {
    request.cancelRetry = this.#options.clock.setTimer(request.delays.next().value, () => {
      request.cancelRetry = undefined;
      this.#send(request);
    });
  }

  #settle(request: OpenRequest): void {
    request.cancelRetry?.();
    this.#open.delete(request.body.requestId);
    if (request.shelved !== undefined) this.#options.shelf.remove(request.shelved);
  }

  #byCorrelation(correlationId: number): OpenRequest | undefined {
    if (correlationId === 0) return undefined;
    return [...this.#open.values()].find((request) => request.correlationId === correlationId);
  }
}
