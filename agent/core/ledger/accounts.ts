/** Who is credited and debited: the names of all accounts. */
import type { VehicleId } from '@plugpool/proto';
import { CHECKER } from '../checks/checker.ts';
import type { Account } from '../records.ts';
import type { Task } from '../state.ts';

/** The operator's share of what is charged. */
export const OPERATOR = 'operator' as Account;
/** What donors were credited for checkpoints of tasks that have not ended: charged to nobody yet, so a debt until then. */
export const UNSETTLED = 'unsettled' as Account;
/** What the operator pays for replicas beyond the first: nobody asked for them. */
export const REPLICATION = 'operator:replication' as Account;
/** What the operator pays for questions whose answers it knows. */
export const CHECKS = 'operator:checks' as Account;
/** What the operator pays for checkpoints of tasks that came to nothing. */
export const FAILURES = 'operator:failures' as Account;

/** Where accrued money becomes whole minor units. */
export const SETTLEMENT = 'settlement' as Account;
/** What drivers pay for the energy of computing, in their charging bills: a memo, nobody is paid from it. */
export const CHARGING_BILL = 'charging-bill' as Account;

/** What the energy of its computing cost the driver of a vehicle. */
export function energyCostAccount(vehicleId: VehicleId): Account {
  return `energy-cost:${vehicleId}` as Account;
}

export function vehicleAccount(vehicleId: VehicleId): Account {
  return `vehicle:${vehicleId}` as Account;
}

export function fleetAccount(fleet: string): Account {
  return `fleet:${fleet}` as Account;
}

/** Where the energy of computing comes from. */
export function stationAccount(stationId: string): Account {
  return `station:${stationId}` as Account;
}

/** Of the vehicle that asked, or of the fleet that it said pays. */
export function payerAccount({ payer, record: { vehicleId } }: Task): Account {
  if (vehicleId === CHECKER) return CHECKS;
  return payer === vehicleId ? vehicleAccount(vehicleId) : fleetAccount(payer);
}
