/** What each request id of each vehicle stands for, and which closed one is the oldest. */
import type { TaskId, VehicleId } from '@plugpool/proto';
import type { Task } from './state.ts';

export interface OpenRequest {
  readonly stage: 'open';
  readonly bodyHash: string;
  readonly task: Task;
}

export interface ClosedRequest {
  readonly stage: 'closed';
  readonly key: string;
  readonly bodyHash: string;
  readonly taskId: TaskId;
  readonly endedWallMs: number;
}

export type KnownRequest = OpenRequest | ClosedRequest;

export class KnownRequests {
  readonly #known = new Map<string, KnownRequest>();
  /**
   * In the order in which they closed, from `#oldest` on; some were forgotten since. A map alone would do but for its cost: one
   * that loses its first entry again and again walks over the holes of all that it lost.
   */
  #closed: ClosedRequest[] = [];
  #oldest = 0;
  #closedCount = 0;

  get closedCount(): number {
    return this.#closedCount;
  }

  get(vehicleId: VehicleId, requestId: string): KnownRequest | undefined {
    return this.#known.get(keyOf(vehicleId, requestId));
  }

  open(task: Task): void {
    const { vehicleId, requestId, bodyHash } = task.record;
    this.#known.set(keyOf(vehicleId, requestId), { stage: 'open', bodyHash, task });
  }

  close(
    vehicleId: VehicleId,
    requestId: string,
    closed: Pick<ClosedRequest, 'bodyHash' | 'taskId' | 'endedWallMs'>,
  ): void {
    const { bodyHash, taskId, endedWallMs } = closed;
    const key = keyOf(vehicleId, requestId);
    const request: ClosedRequest = { stage: 'closed', key, bodyHash, taskId, endedWallMs };
    this.#known.set(key, request);
    this.#closed.push(request);
    this.#closedCount += 1;
    if (this.#closed.length > 2 * this.#closedCount + 64) this.#dropForgotten();
  }

  /** What housekeeping forgot stands in the order of closing until it is too much of it. */
  #dropForgotten(): void {
    this.#closed = this.#closed.filter((request) => this.#known.get(request.key) === request);
    this.#oldest = 0;
  }

  forget(request: KnownRequest): void {
    if (request.stage === 'closed') {
      this.#known.delete(request.key);
      this.#closedCount -= 1;
    } else this.#known.delete(keyOf(request.task.record.vehicleId, request.task.record.requestId));
  }

  /** Forgets the one that closed first, and returns it. */
  forgetOldestClosed(): ClosedRequest | undefined {
    while (this.#oldest < this.#closed.length) {
      const request = this.#closed[this.#oldest++]!;
      if (this.#oldest > this.#closed.length / 2) {
        this.#closed = this.#closed.slice(this.#oldest);
        this.#oldest = 0;
      }
      if (this.#known.get(request.key) !== request) continue;
      this.forget(request);
      return request;
    }
    return undefined;
  }

  all(): IterableIterator<KnownRequest> {
    return this.#known.values();
  }
}

function keyOf(vehicleId: VehicleId, requestId: string): string {
  return `${vehicleId}/${requestId}`;
}
