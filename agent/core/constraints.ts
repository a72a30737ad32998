/** Two-sided constraints. */
import type { Donor, Instance, State } from './state.ts';

export function constraintHolds(_state: State, _constraint: string, _donor: Donor): boolean {
  return false;
}

export function ownerAllows(_state: State, _constraint: string, _instance: Instance): boolean {
  return false;
}
