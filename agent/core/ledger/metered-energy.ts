/**
 * What a vehicle's leases took of the energy that the meter of its connector saw in one stay. Each is bounded by what the meter saw
 * while it was held; several at the same time see the same growth, and take from it one after the other, in the order in which their
 * claims come. What a replica claims is taken at once, whether it is booked or not.
 */
import type { ConnectorId } from '@plugpool/proto';
import { mostMwhSince, type Meter } from '../sessions/meter.ts';
import type { Lease } from '../state.ts';
import type { Turn } from '../turn.ts';

/** Since the first grant of a stay at which the meter could be believed, or the first after it could not. */
export interface MeteredEnergy {
  readonly since: Meter;
  readonly sinceMonoMs: number;
  readonly takenMwh: number;
}

/** At a grant. */
export function beginMetered({ state, now }: Turn, connectorId: ConnectorId): void {
  const session = state.sessions.get(connectorId);
  const { meter, metered } = session ?? {};
  if (session === undefined || meter === undefined || metered?.since.breaks === meter.breaks) return;
  const begun = { since: meter, sinceMonoMs: now.monoMs, takenMwh: 0 };
  state.sessions.set(connectorId, { ...session, metered: begun });
}

/** Of `mwh` that the attempt took since its grant, as much as the meter leaves; all where it tells nothing. Whole mWh. */
export function takeMetered(turn: Turn, lease: Lease, mwh: number): number {
  const { state, now } = turn;
  const session = state.sessions.get(lease.connectorId);
  // Where another vehicle stands there by now, the meter tells nothing.
  if (session?.identity?.vehicleId !== lease.vehicleId) return Math.floor(mwh);
  const { meter, metered } = session;
  const powerMw = state.settings.computingPowerMaxMw;
  const own = mostMwhSince(lease.meter, meter, powerMw, { monoMs: lease.grantedMonoMs }, now);
  if (own === undefined || metered === undefined) return Math.floor(mwh);
  const seen = mostMwhSince(metered.since, meter, powerMw, { monoMs: metered.sinceMonoMs }, now);
  const { meteredMwh: before = 0 } = lease;
  const left = (seen ?? Infinity) - metered.takenMwh + before;
  const mine = Math.floor(Math.max(0, Math.min(mwh, own, left)));
  lease.meteredMwh = Math.max(before, mine);
  const takenMwh = metered.takenMwh + lease.meteredMwh - before;
  state.sessions.set(lease.connectorId, { ...session, metered: { ...metered, takenMwh } });
  return mine;
}
