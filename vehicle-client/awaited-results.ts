/** Results that are asked for by their task's id: of requests that another connection made, or another run of this program. */
import type { Delivery, TaskId } from '@plugpool/proto';
import type { Clock } from './ports.ts';
import { RequestedTask, type TaskResult } from './requested-task.ts';

/** How often the pile is asked for a result that another connection's task still owes. */
const RESULT_POLL_EVERY_MS = 1_000;

export interface AwaitedResultsOptions {
  readonly clock: Clock;
  /** Asks the pile to deliver it, where it has it. */
  askFor(taskId: TaskId): Promise<unknown>;
  /** Whether its bytes are on the way. */
  isDelivering(taskId: TaskId): boolean;
  acknowledge(taskId: TaskId): void;
}

export class AwaitedResults {
  readonly #options: AwaitedResultsOptions;
  readonly #awaited = new Map<TaskId, PromiseWithResolvers<TaskResult>>();

  constructor(options: AwaitedResultsOptions) {
    this.#options = options;
  }

  /** Whoever asks for one that is awaited already waits with the first. */
  of(taskId: TaskId): Promise<TaskResult> {
    const known = this.#awaited.get(taskId);
    if (known !== undefined) return known.promise;
    const awaited = Promise.withResolvers<TaskResult>();
    awaited.promise.catch(() => undefined);
    this.#awaited.set(taskId, awaited);
    void this.#pollFor(taskId, awaited).finally(() => this.#awaited.delete(taskId));
    return awaited.promise;
  }

  /** A delivery for one of these; undefined where nobody here waits for it. */
  adopt({ requestId, taskId }: Delivery): RequestedTask | undefined {
    const awaited = this.#awaited.get(taskId);
    if (awaited === undefined) return undefined;
    const task = new RequestedTask(
      { requestId, taskId, deadlineMs: 0 },
      {
        cancel: () => undefined,
        acknowledge: (id) => this.#options.acknowledge(id),
      },
    );
    task.result.then(awaited.resolve, awaited.reject);
    return task;
  }

  close(error: Error): void {
    for (const awaited of this.#awaited.values()) awaited.reject(error);
  }

  /** A running task is delivered to the connection that asked for it; any other one has to look from time to time. */
  async #pollFor(taskId: TaskId, awaited: PromiseWithResolvers<TaskResult>): Promise<void> {
    const settled = awaited.promise.then(
      () => 'settled' as const,
      () => 'settled' as const,
    );
    for (;;) {
      try {
        if ((await Promise.race([this.#options.askFor(taskId), settled])) === 'settled') return;
      } catch (error) {
        if (!this.#options.isDelivering(taskId)) awaited.reject(error);
      }
      if ((await Promise.race([this.#wait(RESULT_POLL_EVERY_MS), settled])) === 'settled') return;
    }
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.setTimer(delayMs, resolve));
  }
}
