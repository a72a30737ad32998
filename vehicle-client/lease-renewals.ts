/** One renewal for all leases at a third of a lease, and what its answer says of each of them. */
import { HELD_LEASES_MAX, type LeaseId, type RenewalEntry } from '@plugpool/proto';
import type { Conversation } from './conversation.ts';
import { RenewalBook, leaseKeyOf, renewalEveryMs, type RenewalAnswer } from './core/lease-clock.ts';
import type { Clock } from './ports.ts';

export interface LeaseRenewalsOptions {
  readonly conversation: Conversation;
  readonly clock: Clock;
}

export class LeaseRenewals {
  readonly #options: LeaseRenewalsOptions;
  readonly #book = new RenewalBook();
  /** Of a lease as the pile said it last. */
  leaseMs = 30_000;
  #renewedMonoMs = 0;

  constructor(options: LeaseRenewalsOptions) {
    this.#options = options;
  }

  /** Renewals count from the first lease on: nothing was renewed while nothing was held. */
  countFrom(nowMonoMs: number): void {
    this.#renewedMonoMs = nowMonoMs;
  }

  isDue(nowMonoMs: number): boolean {
    return nowMonoMs - this.#renewedMonoMs >= renewalEveryMs(this.leaseMs);
  }

  /** False where there is nobody to hear it. */
  send(entries: readonly RenewalEntry[]): boolean {
    const { conversation, clock } = this.#options;
    if (conversation.welcome === undefined) return false;
    const held = entries.slice(0, HELD_LEASES_MAX);
    this.#renewedMonoMs = clock.monoMs();
    const correlationId = conversation.nextCorrelationId();
    const keys = held.map(({ lease }) => leaseKeyOf(lease));
    this.#book.sent(correlationId, this.#renewedMonoMs, keys);
    conversation.post({ kind: 'renewal', held }, correlationId);
    return true;
  }

  answered(correlationId: number, held: readonly LeaseId[]): RenewalAnswer {
    return this.#book.answered(correlationId, held);
  }

  /** Answers of a lost connection never come. */
  clear(): void {
    this.#book.clear();
  }
}

export function renewalEntry(lease: LeaseId, progressPermille: number, cpuMs: number): RenewalEntry {
  return { lease, progressPermille, cpuMs: Math.max(0, Math.round(cpuMs)) };
}
