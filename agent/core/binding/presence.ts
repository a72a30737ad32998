/**
 * Co-presence proofs, where the operator wants them: when a vehicle that claims a connector reports its charging power, and the connector
 * charges well above the cap, the cap is put on and taken off in a pattern, and who reports it is bound there.
 *
 *   claim ──► candidate ──(reports, and there is something to vary)──► trial ──► present: bound │ else: again later, bounded a stay
 *
 * A proof never costs a driver his charge: the cap is never below what charging needs (`power.capMinKw`), lasts a slot and expires by itself,
 * and a proof is not begun, or ends at once, where the charge would be through only just in time. Nobody else's cap is varied.
 */
import type { ConnectorId, Now, PowerReport, VehicleId } from '@plugpool/proto';
import { isPlugged, isVerified, type Session } from '../sessions/session.ts';
import { PRESENCE_CANDIDATES_MAX, PRESENCE_TRIALS_PER_STAY_MAX } from '../limits.ts';
import { capsSeenToWork } from '../power/cap-evidence.ts';
import { dropCap, wantCap } from '../power/caps.ts';
import type { Client, State } from '../state.ts';
import { log, send, type Turn } from '../turn.ts';
import { isWeaker } from './assurance.ts';
import {
  beginTrial,
  note,
  SLOT_MS,
  slotAt,
  TRIAL_MS,
  type PresenceTrial,
  type PresenceVerdict,
} from './presence-trial.ts';

export interface Presence {
  /** Of connectors where a vehicle is plugged in that somebody claims to be. */
  readonly stays: Map<ConnectorId, PresenceStay>;
  readonly claimedBy: Map<VehicleId, ConnectorId>;
  /** So many patterns were drawn under this key. */
  drawn: number;
}

export interface PresenceStay {
  readonly candidates: Set<VehicleId>;
  trials: number;
  /** No other is begun before. */
  restUntilMonoMs: number;
  trial: PresenceTrial | undefined;
}

/** Held down to this part of what flows, in thousandths: well above noise, and charging goes on. */
const HELD_DOWN_MILLIS = 600;
/** So much more than the cap must flow, in thousandths of it. */
const ABOVE_CAP_MILLIS = 1_250;
const POWER_FRESH_MS = 60_000;
const REST_MS = 600_000;
/** What a proof may take of the time that is left to charge, and some more: as if nothing flowed while it lasts. */
const MARGIN_MILLIS = 1_100;
const REPORT_EVERY_MS = 2_000;
/** While it waits for a trial. */
const REPORT_SELDOM_MS = 10_000;

export function noPresence(): Presence {
  return { stays: new Map(), claimedBy: new Map(), drawn: 0 };
}

/** Whether claims can be proven here at all. */
export function provesPresence({ settings }: State): boolean {
  return settings.copresence && settings.power.caps && !isWeaker('presence', settings.identityAssurance);
}

/** False: as many as can be told apart claim it already. The caller knows that the connector is not taken. */
export function addCandidate(turn: Turn, { name }: Client, connectorId: ConnectorId): boolean {
  const { presence } = turn.state;
  const { vehicleId, clientId } = name;
  const stay = presence.stays.get(connectorId) ?? newStay();
  if (!stay.candidates.has(vehicleId) && stay.candidates.size >= PRESENCE_CANDIDATES_MAX) return false;
  presence.stays.set(connectorId, stay);
  const before = presence.claimedBy.get(vehicleId);
  if (before !== undefined && before !== connectorId) leaveCandidates(turn.state, vehicleId, before);
  presence.claimedBy.set(vehicleId, connectorId);
  stay.candidates.add(vehicleId);
  send(turn, clientId, { kind: 'watchPower', everyMs: REPORT_SELDOM_MS, forMs: REST_MS + TRIAL_MS });
  return true;
}

function newStay(): PresenceStay {
  return { candidates: new Set(), trials: 0, restUntilMonoMs: 0, trial: undefined };
}

function leaveCandidates({ presence }: State, vehicleId: VehicleId, connectorId: ConnectorId): void {
  presence.stays.get(connectorId)?.candidates.delete(vehicleId);
  if (presence.claimedBy.get(vehicleId) === connectorId) presence.claimedBy.delete(vehicleId);
}

export function onPowerReport(turn: Turn, { name }: Client, { powerMw }: PowerReport): void {
  const connectorId = turn.state.presence.claimedBy.get(name.vehicleId);
  const stay = connectorId === undefined ? undefined : turn.state.presence.stays.get(connectorId);
  if (connectorId === undefined || stay === undefined) return;
  const readings = stay.trial?.readings.get(name.vehicleId);
  if (stay.trial === undefined) maybeBegin(turn, connectorId, stay);
  else if (readings !== undefined) note(stay.trial, readings, powerMw, turn.now);
}

/** After each change of a session. */
export function watchPresence(turn: Turn, session: Session): void {
  const { connectorId } = session;
  const stay = turn.state.presence.stays.get(connectorId);
  if (stay === undefined) return;
  if (stay.trial !== undefined && whyNot(turn.state, session, stay, turn.now) !== undefined)
    endTrial(turn, session, stay, 'nothing');
  if (isPlugged(session.state)) return;
  for (const vehicleId of [...stay.candidates]) {
    leaveCandidates(turn.state, vehicleId, connectorId);
    watchNoMore(turn, vehicleId);
  }
  turn.state.presence.stays.delete(connectorId);
}

/** Of the pile's own meter, while a proof goes on. */
export function noteMeterReading({ presence }: State, { connectorId, powerMw }: Session, now: Now): void {
  const trial = presence.stays.get(connectorId)?.trial;
  if (trial !== undefined && powerMw !== undefined) note(trial, trial.meter, powerMw, now);
}

function maybeBegin(turn: Turn, connectorId: ConnectorId, stay: PresenceStay): void {
  const { state, now } = turn;
  const session = state.sessions.get(connectorId);
  if (
    session === undefined ||
    stay.trials >= PRESENCE_TRIALS_PER_STAY_MAX ||
    stay.restUntilMonoMs > now.monoMs
  )
    return;
  const capMw = capFor(state, session, now);
  if (capMw === undefined || !capsSeenToWork(state, connectorId)) return;
  if (whyNot(state, session, stay, now) !== undefined) return;
  state.presence.drawn += 1;
  stay.trials += 1;
  const candidates = [...stay.candidates];
  stay.trial = beginTrial(state.settings.secretKey, state.presence.drawn, capMw, candidates, now);
  for (const vehicleId of candidates) watch(turn, vehicleId, REPORT_EVERY_MS, TRIAL_MS + SLOT_MS);
  log(turn, 'info', 'a co-presence proof begins', { connectorId, candidates: candidates.length, capMw });
  applySlot(turn, connectorId, stay.trial);
}

/** What it is held down to; undefined where that would show nothing. */
function capFor({ settings }: State, { powerMw, powerMonoMs }: Session, now: Now): number | undefined {
  if (powerMw === undefined || powerMonoMs === undefined || now.monoMs - powerMonoMs > POWER_FRESH_MS)
    return undefined;
  const capMw = Math.max(settings.power.capMinMw, Math.round((powerMw * HELD_DOWN_MILLIS) / 1000));
  return powerMw * 1000 >= capMw * ABOVE_CAP_MILLIS ? capMw : undefined;
}

/** Why no proof may be begun there, or go on. */
export function whyNot(state: State, session: Session, stay: PresenceStay, now: Now): string | undefined {
  if (!provesPresence(state)) return 'off';
  if (session.state !== 'charging' || session.disputed === true || !isVerified(session, now))
    return 'session';
  if (session.identity !== undefined && session.identity.assurance !== 'claimed') return 'known';
  if (stay.candidates.size === 0) return 'nobody';
  const cap = state.caps.get(session.connectorId);
  if (cap !== undefined && [...cap.wants.keys()].some((by) => by !== 'presence')) return 'capped';
  return isHurried(session, stay.trial, now) ? 'ready_by' : undefined;
}

/** A departure without an estimate of the charge leaves no room to try. */
function isHurried(
  { departureMonoMs, estimatedFullMonoMs }: Session,
  trial: PresenceTrial | undefined,
  now: Now,
): boolean {
  if (departureMonoMs === undefined) return false;
  if (estimatedFullMonoMs === undefined) return true;
  const trialMs = trial === undefined ? TRIAL_MS : trial.startedMonoMs + TRIAL_MS - now.monoMs;
  const needMs = Math.max(0, estimatedFullMonoMs - now.monoMs) + trialMs;
  return needMs * MARGIN_MILLIS > (departureMonoMs - now.monoMs) * 1000;
}

export function applySlot(turn: Turn, connectorId: ConnectorId, trial: PresenceTrial): void {
  const slot = slotAt(trial, turn.now);
  const endsMonoMs = trial.startedMonoMs + (slot + 1) * SLOT_MS;
  turn.state.timers.set(`presence:${connectorId}`, endsMonoMs);
  if (trial.pattern[slot] !== true) return dropCap(turn, connectorId, 'presence');
  wantCap(turn, connectorId, 'presence', {
    powerMw: trial.capMw,
    forMs: endsMonoMs - turn.now.monoMs + SLOT_MS,
  });
}

export function endTrial(turn: Turn, session: Session, stay: PresenceStay, verdict: PresenceVerdict): void {
  const { connectorId } = session;
  stay.trial = undefined;
  stay.restUntilMonoMs = turn.now.monoMs + REST_MS;
  turn.state.timers.clear(`presence:${connectorId}`);
  dropCap(turn, connectorId, 'presence');
  log(turn, 'info', 'a co-presence proof ended', { connectorId, verdict });
  const isOver = verdict === 'present' || stay.trials >= PRESENCE_TRIALS_PER_STAY_MAX;
  for (const vehicleId of stay.candidates)
    if (isOver) watchNoMore(turn, vehicleId);
    else watch(turn, vehicleId, REPORT_SELDOM_MS, REST_MS + TRIAL_MS);
}

function watchNoMore(turn: Turn, vehicleId: VehicleId): void {
  watch(turn, vehicleId, 0, 0);
}

function watch(turn: Turn, vehicleId: VehicleId, everyMs: number, forMs: number): void {
  const clientId = turn.state.donors.get(vehicleId)?.clientId;
  if (clientId !== undefined) send(turn, clientId, { kind: 'watchPower', everyMs, forMs });
}
