/** Constraints of a simulation, with what each means in code of its own: a verdict of the evaluator is held against it. */
import { isDeepStrictEqual } from 'node:util';
import type { Demand, TaskRequest } from '@plugpool/proto';
import type { TaskRecord } from '../../agent/core/records.ts';
import { knownVehicles } from '../../agent/core/donors/known-vehicles.ts';
import type { Donor } from '../../agent/core/state.ts';

/** Make and fleet as the operator of the simulated pile knows them. */
export const VEHICLES = knownVehicles([
  { id: 'a', make: 'Arc', fleet: 'north' },
  { id: 'b', make: 'Bow', fleet: '' },
  { id: 'x', make: 'Arc', fleet: 'north' },
]);

export function fleetOf(vehicleId: string): string {
  return ['a', 'x'].includes(vehicleId) ? 'north' : '';
}

function makeOf(vehicleId: string): string {
  return ['a', 'x'].includes(vehicleId) ? 'Arc' : vehicleId === 'b' ? 'Bow' : '';
}

/** A requester's, of a donor. */
export const OF_DONOR: Readonly<Record<string, (donor: Donor) => boolean>> = {
  'donor.gpus > 0': ({ lendable }) => lendable.gpus.length > 0,
  "donor.make == 'Arc'": ({ vehicleId }) => makeOf(vehicleId) === 'Arc',
  'donor.cpuMillicores >= 2000 && donor.cores >= 2': ({ lendable }) => lendable.cpuMillicores >= 2000,
  // Nobody here says its state of charge: what is not known is no match, but what stands beside it may be.
  'donor.socPermille > 0': () => false,
  'donor.socPermille > 0 || donor.cores > 3': ({ hardware }) => (hardware?.cores ?? 0) > 3,
};

/** An owner's, of a request that is run with that demand. */
export const OF_REQUEST: Readonly<Record<string, (record: TaskRecord, demand: Demand) => boolean>> = {
  'request.gpuMillis == 0': (_record, { gpu }) => gpu === undefined,
  "request.fleet == 'north'": ({ vehicleId }) => fleetOf(vehicleId) === 'north',
  'request.latencyMs <= 5000': ({ wants }) => wants?.latencyMs !== undefined && wants.latencyMs <= 5000,
  'request.instances == 1 && request.priority < 3': ({ wants }) =>
    (wants?.instances ?? 1) === 1 && (wants?.latencyMs ?? Infinity) > 1000,
};

export function isTrusted({ vehicleId, wants }: TaskRecord, donorId: string): boolean {
  const trust = wants?.trust;
  if (trust === undefined) return true;
  if (trust.whom === 'makes') return trust.makes.includes(makeOf(donorId));
  return fleetOf(vehicleId) !== '' && fleetOf(donorId) === fleetOf(vehicleId);
}

/** Whether what an offer takes is what the request asked for, where it did. */
export function isAsAsked({ wants }: Pick<TaskRequest, 'wants'>, offered: Demand): boolean {
  const { cpuMillicores, memoryMib, gpu } = wants?.demand ?? {};
  if (cpuMillicores !== undefined && offered.cpuMillicores !== cpuMillicores) return false;
  if (memoryMib !== undefined && offered.memoryMib !== memoryMib) return false;
  if (gpu?.shareMillis === 0) return offered.gpu === undefined;
  return (
    gpu === undefined ||
    offered.gpu === undefined ||
    isDeepStrictEqual({ ...offered.gpu, ...gpu }, offered.gpu)
  );
}
