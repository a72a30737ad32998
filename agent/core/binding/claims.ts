/** A vehicle says that it stands at a connector: with the code on the display there, or by its word alone. */
import type { ConnectorClaim, ConnectorId, RefusalCode, VehicleId } from '@plugpool/proto';
import { changeSession, isKnownBetter } from '../sessions/firmware.ts';
import { isSeenPlugged, isVerified, type Session } from '../sessions/session.ts';
import type { Client, State } from '../state.ts';
import { log, refuse, send, type Turn } from '../turn.ts';
import { isWeaker } from './assurance.ts';
import { heldBackMs, noteWrong, tryCode, type CodeVerdict } from './codes.ts';
import { connectorNamed } from './connector-named.ts';
import { identified, type Identity } from './identity.ts';
import { addCandidate, provesPresence } from './presence.ts';
import { remember } from './remembered.ts';

interface Claimant {
  readonly client: Client;
  readonly correlationId: number;
}

interface Refusal {
  readonly code: RefusalCode;
  readonly detail: string;
  readonly hint: string;
  readonly retryable?: boolean;
}

export function onConnectorClaim(
  turn: Turn,
  client: Client,
  claim: ConnectorClaim,
  correlationId: number,
): void {
  const claimant = { client, correlationId };
  const { connector, code } = claim;
  const at = connector === undefined ? undefined : connectorNamed(turn.state, connector);
  if (connector !== undefined) {
    if (at === undefined) return refuseClaim(turn, claimant, UNKNOWN);
    const session = turn.state.sessions.get(at)!;
    if (isBoundAlready(session, client.name.vehicleId, code)) return sayBound(turn, claimant, session);
    const refusal = whyNotThere(turn, session, client.name.vehicleId);
    if (refusal !== undefined) return refuseClaim(turn, claimant, refusal);
  }
  if (code === undefined) return onBareClaim(turn, claimant, at);
  const bound = boundBy(turn.state, client.name.vehicleId, code);
  if (bound !== undefined) return sayBound(turn, claimant, bound);
  return onCode(turn, claimant, code, at);
}

/** What can be said before any code is looked at. */
function whyNotThere(turn: Turn, session: Session, vehicleId: VehicleId): Refusal | undefined {
  const { state, now } = turn;
  if (!isSeenPlugged(session.state) || !isVerified(session, now)) return FREE;
  const { identity, disputed } = session;
  if (disputed === true) return TAKEN;
  const isClaimed = identity === undefined || identity.assurance === 'claimed';
  if (!isClaimed && identity.vehicleId !== vehicleId) return TAKEN;
  return whyElsewhere(turn, state, vehicleId, session.connectorId);
}

function whyElsewhere(
  turn: Turn,
  { connectorOf }: State,
  vehicleId: VehicleId,
  connectorId: ConnectorId,
): Refusal | undefined {
  const at = connectorOf.get(vehicleId);
  if (at === undefined || at === connectorId) return undefined;
  return isKnownBetter(turn, vehicleId, at, 'code') ? ELSEWHERE : undefined;
}

/** Said again, a claim changes nothing; the code is not looked at. */
function isBoundAlready({ identity }: Session, vehicleId: VehicleId, code: string | undefined): boolean {
  if (identity?.vehicleId !== vehicleId) return false;
  return !isWeaker(identity.assurance, code === undefined ? 'presence' : 'code');
}

/** Where this very code bound the vehicle, which stands there still. */
function boundBy(
  { connectorOf, sessions, codes }: State,
  vehicleId: VehicleId,
  code: string,
): Session | undefined {
  const at = connectorOf.get(vehicleId);
  const session = at === undefined ? undefined : sessions.get(at);
  if (session === undefined || !isBoundAlready(session, vehicleId, code)) return undefined;
  return codes.of.get(session.connectorId)?.given === code ? session : undefined;
}

function onCode(turn: Turn, claimant: Claimant, code: string, at: ConnectorId | undefined): void {
  const { state, now } = turn;
  const { vehicleId } = claimant.client.name;
  const backMs = heldBackMs(state.codes, vehicleId, now);
  if (backMs !== undefined) return refuseClaim(turn, claimant, patience(backMs));
  const verdicts = verdictsOn(turn, code, at);
  const right = verdicts.find(([, verdict]) => verdict === 'right')?.[0];
  const session = right === undefined ? undefined : state.sessions.get(right);
  if (session !== undefined) return takeCode(turn, claimant, session);
  if (verdicts.length > 0 && verdicts.every(([, verdict]) => verdict !== 'wrong'))
    return refuseClaim(turn, claimant, verdicts.some(([, verdict]) => verdict === 'paused') ? PAUSED : SPENT);
  noteWrong(state.codes, vehicleId, now);
  refuseClaim(turn, claimant, WRONG);
}

/** At the one connector, or at each that shows a code. */
function verdictsOn(
  { state, now }: Turn,
  code: string,
  at: ConnectorId | undefined,
): [ConnectorId, CodeVerdict][] {
  const stays = at === undefined ? [...state.codes.of] : [[at, state.codes.of.get(at)] as const];
  return stays.flatMap(([connectorId, stay]) =>
    stay?.code === undefined ? [] : [[connectorId, tryCode(stay, code, now)] as [ConnectorId, CodeVerdict]],
  );
}

function takeCode(turn: Turn, claimant: Claimant, session: Session): void {
  const { vehicleId } = claimant.client.name;
  // Of a code without a connector it is known only now where it is.
  const refusal = whyNotThere(turn, session, vehicleId);
  if (refusal !== undefined) return refuseClaim(turn, claimant, refusal);
  const stay = turn.state.codes.of.get(session.connectorId);
  if (stay !== undefined) stay.given = stay.code;
  take(turn, claimant, session, { vehicleId, assurance: 'code' });
}

/** Counts only where the operator lets mere claims lend, or has them proven. */
function onBareClaim(turn: Turn, claimant: Claimant, at: ConnectorId | undefined): void {
  const { state } = turn;
  const session = at === undefined ? undefined : state.sessions.get(at);
  if (session !== undefined && provesPresence(state)) {
    if (!addCandidate(turn, claimant.client, session.connectorId))
      return refuseClaim(turn, claimant, CROWDED);
    if (state.settings.identityAssurance !== 'claimed') return sayNoted(turn, claimant, session);
  }
  if (session === undefined || state.settings.identityAssurance !== 'claimed')
    return refuseClaim(turn, claimant, BARE);
  const { vehicleId } = claimant.client.name;
  if (session.identity !== undefined && session.identity.vehicleId !== vehicleId)
    return refuseClaim(turn, claimant, TAKEN);
  take(turn, claimant, session, { vehicleId, assurance: 'claimed' });
}

function take(turn: Turn, claimant: Claimant, session: Session, said: Identity): void {
  const after = identified(session, said);
  if (said.assurance !== 'claimed') remember(turn, after);
  changeSession(turn, session, after, 'named');
  log(turn, 'info', 'a vehicle is bound to its connector', {
    connectorId: session.connectorId,
    vehicleId: said.vehicleId,
    assurance: said.assurance,
  });
  sayBound(turn, claimant, after);
}

function sayBound(turn: Turn, { client, correlationId }: Claimant, { connectorId, identity }: Session): void {
  if (identity === undefined) return;
  const { assurance } = identity;
  send(turn, client.name.clientId, { kind: 'connectorBound', connectorId, assurance }, correlationId);
}

/** Nothing is believed yet. */
function sayNoted(turn: Turn, { client, correlationId }: Claimant, { connectorId }: Session): void {
  const noted = { kind: 'connectorBound', connectorId, assurance: 'claimed' } as const;
  send(turn, client.name.clientId, noted, correlationId);
}

function refuseClaim(
  turn: Turn,
  { client, correlationId }: Claimant,
  { retryable = false, ...reason }: Refusal,
): void {
  refuse(turn, { clientId: client.name.clientId, correlationId }, [reason], retryable);
}

const UNKNOWN: Refusal = {
  code: 'connector_unknown',
  detail: 'this pile has no such connector',
  hint: 'leave the connector out: the code says which one it is',
};
const FREE: Refusal = {
  code: 'not_plugged',
  detail: 'the firmware does not say that a vehicle is plugged in there now',
  hint: 'plug in first, and look which connector it is',
};
const TAKEN: Refusal = {
  code: 'connector_taken',
  detail: 'another vehicle is known to be plugged in there',
  hint: 'look which connector it is; the operator can say who is there',
};
const ELSEWHERE: Refusal = {
  code: 'bound_elsewhere',
  detail: 'this vehicle is known to be plugged in at another connector',
  hint: 'unplug there first',
};
const WRONG: Refusal = {
  code: 'code_wrong',
  detail: 'no connector that was meant shows this code',
  hint: 'read it from the display again; each stay has another one',
};
const PAUSED: Refusal = {
  code: 'rate_limited',
  detail: 'too many wrong codes were given there',
  hint: 'wait for some minutes',
  retryable: true,
};
const SPENT: Refusal = {
  code: 'rate_limited',
  detail: 'too many wrong codes were given there in this stay',
  hint: 'plug in anew, or ask the operator to say who is there',
};
const CROWDED: Refusal = {
  code: 'rate_limited',
  detail: 'too many vehicles claim this connector',
  hint: 'give the code that is on the display of the pile',
};
const BARE: Refusal = {
  code: 'not_supported',
  detail: 'this pile does not take a vehicle’s word for where it stands',
  hint: 'give the code that is on the display of the pile',
};

function patience(backMs: number): Refusal {
  return {
    code: 'rate_limited',
    detail: 'this vehicle gave too many wrong codes',
    hint: `wait for ${Math.ceil(backMs / 60_000)} min`,
    retryable: true,
  };
}
