/** How long the owner of a donor has a run stopped where it is: that time is not the run's, and yet nobody waits for ever. Pure. */
import type { Settings } from '../settings.ts';
import type { Lease } from '../state.ts';

/** As each renewal says. */
export function noteSuspension(lease: Lease, isSuspended: boolean, monoMs: number): void {
  if (isSuspended) {
    lease.suspendedSinceMonoMs ??= monoMs;
    return;
  }
  if (lease.suspendedSinceMonoMs === undefined) return;
  lease.suspendedMs = (lease.suspendedMs ?? 0) + monoMs - lease.suspendedSinceMonoMs;
  delete lease.suspendedSinceMonoMs;
}

/** What a lease may be held longer for it, bounded. */
export function suspendedMsOf(settings: Settings, lease: Lease, monoMs: number): number {
  const sinceMs = lease.suspendedSinceMonoMs === undefined ? 0 : monoMs - lease.suspendedSinceMonoMs;
  return Math.min(settings.suspendedMaxMs, (lease.suspendedMs ?? 0) + sinceMs);
}
