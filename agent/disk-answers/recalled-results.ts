/**
 * Answers results whose lease is over: their donor hears what it was told the first time, from the attempt as it is on disk. So a
 * result that counts is never called void, whatever became of the first answer.
 */
import { vehicleIdOf, type ClientId, type DownBody, type LeaseId } from '@plugpool/proto';
import type { Effects } from '../core/effects.ts';
import { answerAgain } from '../core/leases/result-answer.ts';
import type { Store } from '../ports.ts';
import { Recalls, UNREAD, type Crowd, type RecallsSurroundings } from './recalls.ts';

/** Any number can be named: with some hundred bytes each, thousands of connections shall not fill the memory. */
export const CROWD: Crowd = { waiting: 20_000, ofClientMax: 64 };

export type ResultRecall = Effects['resultRecalls'][number];

export interface RecalledResultsSurroundings extends Pick<RecallsSurroundings<ResultRecall>, 'send'> {
  readonly store: Pick<Store, 'readAttempt'>;
  /** Its donor is told that the lease is void. */
  refused(clientId: ClientId, lease: LeaseId): void;
  failed(lease: LeaseId, error: unknown): void;
}

export class RecalledResults {
  readonly #around: RecalledResultsSurroundings;
  readonly #recalls: Recalls<ResultRecall>;

  constructor(around: RecalledResultsSurroundings) {
    this.#around = around;
    this.#recalls = new Recalls({
      crowd: CROWD,
      about: ({ lease: { instanceId, fencingToken } }) => `${instanceId}/${fencingToken}`,
      read: (recall) => this.#read(recall),
      send: (clientId, envelopes) => around.send(clientId, envelopes),
    });
  }

  push(recall: ResultRecall): void {
    this.#recalls.push(recall);
  }

  /** The client is gone: it hands in again at its next hello what it was not answered. */
  forget(clientId: ClientId): void {
    this.#recalls.forget(clientId);
  }

  async #read({ clientId, taskId, lease }: ResultRecall): Promise<DownBody> {
    try {
      const attempt = await this.#around.store.readAttempt(taskId, lease);
      const ack = answerAgain(lease, vehicleIdOf(clientId), attempt);
      if (!ack.accepted) this.#around.refused(clientId, lease);
      return ack;
    } catch (error) {
      this.#around.failed(lease, error);
      return UNREAD;
    }
  }
}
