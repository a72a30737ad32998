/** What clients are answered from the disk without the decisions: ends of tasks, results that are handed in again, earnings. */
import type { Logger } from 'pino';
import type { ClientId, Digest, DownBody, Envelope, VehicleId } from '@plugpool/proto';
import type { LimitedLog } from '../adapters/broker-aedes/limited-log.ts';
import type { Effects } from '../core/effects.ts';
import { RESULT_REFUSED } from '../core/leases/result-answer.ts';
import type { Store } from '../ports.ts';
import { Earnings } from './earnings.ts';
import { RecalledDeliveries } from './recalled-deliveries.ts';
import { RecalledResults } from './recalled-results.ts';

export interface DiskAnswersSurroundings {
  readonly store: Pick<Store, 'readTask' | 'readAttempt' | 'balancesOf'>;
  readonly log: Pick<Logger, 'error'>;
  /** For what vehicles can cause. */
  readonly limitedLog: Pick<LimitedLog, 'warn'>;
  send(clientId: ClientId, envelopes: readonly Envelope<DownBody>[]): void;
}

export class DiskAnswers {
  readonly #deliveries: RecalledDeliveries;
  readonly #results: RecalledResults;
  readonly #earnings: Earnings;

  constructor(around: DiskAnswersSurroundings) {
    const { store, log, limitedLog } = around;
    const send: DiskAnswersSurroundings['send'] = (clientId, envelopes) => around.send(clientId, envelopes);
    this.#deliveries = new RecalledDeliveries({
      store,
      send,
      failed: (taskId, error) => log.error({ err: error, taskId }, 'could not read a task'),
    });
    this.#results = new RecalledResults({
      store,
      send,
      refused: (clientId, lease) => {
        const about = { clientId, ...lease, reason: 'lease_void' };
        limitedLog.warn(RESULT_REFUSED, about, RESULT_REFUSED);
      },
      failed: (lease, error) => log.error({ err: error, ...lease }, 'could not read an attempt'),
    });
    this.#earnings = new Earnings({
      store,
      send: (clientId, correlationId, body) => send(clientId, [{ correlationId, body }]),
      failed: (error) => log.error({ err: error }, 'could not read balances'),
    });
  }

  push({ recalls, resultRecalls, earnings }: Effects): void {
    for (const recall of recalls) this.#deliveries.push(recall);
    for (const recall of resultRecalls) this.#results.push(recall);
    for (const question of earnings) this.#earnings.push(question);
  }

  /** The client is gone. */
  forget(clientId: ClientId): void {
    this.#deliveries.forget(clientId);
    this.#results.forget(clientId);
    this.#earnings.forget(clientId);
  }

  /** Bytes of an end that was read for it. */
  mayPull(vehicleId: VehicleId, digest: Digest): boolean {
    return this.#deliveries.mayPull(vehicleId, digest);
  }
}
