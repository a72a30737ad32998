/** Ends of tasks that left memory, read from disk again for the vehicle that asked for them; their bytes may be pulled for a while. */
import { vehicleIdOf } from '@plugpool/proto';
import type { ClientId, Digest, DownBody, Payload, TaskId, VehicleId } from '@plugpool/proto';
import type { Effects } from '../core/effects.ts';
import { deliveryOf } from '../core/tasks/task-end.ts';
import type { Store } from '../ports.ts';
import { Recalls, UNREAD, type RecallsSurroundings } from './recalls.ts';

export type Recall = Effects['recalls'][number];

/** Deliveries read from disk again: their bytes may be pulled until so many later ones were. */
const PULLABLE_MAX = 256;

export interface RecalledDeliveriesSurroundings extends Pick<RecallsSurroundings<Recall>, 'send'> {
  readonly store: Pick<Store, 'readTask'>;
  failed(taskId: TaskId, error: unknown): void;
}

export class RecalledDeliveries {
  readonly #around: RecalledDeliveriesSurroundings;
  readonly #recalls: Recalls<Recall>;
  readonly #pullable = new Set<string>();

  constructor(around: RecalledDeliveriesSurroundings) {
    this.#around = around;
    this.#recalls = new Recalls({
      about: ({ taskId }) => taskId,
      read: (recall) => this.#deliveryFor(recall),
      send: (clientId, envelopes) => around.send(clientId, envelopes),
    });
  }

  push(recall: Recall): void {
    this.#recalls.push(recall);
  }

  /** The client is gone. */
  forget(clientId: ClientId): void {
    this.#recalls.forget(clientId);
  }

  mayPull(vehicleId: VehicleId, digest: Digest): boolean {
    return this.#pullable.has(`${vehicleId}/${digest}`);
  }

  async #deliveryFor({ clientId, taskId }: Recall): Promise<DownBody> {
    const vehicleId = vehicleIdOf(clientId);
    try {
      const history = await this.#around.store.readTask(taskId);
      if (history?.end === undefined || history.task.vehicleId !== vehicleId) return unknownTask(taskId);
      this.#letPull(vehicleId, [history.end.output, ...(history.end.outputs ?? [])]);
      return deliveryOf(history.task, history.end);
    } catch (error) {
      this.#around.failed(taskId, error);
      return UNREAD;
    }
  }

  #letPull(vehicleId: VehicleId, outputs: readonly (Payload | undefined)[]): void {
    for (const output of outputs) {
      if (output?.where !== 'blob') continue;
      const key = `${vehicleId}/${output.blob.digest}`;
      this.#pullable.delete(key);
      this.#pullable.add(key);
    }
    for (const oldest of this.#pullable) {
      if (this.#pullable.size <= PULLABLE_MAX) return;
      this.#pullable.delete(oldest);
    }
  }
}

/** Forgotten between the question and the reading. */
function unknownTask(taskId: TaskId): DownBody {
  const reason = {
    code: 'task_unknown',
    detail: `no task ${taskId} of this vehicle is known here`,
    hint: 'list the tasks; ended ones are forgotten after the retention of the pile',
  } as const;
  return { kind: 'refused', reasons: [reason], retryable: false };
}
