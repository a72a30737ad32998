/** Whether a vehicle stands where others could charge: its lending earns it nothing then, where the operator says so. Pure. */
import type { Lease, State } from '../state.ts';

/** Judged by when the work began: who finishes what was begun in time is paid for it. */
export function isOverstay({ settings, sessions }: State, lease: Lease): boolean {
  const { overstayAfterMs } = settings;
  if (overstayAfterMs === undefined) return false;
  const session = sessions.get(lease.connectorId);
  const endedMonoMs = session?.stay?.chargingEndedMonoMs;
  if (endedMonoMs === undefined || session?.identity?.vehicleId !== lease.vehicleId) return false;
  return (lease.bookedMonoMs ?? lease.grantedMonoMs) - endedMonoMs >= overstayAfterMs;
}
