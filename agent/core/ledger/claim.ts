/** How much of what a donor says it did is believed: never more than its lease could hold. */
import type { Used } from '@plugpool/proto';
import { gflopsOf } from '../algorithms/gpu-models.ts';
import { speedMillisOf } from '../feasible/expected-run.ts';
import { cpuLimitMs } from '../leases/offer.ts';
import type { ClaimRecord } from '../records.ts';
import type { Lease, State } from '../state.ts';
import type { Turn } from '../turn.ts';
import { energyOf } from './energy.ts';
import { isOverstay } from './overstay.ts';

/** Since the grant: what was booked for checkpoints is in it. A budget bounds the work on the CPU, and nothing else. */
export function claimOf(turn: Turn, lease: Lease, used: Used): ClaimRecord {
  // On a fast core the millisecond to which a run is bounded can be more than what is left of the budget.
  const cpuMncs = Math.min(workDoneMncs(turn, lease, used), lease.budgetMncs ?? Infinity);
  const gpuMncs = gpuWorkMncs(turn, lease, used);
  const energyMwh = energyOf(turn, lease, used, { cpuMncs, gpuMncs });
  return { cpuMncs, gpuMncs, energyMwh, ...(isOverstay(turn.state, lease) ? { overstay: true } : {}) };
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

/** GPU time × what that GPU computes against the reference GPU; never more than the share that was granted, while it was held. */
function gpuWorkMncs({ state, now }: Turn, lease: Lease, claimed: Used): number {
  const { gpu } = lease.demand;
  if (gpu === undefined) return 0;
  const heldMs = now.monoMs - lease.grantedMonoMs;
  const gpuMs = Math.min(claimed.gpuMs, (heldMs * gpu.shareMillis) / 1000);
  return Math.floor(gpuMs * gpuSpeed(state, lease));
}

/** A model that is not known is taken for the reference GPU: neither is known to be the faster. */
function gpuSpeed(state: State, { vehicleId, gpuDeviceId }: Lease): number {
  const devices = state.donors.get(vehicleId)?.hardware?.gpus ?? [];
  const model = devices.find(({ deviceId }) => deviceId === gpuDeviceId)?.model ?? '';
  const { gpuGflops } = state.settings.referenceMachine;
  return (gflopsOf(model) ?? gpuGflops) / gpuGflops;
}
