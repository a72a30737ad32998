/**
 * How long a donor may go on with a lease, counted on its own clock: from when it received the offer, then from when it
 * *sent* each renewal that the pile answered. At 0.8 of the lease without an answer it stops by itself, so that the pile
 * never gives the instance to another vehicle while this one still computes.
 */
import type { LeaseId } from '@plugpool/proto';

/** Share of a lease after which the donor stops by itself, in thousandths. */
export const SELF_STOP_MILLIS = 800;
/** Renewals whose answer is still awaited; an older one is given up. */
export const RENEWALS_OPEN_MAX = 4;

/** One lease as a map key. */
export type LeaseKey = string & { readonly brand: 'LeaseKey' };

export function leaseKeyOf(lease: LeaseId): LeaseKey {
  return `${lease.instanceId}/${lease.fencingToken}` as LeaseKey;
}

/** Renewals go out at a third of the lease: two may be lost before the donor stops itself. */
export function renewalEveryMs(leaseMs: number): number {
  return Math.max(1, Math.floor(leaseMs / 3));
}

export function selfStopAtMs(confirmedMonoMs: number, leaseMs: number): number {
  return confirmedMonoMs + Math.floor((leaseMs * SELF_STOP_MILLIS) / 1000);
}

interface OpenRenewal {
  readonly sentMonoMs: number;
  readonly keys: readonly LeaseKey[];
}

export type RenewalAnswer =
  | { readonly known: false }
  | {
      readonly known: true;
      /** What the confirmed leases now count from. */
      readonly sentMonoMs: number;
      readonly confirmed: ReadonlySet<LeaseKey>;
      /** Were asked for and not named: the pile holds them for void. */
      readonly voided: ReadonlySet<LeaseKey>;
    };

/**
 * Which renewals still await their answer. An answer judges only the leases that its renewal named: one that was offered
 * after the renewal left is not void because the answer does not name it.
 */
export class RenewalBook {
  readonly #open = new Map<number, OpenRenewal>();

  sent(correlationId: number, sentMonoMs: number, keys: readonly LeaseKey[]): void {
    this.#open.set(correlationId, { sentMonoMs, keys });
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= RENEWALS_OPEN_MAX) break;
      this.#open.delete(oldest);
    }
  }

  answered(correlationId: number, held: readonly LeaseId[]): RenewalAnswer {
    const renewal = this.#open.get(correlationId);
    if (renewal === undefined) return { known: false };
    this.#open.delete(correlationId);
    const named = new Set(held.map(leaseKeyOf));
    return {
      known: true,
      sentMonoMs: renewal.sentMonoMs,
      confirmed: new Set(renewal.keys.filter((key) => named.has(key))),
      voided: new Set(renewal.keys.filter((key) => !named.has(key))),
    };
  }

  /** Answers of a lost connection never come. */
  clear(): void {
    this.#open.clear();
  }
}
