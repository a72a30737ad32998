/** Calls the store in a thread of its own, and starts a new thread where one died. */
import { AssertionError } from 'node:assert';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { StoreError } from '../../store-error.ts';
import {
  errorFromData,
  type AnswerMessage,
  type CallArgs,
  type CallMessage,
  type CallResult,
  type StoreCall,
  type StoreCaller,
} from './store-calls.ts';
import type { StoreLog, SynchronousStoreOptions } from './synchronous-store.ts';
import { threadEnvironment } from '../thread-environment.ts';

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** In a package the sources are JavaScript, and a URL in a string is not rewritten when they are made. */
const workerUrl = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

export type StartWorker = (dataDir: string) => Worker;

export function startStoreWorker(dataDir: string): Worker {
  return new Worker(workerUrl, { workerData: { dataDir }, name: 'plugpool-store', env: threadEnvironment() });
}

export class WorkerCaller implements StoreCaller {
  readonly #dataDir: string;
  readonly #log: StoreLog;
  readonly #startWorker: StartWorker;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #failure: Error | undefined;
  #nextId = 1;

  constructor({ dataDir, log }: SynchronousStoreOptions, startWorker: StartWorker = startStoreWorker) {
    this.#dataDir = dataDir;
    this.#log = log;
    this.#startWorker = startWorker;
  }

  get state(): StoreCaller['state'] {
    if (this.#worker !== undefined) return 'running';
    return this.#failure === undefined ? 'idle' : 'failed';
  }

  async start(): Promise<void> {
    assert.equal(this.#worker, undefined, 'the store has its thread already');
    const worker = this.#startWorker(this.#dataDir);
    this.#failure = undefined;
    this.#worker = worker;
    worker.on('message', (message: AnswerMessage) => this.#hear(message));
    worker.on('error', (error) => {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    });
    worker.on('exit', (exitCode) => this.#ended(worker, exitCode));
    await once(worker, 'online');
  }

  call<Call extends StoreCall>(call: Call, ...args: CallArgs<Call>): Promise<CallResult<Call>> {
    const worker = this.#worker;
    if (worker === undefined) return Promise.reject(this.#notRunning());
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      worker.postMessage({ id, call, args } satisfies CallMessage);
      this.#pending.set(id, { resolve, reject });
    });
  }

  /** The worker ends by itself after `close`; this waits for it. */
  async stop(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = once(worker, 'exit');
    await this.call('close');
    await ended;
  }

  #hear(message: AnswerMessage): void {
    if (message.kind === 'log') {
      this.#log[message.level](message.fields, message.message);
      return;
    }
    const pending = this.#pending.get(message.id);
    assert.ok(pending, `the store's thread answered call ${message.id}, which was not made`);
    this.#pending.delete(message.id);
    if (message.kind === 'returned') pending.resolve(message.value);
    else pending.reject(errorFromData(message.error));
  }

  #ended(worker: Worker, exitCode: number): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    if (exitCode !== 0) this.#failure ??= new Error(`exit code ${exitCode}`);
    const error = this.#notRunning();
    for (const call of this.#pending.values()) call.reject(error);
    this.#pending.clear();
  }

  #notRunning(): Error {
    if (this.#failure === undefined) return new AssertionError({ message: 'the store is not open' });
    return new StoreError('unavailable', `the store's thread ended: ${this.#failure.message}`, {
      hint: 'The store is loaded again by a new thread; if this repeats, look at the memory of the pile.',
      retryable: true,
      cause: this.#failure,
    });
  }
}
