/** What the operator's `drain` and `resume` do. */
import type { VehicleId } from '@plugpool/proto';
import type { OperatorAnswer } from '../events.ts';
import { DRAINED_VEHICLES_MAX } from '../limits.ts';
import { nearestName } from '../nearest-name.ts';
import type { State } from '../state.ts';
import { write, type Turn } from '../turn.ts';
import { refreshDonor } from './donor.ts';
import { DRAINING_NAME, drainingView, type Draining } from './draining.ts';

export function drain(turn: Turn, vehicleId: VehicleId | undefined): OperatorAnswer {
  const { draining, donors } = turn.state;
  if (vehicleId === undefined) draining.all = true;
  else if (!donors.has(vehicleId)) return unknownVehicle(turn.state, vehicleId);
  else if (draining.vehicles.size >= DRAINED_VEHICLES_MAX && !draining.vehicles.has(vehicleId))
    return tooMany();
  else draining.vehicles.add(vehicleId);
  return changed(turn, vehicleId);
}

export function resume(turn: Turn, vehicleId: VehicleId | undefined): OperatorAnswer {
  const { draining } = turn.state;
  if (vehicleId === undefined) {
    draining.all = false;
    draining.vehicles.clear();
  } else if (!draining.vehicles.delete(vehicleId)) return notDrained(draining, vehicleId);
  return changed(turn, vehicleId);
}

/** The operator is told that it is so: it must be on disk then. */
function changed(turn: Turn, vehicleId: VehicleId | undefined): OperatorAnswer {
  const { draining, donors } = turn.state;
  const value = { all: draining.all, vehicles: [...draining.vehicles] };
  write(turn, { change: 'putLearned', name: DRAINING_NAME, value });
  for (const donor of donors.values())
    if (vehicleId === undefined || donor.vehicleId === vehicleId) refreshDonor(turn, donor);
  return { ok: true, value: drainingView(turn.state, vehicleId) };
}

function unknownVehicle({ donors }: State, vehicleId: VehicleId): OperatorAnswer {
  const near = nearestName(vehicleId, [...donors.keys()]);
  const detail = `no vehicle ${vehicleId} lends here, or did of late`;
  const hint = near === undefined ? 'plugpool vehicles lists those that are known' : `is it ${near}?`;
  return { ok: false, code: 'vehicle_unknown', detail, hint };
}

function notDrained({ all }: Draining, vehicleId: VehicleId): OperatorAnswer {
  return {
    ok: false,
    code: 'not_draining',
    detail: `${vehicleId} is not drained by itself`,
    hint: all ? 'the whole pile is: plugpool resume' : 'plugpool status names those that are',
  };
}

function tooMany(): OperatorAnswer {
  return {
    ok: false,
    code: 'too_many_drained',
    detail: `${DRAINED_VEHICLES_MAX} vehicles are drained already`,
    hint: 'resume some of them, or drain the whole pile: plugpool drain',
  };
}
