/** What each request id of each vehicle stands for, and which closed one is the oldest. */
import type { RequestId, TaskId, VehicleId } from '@plugpool/proto';
import { SplitMap } from '../split-map.ts';
import type { Task } from '../state.ts';

export interface OpenRequest {
  readonly stage: 'open';
  readonly bodyHash: string;
  readonly task: Task;
}

export interface ClosedRequest {
  readonly stage: 'closed';
  readonly vehicleId: VehicleId;
  readonly requestId: RequestId;
  readonly bodyHash: string;
  readonly taskId: TaskId;
  readonly endedMonoMs: number;
}

export type KnownRequest = OpenRequest | ClosedRequest;

export class KnownRequests {
  /** By vehicle, then by request id; an open one as its task alone, since there are many. */
  readonly #known = new Map<VehicleId, SplitMap<RequestId, Task | ClosedRequest>>();
  /**
   * In the order in which they closed, from `#oldest` on; some were forgotten since. A map alone would do but for its cost: one
   * that loses its first entry again and again walks over the holes of all that it lost.
   */
  #closed: (ClosedRequest | undefined)[] = [];
  #oldest = 0;
  #closedCount = 0;
  /** So that a question for a task that was never there costs no reading. */
  readonly #closedTasks = new SplitMap<TaskId, ClosedRequest>();
  /** No closed one ended earlier: that nothing is old enough to be forgotten is known without a look at any. */
  #firstEndMonoMs = Infinity;

  get closedCount(): number {
    return this.#closedCount;
  }

  get(vehicleId: VehicleId, requestId: RequestId): KnownRequest | undefined {
    const known = this.#known.get(vehicleId)?.get(requestId);
    return known === undefined ? undefined : asKnown(known);
  }

  /** The vehicle whose task that is, where it was acknowledged and is kept on disk. */
  closedTaskOf(taskId: TaskId): VehicleId | undefined {
    return this.#closedTasks.get(taskId)?.vehicleId;
  }

  open(task: Task): void {
    this.#set(task.record.vehicleId, task.record.requestId, task);
  }

  close(
    vehicleId: VehicleId,
    requestId: RequestId,
    closed: Pick<ClosedRequest, 'bodyHash' | 'taskId' | 'endedMonoMs'>,
  ): void {
    const { bodyHash, taskId, endedMonoMs } = closed;
    const request: ClosedRequest = { stage: 'closed', vehicleId, requestId, bodyHash, taskId, endedMonoMs };
    this.#set(vehicleId, requestId, request);
    this.#closed.push(request);
    this.#closedTasks.set(taskId, request);
    this.#closedCount += 1;
    this.#firstEndMonoMs = Math.min(this.#firstEndMonoMs, endedMonoMs);
    if (this.#closed.length > 2 * this.#closedCount + 64) this.#dropForgotten();
  }

  /** What housekeeping forgot stands in the order of closing until it is too much of it. */
  #dropForgotten(): void {
    this.#closed = this.#closed.filter((request) => request !== undefined && this.#isKnown(request));
    this.#oldest = 0;
  }

  forget(request: KnownRequest): void {
    const { vehicleId, requestId } = request.stage === 'closed' ? request : request.task.record;
    const ofVehicle = this.#known.get(vehicleId);
    ofVehicle?.delete(requestId);
    if (ofVehicle?.size === 0) this.#known.delete(vehicleId);
    if (request.stage === 'open') return;
    this.#closedCount -= 1;
    this.#closedTasks.delete(request.taskId);
  }

  /** Forgets the one that closed first, and returns it. */
  forgetOldestClosed(): ClosedRequest | undefined {
    while (this.#oldest < this.#closed.length) {
      const request = this.#closed[this.#oldest];
      // Its place is cut off with many others; what stood there goes now, or memory would rise and fall by all that is remembered.
      this.#closed[this.#oldest] = undefined;
      this.#oldest += 1;
      if (this.#oldest > this.#closed.length / 2) {
        this.#closed = this.#closed.slice(this.#oldest);
        this.#oldest = 0;
      }
      if (request === undefined || !this.#isKnown(request)) continue;
      this.forget(request);
      return request;
    }
    return undefined;
  }

  /** Forgets those that ended before then, the first closed first and `most` at most, and returns their tasks. */
  forgetEndedBefore(monoMs: number, most: number): TaskId[] {
    if (this.#firstEndMonoMs >= monoMs) return [];
    const taskIds: TaskId[] = [];
    let firstEndMonoMs = Infinity;
    for (const request of this.#closed) {
      if (request === undefined || !this.#isKnown(request)) continue;
      if (request.endedMonoMs < monoMs && taskIds.length < most) {
        this.forget(request);
        taskIds.push(request.taskId);
      } else firstEndMonoMs = Math.min(firstEndMonoMs, request.endedMonoMs);
    }
    this.#firstEndMonoMs = firstEndMonoMs;
    return taskIds;
  }

  #set(vehicleId: VehicleId, requestId: RequestId, known: Task | ClosedRequest): void {
    let ofVehicle = this.#known.get(vehicleId);
    if (ofVehicle === undefined)
      this.#known.set(vehicleId, (ofVehicle = new SplitMap<RequestId, Task | ClosedRequest>()));
    ofVehicle.set(requestId, known);
  }

  #isKnown(request: ClosedRequest): boolean {
    return this.#known.get(request.vehicleId)?.get(request.requestId) === request;
  }
}

function asKnown(known: Task | ClosedRequest): KnownRequest {
  return 'stage' in known ? known : { stage: 'open', bodyHash: known.record.bodyHash, task: known };
}
