/**
 * What the operator has run out: the whole pile, or single vehicles. They are granted nothing more, and what they hold is taken
 * back with the time to keep its state. It is on disk before the operator is told, and holds until it is taken back.
 */
import type { VehicleId } from '@plugpool/proto';
import { DRAINED_VEHICLES_MAX } from '../limits.ts';
import type { Donor, State } from '../state.ts';

export const DRAINING_NAME = 'draining';

export interface Draining {
  all: boolean;
  readonly vehicles: Set<VehicleId>;
}

export interface DrainingView {
  readonly all: boolean;
  readonly vehicles: readonly VehicleId[];
  /** Attempts that still run there. */
  readonly running: number;
}

export function drainsNothing(): Draining {
  return { all: false, vehicles: new Set() };
}

export function isDraining({ draining }: State, { vehicleId }: Donor): boolean {
  return draining.all || draining.vehicles.has(vehicleId);
}

/** False where it is damaged. */
export function loadDraining({ draining }: State, value: unknown): boolean {
  if (value === undefined || value === null) return true;
  const { all, vehicles } = value as { readonly all?: unknown; readonly vehicles?: unknown };
  if (typeof all !== 'boolean' || !Array.isArray(vehicles)) return false;
  draining.all = all;
  for (const id of vehicles.slice(0, DRAINED_VEHICLES_MAX))
    if (typeof id === 'string') draining.vehicles.add(id as VehicleId);
  return true;
}

/** `of`: the runs of that vehicle alone are counted. */
export function drainingView(state: State, of?: VehicleId): DrainingView {
  const { draining, donors } = state;
  let running = 0;
  for (const donor of donors.values())
    if (isDraining(state, donor) && (of === undefined || donor.vehicleId === of))
      running += donor.leased.size;
  return { all: draining.all, vehicles: [...draining.vehicles].sort(), running };
}
