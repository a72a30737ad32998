/** What the pile's firmware says moves the session of its connector, and so the donor that is plugged in there. */
import type { FirmwareEvent, IdentityAssurance } from '@plugpool/firmware-bridge';
import type { ConnectorId, Now, VehicleId } from '@plugpool/proto';
import { isWeaker } from '../binding/assurance.ts';
import { namedBy } from '../binding/bindings.ts';
import { watchCode } from '../binding/codes.ts';
import { noteMeterReading, watchPresence } from '../binding/presence.ts';
import { forgetElsewhere, recall } from '../binding/remembered.ts';
import { asClaim, identified, type Identity } from '../binding/identity.ts';
import { forgetIdleDonors } from '../clients/connections.ts';
import { followStay, noteLateReading } from '../credits/end-credit.ts';
import { departureOf } from '../donors/report.ts';
import { refreshDonor } from '../donors/donor.ts';
import { noteLeft, notePlugged } from '../donors/restless.ts';
import { followMeter } from '../ledger/metered-energy.ts';
import { CONNECTORS_MAX } from '../limits.ts';
import { noteCapReading } from '../power/cap-evidence.ts';
import { tellCapAnew } from '../power/caps.ts';
import { isEnergyDoubted } from './samples.ts';
import { stayThatEnded } from './session-stay.ts';
import { nextStaleMonoMs, type FirmwareSource } from './sources.ts';
import { isPlugged, isVerified, newSession, transition, type Session } from './session.ts';
import type { State } from '../state.ts';
import { donorOf, log, writeLazily, type Turn } from '../turn.ts';

export function onFirmware(turn: Turn, event: FirmwareEvent, source: FirmwareSource): void {
  const { state, now } = turn;
  const before = state.sessions.get(event.connectorId);
  if (before === undefined && state.sessions.size >= CONNECTORS_MAX) {
    log(turn, 'error', 'connector ignored', {
      connectorId: event.connectorId,
      reason: `more than ${CONNECTORS_MAX} connectors`,
    });
    return;
  }
  const said = whoIsNamed(state, event);
  const known = asBelieved(state, before ?? newSession(event.connectorId, now), said);
  const moved = transition(known, event, source, now);
  const isShown = event.kind === 'credential' && said !== undefined && isPlugged(moved.state);
  const named = recall(turn, event, isShown ? identified(moved, said) : moved);
  const after = followMeter(turn, before, named, isEnergyDoubted(event));
  watchSession(state, after, now);
  if (event.kind === 'transactionStarted' || (after.state === 'charging' && before?.state !== 'charging'))
    tellCapAnew(turn, event.connectorId);
  if (event.kind === 'meter') noteReading(turn, event, after);
  if (event.kind === 'linkLost' || event.kind === 'linkUp') sayLink(turn, before, event, source);
  else if (before?.state !== after.state || event.kind === 'identity')
    log(turn, 'info', 'session', {
      connectorId: event.connectorId,
      event: event.kind,
      state: after.state,
      vehicleId: after.identity?.vehicleId,
    });
  if (said !== undefined) sayRefused(turn, known, after, said);
  if (before !== undefined && !isPlugged(after.state)) learnStay(turn, before);
  const isNamed = said !== undefined || moved.identity !== after.identity;
  changeSession(turn, before, after, isNamed ? 'named' : 'told');
}

/** Of a link that was lost already, another reason is said; that one is up is said of one that was lost. */
function sayLink(
  turn: Turn,
  before: Session | undefined,
  event: Extract<FirmwareEvent, { kind: 'linkLost' | 'linkUp' }>,
  { name }: FirmwareSource,
): void {
  const { connectorId } = event;
  const lostReason = before?.sources.find((each) => each.name === name)?.lostReason;
  if (event.kind === 'linkUp') {
    if (lostReason !== undefined) log(turn, 'info', 'firmware is heard again', { connectorId, source: name });
  } else if (lostReason !== event.reason)
    log(turn, 'warn', 'firmware is not heard', { connectorId, source: name, reason: event.reason });
}

/** What follows from a reading beside the session itself. */
function noteReading(turn: Turn, event: Extract<FirmwareEvent, { kind: 'meter' }>, after: Session): void {
  const { state, now } = turn;
  if (event.powerMw !== undefined) {
    noteCapReading(state, after, now);
    noteMeterReading(state, after, now);
  }
  if (event.signed !== undefined && !isPlugged(after.state))
    noteLateReading(turn, event.connectorId, event.signed.data);
}

/** Whom the event names as the vehicle that is there. */
function whoIsNamed(state: State, event: FirmwareEvent): Identity | undefined {
  if (event.kind === 'identity') return event;
  return event.kind === 'credential' ? namedBy(state.bindings, event.credential) : undefined;
}

/** Who is known to stand elsewhere left unseen: whoever is named now contradicts nobody. */
function asBelieved(state: State, session: Session, said: Identity | undefined): Session {
  const held = session.identity?.vehicleId;
  if (said === undefined || held === undefined || held === said.vehicleId) return session;
  return state.connectorOf.get(held) === session.connectorId ? session : asClaim(session);
}

/** `named`: somebody said who is there. */
export function changeSession(
  turn: Turn,
  before: Session | undefined,
  after: Session,
  why: 'named' | 'told',
): void {
  turn.state.sessions.set(after.connectorId, after);
  followStay(turn, before, after);
  if (after.disputed === true && before?.disputed !== true)
    log(turn, 'warn', 'who is plugged in is disputed', {
      connectorId: after.connectorId,
      vehicleId: after.identity?.vehicleId,
      reason: 'another vehicle was named in the same stay; nobody lends there until it ends',
    });
  moveVehicle(turn, why, before, after);
  watchCode(turn, after);
  watchPresence(turn, after);
}

function sayRefused(turn: Turn, before: Session, after: Session, said: Identity): void {
  const { identity, connectorId } = after;
  if (identity === undefined || identity.vehicleId === said.vehicleId || before.disputed === true) return;
  log(turn, 'warn', 'an identity is refused', {
    connectorId,
    vehicleId: said.vehicleId,
    assurance: said.assurance,
    held: identity.vehicleId,
    heldBy: identity.assurance,
  });
}

/** Nobody is owed a stay: lost with the power, it is one less to learn from. */
function learnStay(turn: Turn, before: Session): void {
  const stay = stayThatEnded(before, turn.now);
  if (stay === undefined) return;
  turn.state.dwell.learn(stay);
  writeLazily(turn, { change: 'insertStay', stay });
}

/** Wakes the agent when a last sample is too old, where its source is not silent by nature. */
export function watchSession(state: State, { connectorId, sources }: Session, now: Now): void {
  const staleMonoMs = nextStaleMonoMs(sources, now);
  if (staleMonoMs === undefined) state.timers.clear(`stale:${connectorId}`);
  else state.timers.set(`stale:${connectorId}`, staleMonoMs);
}

/** A source was not heard for too long: the connector may be verified no more, or, where that one spoke against it, again. */
export function onStale(turn: Turn, connectorId: ConnectorId): void {
  const session = turn.state.sessions.get(connectorId);
  if (session === undefined) return;
  watchSession(turn.state, session, turn.now);
  const vehicleId = session.identity?.vehicleId;
  const donor = vehicleId === undefined ? undefined : turn.state.donors.get(vehicleId);
  if (donor !== undefined) refreshDonor(turn, donor);
}

/** The vehicle that left the connector, and the one that is there now. */
function moveVehicle(turn: Turn, why: 'named' | 'told', before: Session | undefined, after: Session): void {
  const { state } = turn;
  const left = before?.identity?.vehicleId;
  const here = isPlugged(after.state) ? after.identity?.vehicleId : undefined;
  if (left !== undefined && left !== here && state.connectorOf.get(left) === after.connectorId) {
    state.connectorOf.delete(left);
    noteLeft(donorOf(state, left), turn.now);
    lookAgain(turn, left, 'left');
    forgetIdleDonors(state);
  }
  if (here === undefined) return;
  // A vehicle is at one connector; whoever identified it last is believed. A sample of the connector where it stood before,
  // and whose unplugging was missed, does not take it back.
  const at = state.connectorOf.get(here);
  if (at !== undefined && at !== after.connectorId && !takesAway(turn, why, here, at, after)) return;
  state.connectorOf.set(here, after.connectorId);
  if (why === 'named') leaveOthers(turn, after, at);
  if (at === undefined) notePlugged(state, donorOf(state, here), turn.now);
  lookAgain(turn, here, 'there');
}

/** Where it was taken to stand before, nobody is known now. */
function leaveOthers(turn: Turn, { connectorId, identity }: Session, at: ConnectorId | undefined): void {
  if (identity === undefined) return;
  forgetElsewhere(turn, connectorId, identity);
  const older = at === undefined || at === connectorId ? undefined : turn.state.sessions.get(at);
  if (older?.identity?.vehicleId !== identity.vehicleId) return;
  const { identity: _elsewhere, ...nobody } = older;
  log(turn, 'info', 'a vehicle is at another connector', {
    vehicleId: identity.vehicleId,
    connectorId,
    before: older.connectorId,
  });
  changeSession(turn, older, nobody, 'told');
}

function takesAway(
  turn: Turn,
  why: 'named' | 'told',
  vehicleId: VehicleId,
  at: ConnectorId,
  { identity }: Session,
): boolean {
  return why === 'named' && identity !== undefined && !isKnownBetter(turn, vehicleId, at, identity.assurance);
}

/** A weaker statement does not take a vehicle away from where it is seen to stand. */
export function isKnownBetter(
  { state, now }: Turn,
  vehicleId: VehicleId,
  at: ConnectorId,
  by: IdentityAssurance,
): boolean {
  const there = state.sessions.get(at);
  if (there?.identity?.vehicleId !== vehicleId || there.disputed === true) return false;
  if (!isPlugged(there.state) || !isVerified(there, now)) return false;
  return isWeaker(by, there.identity.assurance);
}

function lookAgain(turn: Turn, vehicleId: VehicleId, plug: 'there' | 'left'): void {
  const donor = donorOf(turn.state, vehicleId);
  donor.departureMonoMs = departureOf(turn.state, donor);
  refreshDonor(turn, donor, plug);
}
