/**
 * Deliveries that are read from disk again, one at a time and each client in its turn: however much one client asks for, the
 * store is asked once, and whoever connects or asks meanwhile waits for one reading at most.
 */
import type { ClientId, TaskId } from '@plugpool/proto';
import type { Effects } from './core/effects.ts';

export type Recall = Effects['recalls'][number];

/** One reading, for everything that its client asked about this task. */
export interface Reading {
  readonly clientId: ClientId;
  readonly taskId: TaskId;
  readonly correlationIds: readonly number[];
}

/** Of one client: all that it can be owed, and some questions. */
const WAITING_MAX = 6_000;

export interface RecallsSurroundings {
  /** Reads and sends. Rejects never. */
  answer(reading: Reading): Promise<void>;
  /** One more than may wait. What is owed to it is said again at its next hello. */
  refuse(recall: Recall): void;
}

interface OfClient {
  /** A message can ask for one task hundreds of times: it is read once. */
  readonly tasks: Map<TaskId, Set<number>>;
  waiting: number;
}

export class Recalls {
  readonly #around: RecallsSurroundings;
  /** The client whose turn it is stands first. */
  readonly #clients = new Map<ClientId, OfClient>();
  #running = false;

  constructor(around: RecallsSurroundings) {
    this.#around = around;
  }

  push(recall: Recall): void {
    const { clientId, correlationId, taskId } = recall;
    const ofClient = this.#clients.get(clientId) ?? { tasks: new Map<TaskId, Set<number>>(), waiting: 0 };
    const asked = ofClient.tasks.get(taskId) ?? new Set();
    // What waits to be said already is not said twice.
    if (asked.has(correlationId)) return;
    if (ofClient.waiting >= WAITING_MAX) return this.#around.refuse(recall);
    ofClient.tasks.set(taskId, asked.add(correlationId));
    ofClient.waiting += 1;
    this.#clients.set(clientId, ofClient);
    if (!this.#running) void this.#run();
  }

  /** The client is gone. */
  forget(clientId: ClientId): void {
    this.#clients.delete(clientId);
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let next = this.#take(); next !== undefined; next = this.#take()) await this.#around.answer(next);
    this.#running = false;
  }

  /** Of the client whose turn it is, which is then the last in turn. */
  #take(): Reading | undefined {
    const [first] = this.#clients;
    if (first === undefined) return undefined;
    const [clientId, ofClient] = first;
    this.#clients.delete(clientId);
    const [oldest] = ofClient.tasks;
    if (oldest === undefined) return this.#take();
    const [taskId, asked] = oldest;
    ofClient.tasks.delete(taskId);
    ofClient.waiting -= asked.size;
    if (ofClient.waiting > 0) this.#clients.set(clientId, ofClient);
    return { clientId, taskId, correlationIds: [...asked] };
  }
}
