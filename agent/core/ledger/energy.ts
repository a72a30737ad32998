/** The energy that an attempt's computing took: as the vehicle measured it, or as such work is taken to draw; bounded either way. */
import type { Used } from '@plugpool/proto';
import type { ClaimRecord } from '../records.ts';
import type { Lease } from '../state.ts';
import { mostMwhSince } from '../sessions/meter.ts';
import type { Turn } from '../turn.ts';

const MS_PER_HOUR = 3_600_000;

type Work = Pick<ClaimRecord, 'cpuMncs' | 'gpuMncs'>;

export function energyOf(turn: Turn, lease: Lease, claimed: Used, work: Work): number {
  const { settings } = turn.state;
  const heldMs = turn.now.monoMs - lease.grantedMonoMs;
  const mostMwh = (heldMs * settings.computingPowerMaxMw) / MS_PER_HOUR;
  const meterMwh = meterSawMwh(turn, lease) ?? Infinity;
  return Math.floor(Math.min(claimed.energyMwh ?? estimateMwh(turn, work), mostMwh, meterMwh));
}

/** A loose bound: computing is a small part of charging. Where another vehicle stands there by now, it tells nothing. */
function meterSawMwh({ state, now }: Turn, lease: Lease): number | undefined {
  const session = state.sessions.get(lease.connectorId);
  if (session?.identity?.vehicleId !== lease.vehicleId) return undefined;
  const granted = { monoMs: lease.grantedMonoMs };
  return mostMwhSince(lease.meter, session.meter, state.settings.computingPowerMaxMw, granted, now);
}

/** A normalised core-second is a second of the reference core, and so many millijoules. */
function estimateMwh({ state: { settings } }: Turn, { cpuMncs, gpuMncs }: Work): number {
  return (cpuMncs * settings.coreDrawsMw + gpuMncs * settings.gpuDrawsMw) / MS_PER_HOUR;
}
