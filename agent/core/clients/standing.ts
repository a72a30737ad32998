/**
 * How well the pile knows a vehicle, and so what is kept for it of what all share: an id costs nothing to make up, to stand at a
 * connector or to hold a lease does. `guest`: it is owed something here and must be able to come back for it.
 */
import type { VehicleId } from '@plugpool/proto';
import type { State } from '../state.ts';

export type Standing = 'resident' | 'guest' | 'stranger';

export function standingOf(state: State, vehicleId: VehicleId): Standing {
  if (isResident(state, vehicleId)) return 'resident';
  return state.openTasksOf.has(vehicleId) ? 'guest' : 'stranger';
}

/** The firmware says that it is plugged in here, or something was granted to it while that was so. */
export function isResident(state: State, vehicleId: VehicleId): boolean {
  return state.connectorOf.has(vehicleId) || (state.donors.get(vehicleId)?.leased.size ?? 0) > 0;
}
