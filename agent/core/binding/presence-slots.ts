/** What goes on at the end of each slot of a co-presence proof, and what it comes to at the end of the last. */
import type { ConnectorId } from '@plugpool/proto';
import { changeSession, isKnownBetter } from '../sessions/firmware.ts';
import type { Session } from '../sessions/session.ts';
import type { State } from '../state.ts';
import { donorOf, send, type Turn } from '../turn.ts';
import { identified } from './identity.ts';
import { applySlot, endTrial, whyNot, type PresenceStay } from './presence.ts';
import { remember } from './remembered.ts';
import { slotAt, SLOTS, verdictOf, type PresenceTrial } from './presence-trial.ts';

/** A slot is over. */
export function onSlotOver(turn: Turn, connectorId: ConnectorId): void {
  const { state, now } = turn;
  const stay = state.presence.stays.get(connectorId);
  const session = state.sessions.get(connectorId);
  if (stay?.trial === undefined || session === undefined) return;
  if (whyNot(state, session, stay, now) !== undefined || isRefused(state, connectorId))
    return endTrial(turn, session, stay, 'nothing');
  if (slotAt(stay.trial, now) < SLOTS) return applySlot(turn, connectorId, stay.trial);
  return decide(turn, session, stay, stay.trial);
}

/** The station did not take the cap of the slot that is over. */
function isRefused({ caps }: State, connectorId: ConnectorId): boolean {
  const cap = caps.get(connectorId);
  return cap !== undefined && cap.answer !== 'set' && cap.answer !== 'asked';
}

/** Two who felt it are not two vehicles at one cable: neither is believed. */
function decide(turn: Turn, session: Session, stay: PresenceStay, trial: PresenceTrial): void {
  const present = [...trial.readings.keys()].filter((id) => verdictOf(trial, id) === 'present');
  const absent = [...trial.readings.keys()].some((id) => verdictOf(trial, id) === 'absent');
  const [vehicleId] = present;
  endTrial(turn, session, stay, present.length === 1 ? 'present' : absent ? 'absent' : 'nothing');
  if (vehicleId === undefined || present.length > 1) return;
  const at = turn.state.connectorOf.get(vehicleId);
  if (at !== undefined && at !== session.connectorId && isKnownBetter(turn, vehicleId, at, 'presence'))
    return;
  const after = identified(session, { vehicleId, assurance: 'presence' });
  remember(turn, after);
  changeSession(turn, session, after, 'named');
  const clientId = donorOf(turn.state, vehicleId).clientId;
  const { connectorId } = session;
  if (clientId !== undefined)
    send(turn, clientId, { kind: 'connectorBound', connectorId, assurance: 'presence' });
}
