/** What a result earns: a double-entry booking that charges who pays and credits donor and operator. */
import type { Used, VehicleId } from '@plugpool/proto';
import { speedMillisOf } from '../feasible/expected-run.ts';
import type { Account, BookingRecord } from '../records.ts';
import type { Instance, Lease } from '../state.ts';
import { cpuLimitMs } from './offer.ts';
import type { Turn } from '../turn.ts';

export const OPERATOR_ACCOUNT = 'operator' as Account;

export function vehicleAccount(vehicleId: VehicleId): Account {
  return `vehicle:${vehicleId}` as Account;
}

export function fleetAccount(fleet: string): Account {
  return `fleet:${fleet}` as Account;
}

/**
 * The work of an attempt in milli-normalised-core-seconds: CPU time × the donor's speed, and never more than its threads
 * could have done while the lease was held, nor than the limits of the offer let a program do, whatever the donor claims: who
 * holds a finished result back earns nothing by it. (The demanded millicores are what is reserved; a
 * program may use more of a core that nobody else uses.)
 */
export function workDoneMncs({ state, now }: Turn, lease: Lease, claimed: Used): number {
  const speedMillis = speedMillisOf(state.donors.get(lease.vehicleId));
  const heldMs = now.monoMs - lease.grantedMonoMs;
  const limitMs = cpuLimitMs(state.settings, lease, speedMillis);
  const cpuMs = Math.min(claimed.cpuMs, heldMs * lease.demand.threads, limitMs);
  return Math.floor((cpuMs * speedMillis) / 1000);
}

/** Entries add up to 0; the operator's share is rounded down. */
export function bookingFor(turn: Turn, instance: Instance, lease: Lease, amountMncs: number): BookingRecord {
  const { payer, record } = instance.task;
  const { taskId, vehicleId } = record;
  const operatorMncs = Math.floor((amountMncs * turn.state.settings.operatorShareMillis) / 1000);
  return {
    taskId,
    instanceId: instance.instanceId,
    fencingToken: lease.fencingToken,
    wallMs: turn.now.wallMs,
    entries: [
      {
        account: payer === vehicleId ? vehicleAccount(vehicleId) : fleetAccount(payer),
        amountMncs: -amountMncs,
      },
      { account: vehicleAccount(lease.vehicleId), amountMncs: amountMncs - operatorMncs },
      { account: OPERATOR_ACCOUNT, amountMncs: operatorMncs },
    ],
  };
}
