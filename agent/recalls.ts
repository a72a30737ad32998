/**
 * Deliveries that are read from disk again, one at a time and each client in its turn: however much one client asks for, the
 * store is asked once, and whoever connects or asks meanwhile waits for one reading at most.
 */
import type { ClientId } from '@plugpool/proto';
import type { Effects } from './core/effects.ts';

export type Recall = Effects['recalls'][number];

/** Of one client: all that it can be owed, and some questions. */
const WAITING_MAX = 6_000;

export interface RecallsSurroundings {
  /** Reads and sends. Rejects never. */
  answer(recall: Recall): Promise<void>;
  /** One more than may wait. What is owed to it is said again at its next hello. */
  refuse(recall: Recall): void;
}

export class Recalls {
  readonly #around: RecallsSurroundings;
  /** The client whose turn it is stands first. */
  readonly #waiting = new Map<ClientId, Map<string, Recall>>();
  #running = false;

  constructor(around: RecallsSurroundings) {
    this.#around = around;
  }

  push(recall: Recall): void {
    const { clientId, correlationId, taskId } = recall;
    const ofClient = this.#waiting.get(clientId) ?? new Map<string, Recall>();
    // What waits to be said already is not said twice.
    const key = `${taskId}/${correlationId}`;
    if (ofClient.has(key)) return;
    if (ofClient.size >= WAITING_MAX) return this.#around.refuse(recall);
    ofClient.set(key, recall);
    this.#waiting.set(clientId, ofClient);
    if (!this.#running) void this.#run();
  }

  /** The client is gone. */
  forget(clientId: ClientId): void {
    this.#waiting.delete(clientId);
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let next = this.#take(); next !== undefined; next = this.#take()) await this.#around.answer(next);
    this.#running = false;
  }

  #take(): Recall | undefined {
    for (const [clientId, ofClient] of this.#waiting) {
      this.#waiting.delete(clientId);
      for (const [key, recall] of ofClient) {
        ofClient.delete(key);
        if (ofClient.size > 0) this.#waiting.set(clientId, ofClient);
        return recall;
      }
    }
    return undefined;
  }
}
