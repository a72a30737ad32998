/** When a lease is expected to end, and what its donor has free again then. Pure. */
import type { Now } from '@plugpool/proto';
import { graceMsOf } from './checkpoint-interval.ts';
import { expectedLeaseMs } from '../feasible/expected-run.ts';
import type { Donor, Instance, Lease, State } from '../state.ts';

export interface LeaseEnd {
  readonly instance: Instance;
  readonly lease: Lease;
  /** From now. */
  readonly inMs: number;
}

/** The first first. */
export function leaseEndsOn(state: State, donor: Donor, now: Now): LeaseEnd[] {
  const ends: LeaseEnd[] = [];
  for (const instance of donor.leased.values()) {
    const { lease } = instance;
    if (lease !== undefined) ends.push({ instance, lease, inMs: endsInMs(state, donor, lease, now) });
  }
  return ends.sort((a, b) => a.inMs - b.inMs);
}

const PROGRESS_TELLS_PERMILLE = 50;

/** By its progress, once it reports any; before that by how long such runs take. One that is overdue may take as long again. */
function endsInMs(state: State, donor: Donor, lease: Lease, now: Now): number {
  if (lease.phase === 'revoking') return graceMsOf(state.settings, lease);
  const elapsedMs = Math.max(0, now.monoMs - lease.grantedMonoMs);
  const { progressPermille } = lease;
  if (progressPermille >= PROGRESS_TELLS_PERMILLE)
    return (elapsedMs * (1000 - Math.min(1000, progressPermille))) / progressPermille;
  const leftMs = expectedLeaseMs(state, lease, donor) - elapsedMs;
  return leftMs > 0 ? leftMs : elapsedMs;
}
