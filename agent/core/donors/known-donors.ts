/** Whose the vehicles are that said once what they have, here or gone by now: what a quorum may count on. */
import type { VehicleId } from '@plugpool/proto';
import { ownerOf } from '../replicas/owner.ts';
import type { Donor, State } from '../state.ts';

/** How many such vehicles each owner has. `grew`: since requests that wait for owners were last looked at. */
export interface KnownOwners {
  readonly vehiclesOf: Map<string, number>;
  grew: boolean;
}

export function noOwners(): KnownOwners {
  return { vehiclesOf: new Map(), grew: false };
}

/** It said for the first time what it has. */
export function noteOwner({ owners, settings }: State, vehicleId: VehicleId): void {
  const owner = ownerOf(settings, vehicleId);
  owners.vehiclesOf.set(owner, (owners.vehiclesOf.get(owner) ?? 0) + 1);
  owners.grew = true;
}

/** From a state before. */
export function carryDonor(state: State, donor: Donor): void {
  state.donors.set(donor.vehicleId, donor);
  if (donor.hardware !== undefined) noteOwner(state, donor.vehicleId);
}

export function forgetDonor({ donors, owners, settings }: State, { vehicleId, hardware }: Donor): void {
  donors.delete(vehicleId);
  if (hardware === undefined) return;
  const owner = ownerOf(settings, vehicleId);
  const left = (owners.vehiclesOf.get(owner) ?? 0) - 1;
  if (left > 0) owners.vehiclesOf.set(owner, left);
  else owners.vehiclesOf.delete(owner);
}
