/** Ends of tasks that left memory, read from disk again for the vehicle that asked for them; their bytes may be pulled for a while. */
import { vehicleIdOf } from '@plugpool/proto';
import type { ClientId, Digest, DownBody, Envelope, Payload, TaskId, VehicleId } from '@plugpool/proto';
import { deliveryOf } from './core/tasks/task-end.ts';
import type { Store } from './ports.ts';
import { Recalls, type Reading, type Recall } from './recalls.ts';

/** Deliveries read from disk again: their bytes may be pulled until so many later ones were. */
const PULLABLE_MAX = 256;

export interface RecalledDeliveriesSurroundings {
  readonly store: Pick<Store, 'readTask'>;
  send(clientId: ClientId, envelopes: readonly Envelope<DownBody>[]): void;
  failed(taskId: TaskId, error: unknown): void;
}

export class RecalledDeliveries {
  readonly #around: RecalledDeliveriesSurroundings;
  readonly #recalls: Recalls;
  readonly #pullable = new Set<string>();

  constructor(around: RecalledDeliveriesSurroundings) {
    this.#around = around;
    this.#recalls = new Recalls({
      answer: (reading) => this.#answer(reading),
      refuse: (recall) => this.#refuse(recall),
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

  async #answer({ clientId, correlationIds, taskId }: Reading): Promise<void> {
    const body = await this.#deliveryFor(clientId, taskId);
    const envelopes = correlationIds.map((correlationId) => ({ correlationId, body }));
    this.#around.send(clientId, envelopes);
  }

  async #deliveryFor(clientId: ClientId, taskId: TaskId): Promise<DownBody> {
    const vehicleId = vehicleIdOf(clientId);
    try {
      const history = await this.#around.store.readTask(taskId);
      if (history?.end === undefined || history.task.vehicleId !== vehicleId) return unknownTask(taskId);
      this.#letPull(vehicleId, [history.end.output, ...(history.end.outputs ?? [])]);
      return deliveryOf(history.task, history.end);
    } catch (error) {
      this.#around.failed(taskId, error);
      return UNAVAILABLE;
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

  #refuse({ clientId, correlationId }: Recall): void {
    // What nobody asked for is said again at the next hello.
    if (correlationId !== 0) this.#around.send(clientId, [{ correlationId, body: TOO_MANY }]);
  }
}

const UNAVAILABLE: DownBody = {
  kind: 'refused',
  reasons: [{ code: 'storage_unavailable', detail: 'the store did not answer', hint: 'ask again' }],
  retryable: true,
};

const TOO_MANY: DownBody = {
  kind: 'refused',
  reasons: [
    {
      code: 'rate_limited',
      detail: 'too many questions of this connection wait for the disk',
      hint: 'ask again when these are answered',
    },
  ],
  retryable: true,
};

/** Forgotten between the question and the reading. */
function unknownTask(taskId: TaskId): DownBody {
  const reason = {
    code: 'task_unknown',
    detail: `no task ${taskId} of this vehicle is known here`,
    hint: 'list the tasks; ended ones are forgotten after the retention of the pile',
  } as const;
  return { kind: 'refused', reasons: [reason], retryable: false };
}
