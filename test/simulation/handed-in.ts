/** Results that a simulated vehicle handed in and the pile has not acknowledged: sent again, and kept beyond the end of the program. */
import type { LeaseId, Result } from '@plugpool/proto';
import { leaseKeyOf, type LeaseKey } from '../../vehicle-client/core/lease-clock.ts';
import { KEEP_AFTER_MS, RETRY_AFTER_MS } from '../../vehicle-client/unacked-results.ts';
import type { DonorSurroundings } from './donor-surroundings.ts';

interface Unacked {
  readonly result: Result;
  readonly addedMonoMs: number;
  correlationId: number;
  /** While a refusal is waited out. */
  resendAtMonoMs?: number;
}

export class HandedIn {
  readonly #around: Pick<DonorSurroundings, 'clock' | 'disk'>;
  /** Returns the number under which it is answered. */
  readonly #post: (result: Result) => number;
  readonly #unacked = new Map<LeaseKey, Unacked>();

  constructor(around: Pick<DonorSurroundings, 'clock' | 'disk'>, post: (result: Result) => number) {
    this.#around = around;
    this.#post = post;
  }

  get size(): number {
    return this.#unacked.size;
  }

  leases(): LeaseId[] {
    return Array.from(this.#unacked.values(), ({ result }) => result.lease);
  }

  #nowMs(): number {
    return this.#around.clock.monoMs();
  }

  /** What an earlier program left. */
  readOutbox(): void {
    for (const [key, result] of this.#around.disk.outbox)
      this.#unacked.set(key, { result, correlationId: 0, addedMonoMs: this.#nowMs() });
  }

  /** The connection is lost: what the pile has not acknowledged must survive this process. */
  keepAll(): void {
    for (const [key, { result }] of this.#unacked) this.#around.disk.outbox.set(key, result);
  }

  /** The process is gone: what waited for long is on disk already. */
  keepOld(): void {
    for (const [key, { result, addedMonoMs }] of this.#unacked)
      if (this.#nowMs() - addedMonoMs >= KEEP_AFTER_MS) this.#around.disk.outbox.set(key, result);
  }

  add(result: Result): void {
    const unacked = { result, correlationId: 0, addedMonoMs: this.#nowMs() };
    this.#unacked.set(leaseKeyOf(result.lease), unacked);
    this.#send(unacked);
  }

  #send(unacked: Unacked): void {
    delete unacked.resendAtMonoMs;
    unacked.correlationId = this.#post(unacked.result);
  }

  sendAll(): void {
    for (const unacked of this.#unacked.values()) this.#send(unacked);
  }

  /** False: nothing was handed in under that lease. */
  sendAgain(lease: LeaseId): boolean {
    const unacked = this.#unacked.get(leaseKeyOf(lease));
    if (unacked !== undefined) this.#send(unacked);
    return unacked !== undefined;
  }

  settle(lease: LeaseId): void {
    const key = leaseKeyOf(lease);
    this.#unacked.delete(key);
    this.#around.disk.outbox.delete(key);
  }

  refused(correlationId: number, isRetryable: boolean): void {
    for (const unacked of this.#unacked.values()) {
      if (unacked.correlationId !== correlationId) continue;
      if (!isRetryable) return this.settle(unacked.result.lease);
      unacked.resendAtMonoMs = this.#nowMs() + RETRY_AFTER_MS;
      return;
    }
  }

  /** When something is to be sent again. */
  nextMs(): number {
    let nextMs = Infinity;
    for (const { resendAtMonoMs = Infinity } of this.#unacked.values())
      nextMs = Math.min(nextMs, resendAtMonoMs);
    return nextMs;
  }

  sendDue(): void {
    for (const unacked of this.#unacked.values())
      if (this.#nowMs() >= (unacked.resendAtMonoMs ?? Infinity)) this.#send(unacked);
  }
}
