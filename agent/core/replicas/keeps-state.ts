/** Whether a run there would keep its state for the next vehicle. */
import type { Now } from '@plugpool/proto';
import type { Donor, State } from '../state.ts';
import type { Way } from '../waiting/need.ts';

/**
 * A state that nobody checked would make every run that goes on from it as wrong as itself: only who is believed leaves one.
 * Of programs whose results cannot be compared, nobody is checked anyway.
 */
export function keepsState(state: State, way: Way, { vehicleId }: Donor, now: Now): boolean {
  if (!way.checkpoints) return false;
  return way.algorithm.compare === undefined || state.trust.isBelieved(vehicleId, way.key, now);
}
