/** Whose vehicle it is, by what the operator knows and never by its own word: vehicles of one fleet vouch for each other in nothing. */
import type { VehicleId } from '@plugpool/proto';
import { kindOf } from '../donors/known-vehicles.ts';
import type { Settings } from '../settings.ts';
import type { Instance } from '../state.ts';
import { firstOf, hasReplicas, replicasOf } from './replicas-of.ts';

export function ownerOf({ vehicles }: Pick<Settings, 'vehicles'>, vehicleId: VehicleId): string {
  const { fleet } = kindOf(vehicles, vehicleId);
  return fleet === '' ? `vehicle:${vehicleId}` : `fleet:${fleet}`;
}

/** The owner of `vehicleId` has another replica of that part: it runs there, is planned there, or returned a result. */
export function ownerHasReplica(
  settings: Pick<Settings, 'vehicles'>,
  instance: Instance,
  vehicleId: VehicleId,
): boolean {
  if (!hasReplicas(instance.task)) return false;
  const owner = ownerOf(settings, vehicleId);
  return replicasOf(firstOf(instance)).some((other) => {
    const holder = other === instance ? undefined : holderOf(other);
    return holder !== undefined && ownerOf(settings, holder) === owner;
  });
}

function holderOf({ lease, result, plannedOn }: Instance): VehicleId | undefined {
  return lease?.vehicleId ?? result?.donor ?? plannedOn;
}
