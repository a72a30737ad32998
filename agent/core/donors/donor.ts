/**
 * A vehicle that may lend.
 *
 *   absent ──► announced ⇄ eligible ──► draining ──► gone
 *
 * `absent` no `lend` connection, no lease; `announced` it said hello, and something still forbids a grant; `eligible` it may
 * be granted leases: its session is verified and in a state that lends, its owner's policy allows, its capacity is fresh;
 * `draining` it must not be granted more, and still holds leases; `gone` the firmware said that it was unplugged.
 * The phase is derived, never stored: `whyNotEligible` is what moves it.
 */
import { isWeaker } from '../binding/assurance.ts';
import type { Capacity, Now, RevokeReason, VehicleId } from '@plugpool/proto';
import { freeOf, isWithin, NOTHING } from './capacity.ts';
import { isDraining } from './draining.ts';
import { isBehind } from './ready-by.ts';
import { isSettling } from './restless.ts';
import { heldCapMw } from '../power/caps.ts';
import { leasesOf, revoke } from '../leases/lease.ts';
import { isPlugged, isVerified, type Session } from '../sessions/session.ts';
import type { Donor, Lease, State } from '../state.ts';
import { staySoFar } from '../sessions/session-stay.ts';
import { leavingSoon, nextReviewInMs, stayOf } from '../dwell/stay.ts';
import type { Turn } from '../turn.ts';

export type DonorPhase = 'absent' | 'announced' | 'eligible' | 'draining' | 'gone';

/** Why a donor may not be granted anything now; the closed list. */
export type Ineligible =
  | 'not_connected'
  | 'not_plugged'
  | 'session_unverified'
  | 'session_not_lending'
  /** Who is plugged in there is known by less than the operator wants, or is only claimed. */
  | 'identity_too_weak'
  /** In one stay two vehicles were named at its connector. */
  | 'identity_disputed'
  | 'policy_not_lending'
  | 'capacity_stale'
  /** It lends less than its leases take; some are being revoked. */
  | 'overdrawn'
  /** Computing would keep its battery from being charged when its driver leaves. */
  | 'ready_by'
  /** It was plugged in and out again and again, and is left in peace for a while. */
  | 'settling'
  /** The operator has it, or the whole pile, run out. */
  | 'draining'
  | 'agent_stopping';

export function sessionOf(state: State, vehicleId: VehicleId): Session | undefined {
  const connectorId = state.connectorOf.get(vehicleId);
  return connectorId === undefined ? undefined : state.sessions.get(connectorId);
}

/** The first thing that forbids a grant, or undefined where nothing does. */
export function whyNotEligible(state: State, donor: Donor, now: Now): Ineligible | undefined {
  if (state.stopping) return 'agent_stopping';
  if (isDraining(state, donor)) return 'draining';
  return (
    whySessionForbids(state, donor, now) ??
    whyClientForbids(state, donor, now) ??
    whyRefused(donor, now) ??
    (isWithin(donor.free) ? undefined : 'overdrawn')
  );
}

/** Everything that forbids a grant, as far as it can be told. */
export function allWhyNotEligible(state: State, donor: Donor, now: Now): Ineligible[] {
  const all = [
    state.stopping ? ('agent_stopping' as const) : undefined,
    isDraining(state, donor) ? ('draining' as const) : undefined,
    whySessionForbids(state, donor, now),
    whyClientForbids(state, donor, now),
    whyRefused(donor, now),
    isWithin(donor.free) ? undefined : ('overdrawn' as const),
  ];
  return all.filter((why) => why !== undefined);
}

/** What the firmware says of it. */
export function whySessionForbids(state: State, { vehicleId }: Donor, now: Now): Ineligible | undefined {
  const session = sessionOf(state, vehicleId);
  if (session === undefined || !isPlugged(session.state)) return 'not_plugged';
  if (!isVerified(session, now)) return 'session_unverified';
  if (session.disputed === true) return 'identity_disputed';
  if (isTooWeak(state, session)) return 'identity_too_weak';
  return state.settings.lendingStates.includes(session.state) ? undefined : 'session_not_lending';
}

function isTooWeak({ settings }: State, { identity }: Session): boolean {
  return identity === undefined || isWeaker(identity.assurance, settings.identityAssurance);
}

/** What speaks against it though firmware and owner allow it. */
function whyRefused(donor: Donor, now: Now): Ineligible | undefined {
  if (donor.isBehind) return 'ready_by';
  return isSettling(donor, now) ? 'settling' : undefined;
}

/** What it says itself. Without, what it lends is what it says it lends. */
export function whyClientForbids(state: State, donor: Donor, now: Now): Ineligible | undefined {
  const { clientId, hardware, report, reportedMonoMs } = donor;
  if (clientId === undefined || hardware === undefined) return 'not_connected';
  if (report === undefined || now.monoMs - reportedMonoMs > state.settings.capacityStaleMs)
    return 'capacity_stale';
  return report.lending && !isPaused(state, donor) ? undefined : 'policy_not_lending';
}

/** It is plugged in and does not charge, and its owner lends only while it does. */
function isPaused(state: State, { vehicleId, report }: Donor): boolean {
  if (report?.chargingOnly !== true) return false;
  const session = sessionOf(state, vehicleId);
  return session !== undefined && isPlugged(session.state) && session.state !== 'charging';
}

export function phaseOf(state: State, donor: Donor, now: Now): DonorPhase {
  const obstacle = whyNotEligible(state, donor, now);
  if (obstacle === undefined) return 'eligible';
  if (donor.leased.size > 0) return 'draining';
  if (obstacle === 'not_plugged' && donor.clientId === undefined) return 'gone';
  return donor.clientId === undefined ? 'absent' : 'announced';
}

/**
 * Looks at a donor again after anything about it changed: revokes what it may no longer hold, in this very step, and lets it
 * choose among those who wait where it may hold more.
 */
export function refreshDonor(turn: Turn, donor: Donor, plug: 'there' | 'left' = 'there'): void {
  const { state, now } = turn;
  donor.free = freeOf(donor.lendable, leasesOf(donor));
  donor.verdicts = undefined;
  reviewStay(turn, donor);
  reviewCharge(turn, donor);
  turn.touchedDonors.add(donor);
  if (plug === 'left') revokeAll(turn, donor, 'unplugged');
  else revokeForSession(turn, donor);
  if (donor.clientId !== undefined) revokeForCapacity(turn, donor);
  if (isDraining(state, donor)) revokeAll(turn, donor, 'draining');
  else if (donor.isBehind) revokeAll(turn, donor, 'ready_by');
  if (whyNotEligible(state, donor, now) === undefined) turn.changedDonors.add(donor);
}

/** Looks again at how long it will stay, and says when that is to be done again. */
function reviewStay({ state, now }: Turn, donor: Donor): void {
  const session = sessionOf(state, donor.vehicleId);
  const name = `review:${donor.vehicleId}` as const;
  if (session === undefined || donor.clientId === undefined) return state.timers.clear(name);
  const stay = staySoFar(session, donor.departureMonoMs, now);
  const residual = leavingSoon(state.dwell.residual(stay), stay.statedInMs);
  donor.stay = stayOf(residual, state.settings, now);
  state.timers.set(name, now.monoMs + nextReviewInMs(stay.elapsedMs));
}

/** Whether its charge would still be through in time. */
function reviewCharge({ state, now }: Turn, donor: Donor): void {
  const session = sessionOf(state, donor.vehicleId);
  const { lendable, isBehind: wasBehind } = donor;
  if (session === undefined) donor.isBehind = false;
  else {
    const capMw = heldCapMw(state, session.connectorId);
    donor.isBehind = isBehind(state.settings, { session, lendable, capMw, wasBehind }, now);
  }
}

function revokeForSession(turn: Turn, donor: Donor): void {
  const { state, now } = turn;
  const session = sessionOf(state, donor.vehicleId);
  const unverified = `unverified:${donor.vehicleId}` as const;
  // The grace is that of the leases held now: a later one must not inherit what is left of it.
  if (donor.leased.size === 0) return state.timers.clear(unverified);
  if (session === undefined && hasLeft(state, donor, now)) {
    state.timers.clear(unverified);
    return revokeAll(turn, donor, 'unplugged');
  }
  if (session?.disputed === true) {
    state.timers.clear(unverified);
    return revokeAll(turn, donor, 'session_unverified');
  }
  if (session === undefined || isUndecided(state, session, now)) {
    if (!state.timers.has(unverified))
      state.timers.set(unverified, now.monoMs + state.settings.unverifiedGraceMs);
    return;
  }
  state.timers.clear(unverified);
  if (!isPlugged(session.state)) revokeAll(turn, donor, 'unplugged');
  else if (!state.settings.lendingStates.includes(session.state))
    revokeAll(turn, donor, 'session_not_lending');
  else if (donor.report?.chargingOnly === true && session.state !== 'charging')
    revokeAll(turn, donor, 'policy_paused');
}

/**
 * Where its leases were granted the firmware is heard, and says that it is not there. A step that took them back for that may have
 * failed: what the firmware said is kept then, what was decided is not.
 */
function hasLeft(state: State, donor: Donor, now: Now): boolean {
  return leasesOf(donor).every(({ connectorId }) => {
    const session = state.sessions.get(connectorId);
    if (session === undefined || !isVerified(session, now)) return false;
    return !isPlugged(session.state) || isAnother(session, donor.vehicleId);
  });
}

function isAnother({ identity }: Session, vehicleId: VehicleId): boolean {
  return identity !== undefined && identity.vehicleId !== vehicleId;
}

/**
 * Not heard is not gone, and `plugged` comes before charging: after a restart or a lost link the firmware says it first of a
 * vehicle that charges; who it is may come later still. Leases go on for a grace, then the timer asks again (onUnverifiedTooLong).
 */
function isUndecided(state: State, session: Session, now: Now): boolean {
  return !isVerified(session, now) || session.state === 'plugged' || isTooWeak(state, session);
}

/** The firmware did not say for the whole grace that the vehicle may lend. */
export function onUnverifiedTooLong(turn: Turn, donor: Donor): void {
  const session = sessionOf(turn.state, donor.vehicleId);
  if (session === undefined || !isVerified(session, turn.now) || isTooWeak(turn.state, session))
    revokeAll(turn, donor, 'session_unverified');
  else if (session.state === 'plugged') revokeAll(turn, donor, 'session_not_lending');
}

/** Newest first, until what remains fits what is lent. */
function revokeForCapacity(turn: Turn, donor: Donor): void {
  // Between hello and the first report nothing is known of what it lends: what it holds goes on.
  if (donor.report === undefined) return;
  if (!donor.report.lending) {
    if (leasesKept(donor).length > 0) holdDown(turn, donor, NOTHING);
    return revokeAll(turn, donor, 'policy_paused');
  }
  if (isWithin(donor.free)) return;
  const held = [...donor.leased.values()].reverse();
  let free = freeOf(donor.lendable, leasesKept(donor));
  for (const instance of held) {
    if (isWithin(free)) return;
    if (instance.lease === undefined || instance.lease.phase === 'revoking') continue;
    revoke(turn, instance, 'capacity_fell');
    holdDown(turn, donor, donor.lendable);
    free = freeOf(donor.lendable, leasesKept(donor));
  }
}

function leasesKept(donor: Donor): Lease[] {
  return leasesOf(donor).filter(({ phase }) => phase !== 'revoking');
}

/** Leases would come and go with each report of a donor that changes its mind many times a second. */
function holdDown({ state, now }: Turn, donor: Donor, to: Capacity): void {
  donor.heldDown = { untilMonoMs: now.monoMs + state.settings.restMs, to };
}

export function revokeAll(
  turn: Turn,
  donor: Donor,
  reason: Extract<
    RevokeReason,
    'unplugged' | 'session_not_lending' | 'session_unverified' | 'policy_paused' | 'draining' | 'ready_by'
  >,
): void {
  for (const instance of donor.leased.values())
    if (instance.lease?.phase !== 'revoking') revoke(turn, instance, reason);
}
