/** The energy that an attempt's computing took: as the vehicle measured it, or as such work is taken to draw; bounded either way. */
import type { Used } from '@plugpool/proto';
import type { ClaimRecord } from '../records.ts';
import type { Lease } from '../state.ts';
import type { Turn } from '../turn.ts';
import { takeMetered } from './metered-energy.ts';

const MS_PER_HOUR = 3_600_000;

type Work = Pick<ClaimRecord, 'cpuMncs' | 'gpuMncs'>;

export function energyOf(turn: Turn, lease: Lease, claimed: Used, work: Work): number {
  const { settings } = turn.state;
  const heldMs = turn.now.monoMs - lease.grantedMonoMs;
  const mostMwh = (heldMs * settings.computingPowerMaxMw) / MS_PER_HOUR;
  return takeMetered(turn, lease, Math.min(claimed.energyMwh ?? estimateMwh(turn, work), mostMwh));
}

/** A normalised core-second is a second of the reference core, and so many millijoules. */
function estimateMwh({ state: { settings } }: Turn, { cpuMncs, gpuMncs }: Work): number {
  return (cpuMncs * settings.coreDrawsMw + gpuMncs * settings.gpuDrawsMw) / MS_PER_HOUR;
}
