/** Whom a requester trusts with its data, by what the operator says of the vehicles. */
import type { Need } from './need.ts';
import type { Donor, State } from './state.ts';

export function isTrusted(_state: State, _need: Need, _donor: Donor): boolean {
  return false;
}
