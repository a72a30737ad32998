/**
 * What a vehicle's leases took of the energy that the meter of its connector saw in one stay. Each is bounded by what the meter saw
 * while it was held; several at the same time see the same growth, and take from it one after the other, in the order in which their
 * claims come. What a replica claims is taken at once, whether it is booked or not.
 *
 *   first grant ──► begun ──► each claim takes ──► another stay, another source, a reading that is not believed: over
 *                     └── a restart ──► kept ──► the first reading: of the same source and no lower, it goes on; else over
 *
 * It is on disk with the grant and with each claim, in a row of its connector: after a restart the leases that were held go on being
 * bounded, each from where the meter stood at its grant, which lies with the lease. Where no meter tells anything, nothing is written.
 */
import type { ConnectorId, FencingToken, VehicleId } from '@plugpool/proto';
import { CONNECTORS_MAX } from '../limits.ts';
import { mostMwhSince } from '../sessions/meter.ts';
import type { Session } from '../sessions/session.ts';
import type { Lease, State } from '../state.ts';
import { write, type Turn } from '../turn.ts';

/** What is on disk of it. */
export interface KeptMeter {
  /** Of the first lease: one that was granted before knows another meter, or none. */
  readonly from: FencingToken;
  readonly vehicleId: VehicleId;
  readonly source: string;
  /** As the meter stood at that grant. */
  readonly registerMwh: number;
  readonly takenMwh: number;
}

/** While its meter is read: there was no break since it began. */
export interface MeteredEnergy extends KeptMeter {
  /** The first grant; after a restart, the first reading. */
  readonly sinceMonoMs: number;
}

/** Of a lease whose vehicle was unplugged, and may still hand in. In memory: its grace is short. */
export interface MeterEnd {
  /** While it was held. */
  readonly ownMwh: number;
  /** All leases of the stay take from it. */
  readonly stay: { leftMwh: number };
}

const PREFIX = 'metered:';

/** At a grant. What its lease must know of the meter: nothing where there is none to believe. */
export function beginMetered(
  turn: Turn,
  { vehicleId, connectorId }: Pick<Lease, 'vehicleId' | 'connectorId'>,
  from: FencingToken,
): Pick<Lease, 'meterMwh'> {
  const { state, now } = turn;
  const session = state.sessions.get(connectorId);
  if (session?.meter === undefined || session.meter.isBroken === true) return {};
  const { source, registerMwh } = session.meter;
  // Of a vehicle that left while nobody looked, or was named by mistake, it ends with the next one's first grant.
  if (session.metered?.vehicleId !== vehicleId) {
    const begun = { from, vehicleId, source, registerMwh, takenMwh: 0 };
    setMetered(turn, session, { ...begun, sinceMonoMs: now.monoMs });
  }
  return { meterMwh: registerMwh };
}

/** Of `mwh` that the attempt took since its grant, as much as the meter leaves; all where it tells nothing. Whole mWh. */
export function takeMetered(turn: Turn, lease: Lease, mwh: number): number {
  const { state } = turn;
  const kept = state.keptMeters.get(lease.connectorId);
  if (kept !== undefined && isOf(kept, lease)) return takeUnread(turn, lease, kept, mwh);
  const session = state.sessions.get(lease.connectorId);
  const { meterMwh, meterEnd } = lease;
  if (meterEnd !== undefined) return takeAfterStay(lease, meterEnd, mwh);
  // Where another vehicle stands there by now, the meter tells nothing.
  if (session?.identity?.vehicleId !== lease.vehicleId || meterMwh === undefined) return Math.floor(mwh);
  const { meter, metered } = session;
  if (meter === undefined || metered === undefined || !isOf(metered, lease)) return Math.floor(mwh);
  const powerMw = state.settings.computingPowerMaxMw;
  const own = mostMwhSince(meterMwh, meter, powerMw, lease.grantedMonoMs, turn.now);
  const seen = mostMwhSince(metered.registerMwh, meter, powerMw, metered.sinceMonoMs, turn.now);
  const left = seen - metered.takenMwh + (lease.meteredMwh ?? 0);
  const mine = Math.floor(Math.max(0, Math.min(mwh, own, left)));
  const after = taken(metered, lease, mine);
  if (after.takenMwh > metered.takenMwh) setMetered(turn, session, after);
  return mine;
}

/** After a restart, before the meter is read: it bounds nothing yet, but what is taken now is not there for another lease. */
function takeUnread(turn: Turn, lease: Lease, kept: KeptMeter, mwh: number): number {
  const mine = Math.floor(mwh);
  const after = taken(kept, lease, mine);
  if (after.takenMwh === kept.takenMwh) return mine;
  turn.state.keptMeters.set(lease.connectorId, after);
  turn.changedMeters.add(lease.connectorId);
  return mine;
}

/** Who pulls the plug before it hands in takes no more by it. */
function takeAfterStay(lease: Lease, { ownMwh, stay }: MeterEnd, mwh: number): number {
  const before = lease.meteredMwh ?? 0;
  const mine = Math.floor(Math.max(0, Math.min(mwh, ownMwh, stay.leftMwh + before)));
  lease.meteredMwh = Math.max(before, mine);
  stay.leftMwh -= lease.meteredMwh - before;
  return mine;
}

function endStay(turn: Turn, { connectorId, meter, metered }: Session): void {
  if (meter === undefined || metered === undefined) return;
  const { state, now } = turn;
  const powerMw = state.settings.computingPowerMaxMw;
  const seenMwh = mostMwhSince(metered.registerMwh, meter, powerMw, metered.sinceMonoMs, now);
  const stay = { leftMwh: seenMwh - metered.takenMwh };
  for (const lease of leasesOfStay(state, connectorId, metered)) {
    const ownMwh = mostMwhSince(lease.meterMwh ?? 0, meter, powerMw, lease.grantedMonoMs, now);
    lease.meterEnd = { ownMwh, stay };
  }
}

function taken<Kept extends KeptMeter>(kept: Kept, lease: Lease, mwh: number): Kept {
  const before = lease.meteredMwh ?? 0;
  lease.meteredMwh = Math.max(before, mwh);
  return { ...kept, takenMwh: kept.takenMwh + lease.meteredMwh - before };
}

function isOf({ from }: KeptMeter, { meterMwh, fencingToken }: Lease): boolean {
  return meterMwh !== undefined && fencingToken >= from;
}

function setMetered(turn: Turn, session: Session, metered: MeteredEnergy): void {
  turn.state.sessions.set(session.connectorId, { ...session, metered });
  turn.changedMeters.add(session.connectorId);
}

/** After what the firmware said of a connector: goes on where a restart left it, and is over where the stay is, or the meter broke. */
export function followMeter(
  turn: Turn,
  before: Session | undefined,
  after: Session,
  isEnergyDoubted: boolean,
): Session {
  const { connectorId, meter } = after;
  if (before?.metered !== undefined && after.metered === undefined) turn.changedMeters.add(connectorId);
  if (before !== undefined && after.state === 'unplugged') endStay(turn, before);
  const { keptMeters } = turn.state;
  const kept = keptMeters.get(connectorId);
  const isOver = after.state === 'unplugged' || isEnergyDoubted;
  if (kept === undefined || (meter === undefined && !isOver)) return after;
  keptMeters.delete(connectorId);
  const goesOn = !isOver && meter?.source === kept.source && meter.registerMwh >= stoodAt(turn, after, kept);
  if (goesOn) return { ...after, metered: { ...kept, sinceMonoMs: turn.now.monoMs } };
  turn.changedMeters.add(connectorId);
  return after;
}

/** The highest that the leases know: a meter that stands lower began anew. */
function stoodAt({ state }: Turn, { connectorId }: Session, kept: KeptMeter): number {
  const leases = leasesOfStay(state, connectorId, kept);
  return Math.max(kept.registerMwh, ...leases.map(({ meterMwh = 0 }) => meterMwh));
}

function leasesOfStay({ donors }: State, connectorId: ConnectorId, kept: KeptMeter): Lease[] {
  const leases: Lease[] = [];
  for (const { leased } of donors.values())
    for (const { lease } of leased.values())
      if (lease?.connectorId === connectorId && isOf(kept, lease)) leases.push(lease);
  return leases;
}

/** Once a step, in its transaction. */
export function writeMetered(turn: Turn): void {
  const { state } = turn;
  for (const connectorId of turn.changedMeters) {
    const kept = state.sessions.get(connectorId)?.metered ?? state.keptMeters.get(connectorId);
    const value = kept === undefined ? null : recordOf(kept);
    write(turn, { change: 'putLearned', name: `${PREFIX}${connectorId}`, value });
  }
  turn.changedMeters.clear();
  state.metersOver.clear();
}

function recordOf({ from, vehicleId, source, registerMwh, takenMwh }: KeptMeter): KeptMeter {
  return { from, vehicleId, source, registerMwh, takenMwh };
}

/**
 * At a start each waits for the first reading. After a failed commit the readings go on, and what was taken is what the disk says:
 * what began in the step that failed never began, and what ended in it is over: the next step writes that again.
 */
export function loadMetered(
  state: State,
  learned: ReadonlyMap<string, unknown>,
  before: State | undefined,
): void {
  for (const session of state.sessions.values()) {
    const { metered, ...rest } = session;
    if (metered === undefined) continue;
    const kept = keptFrom(learned.get(`${PREFIX}${session.connectorId}`));
    const isSame = kept?.from === metered.from;
    state.sessions.set(
      session.connectorId,
      isSame ? { ...rest, metered: { ...metered, takenMwh: kept.takenMwh } } : rest,
    );
  }
  for (const [name, value] of learned) {
    if (value === null || !name.startsWith(PREFIX)) continue;
    const connectorId = name.slice(PREFIX.length) as ConnectorId;
    const kept = keptFrom(value);
    if (kept === undefined) state.damaged.push(name);
    else if (before === undefined || before.keptMeters.has(connectorId)) {
      if (state.keptMeters.size < CONNECTORS_MAX) state.keptMeters.set(connectorId, kept);
    } else if (state.sessions.get(connectorId)?.metered === undefined) state.metersOver.add(connectorId);
  }
}

function keptFrom(value: unknown): KeptMeter | undefined {
  const { from, vehicleId, source, registerMwh, takenMwh } = (value ?? {}) as Partial<
    Record<keyof KeptMeter, unknown>
  >;
  if (!isCount(from) || !isCount(registerMwh) || !isCount(takenMwh)) return undefined;
  if (typeof vehicleId !== 'string' || typeof source !== 'string') return undefined;
  const who = { from: from as FencingToken, vehicleId: vehicleId as VehicleId };
  return { ...who, source, registerMwh, takenMwh };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
