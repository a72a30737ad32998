/**
 * Answers what vehicles ask about their earnings: sums as they are on disk, with the terms of the moment. One reading at a time, and
 * one question a client: whoever asks faster than the disk answers is told so.
 */
import {
  EARNINGS_SUMS_MAX,
  type ClientId,
  type DownBody,
  type EarningsReport,
  type EarningsSum,
  type EarningTerms,
} from '@plugpool/proto';
import type { Effects } from '../core/effects.ts';
import type { BalanceRecord } from '../core/records.ts';
import type { Store } from '../ports.ts';
import { UNREAD } from './recalls.ts';

export type EarningsQuestion = Effects['earnings'][number];

export interface EarningsSurroundings {
  readonly store: Pick<Store, 'balancesOf'>;
  send(clientId: ClientId, correlationId: number, body: DownBody): void;
  failed(error: unknown): void;
}

export class Earnings {
  readonly #around: EarningsSurroundings;
  readonly #waiting = new Map<ClientId, EarningsQuestion>();
  #running = false;

  constructor(around: EarningsSurroundings) {
    this.#around = around;
  }

  push(question: EarningsQuestion): void {
    const { clientId, correlationId } = question;
    if (this.#waiting.has(clientId)) return this.#around.send(clientId, correlationId, TOO_FAST);
    this.#waiting.set(clientId, question);
    if (!this.#running) void this.#run();
  }

  /** The client is gone. */
  forget(clientId: ClientId): void {
    this.#waiting.delete(clientId);
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (const [clientId, question] of this.#waiting) {
      const body = await this.#answerTo(question);
      // Not to a connection that came after the one that asked.
      if (this.#waiting.get(clientId) !== question) continue;
      this.#waiting.delete(clientId);
      this.#around.send(clientId, question.correlationId, body);
    }
    this.#running = false;
  }

  async #answerTo({ account, energyCosts, terms }: EarningsQuestion): Promise<DownBody> {
    const { store } = this.#around;
    try {
      return earningsReport(await store.balancesOf(account), await store.balancesOf(energyCosts), terms);
    } catch (error) {
      this.#around.failed(error);
      return UNREAD;
    }
  }
}

const TOO_FAST: DownBody = {
  kind: 'refused',
  reasons: [
    {
      code: 'rate_limited',
      detail: 'a question about earnings of this connection waits for the disk',
      hint: 'ask again when it is answered',
    },
  ],
  retryable: true,
};

export function earningsReport(
  balances: readonly BalanceRecord[],
  energyCosts: readonly BalanceRecord[],
  terms: EarningTerms | undefined,
): EarningsReport {
  return {
    kind: 'earningsReport',
    balances: balances.slice(0, EARNINGS_SUMS_MAX).map(sumOf),
    energyCosts: energyCosts.slice(0, EARNINGS_SUMS_MAX).map(sumOf),
    ...(terms === undefined ? {} : { terms }),
  };
}

function sumOf({ unit, credited, debited }: BalanceRecord): EarningsSum {
  return { unit, credited, debited };
}
