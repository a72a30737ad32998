/**
 * Codes on the pile's display. Whoever repeats the one of a connector stands there, or was told by somebody who does.
 *
 *   plugged, nobody known as surely ──► shown ──► given ──► bound
 *                                         └─ too many wrong ones ──► paused ──► shown        unplugged: forgotten
 *
 * A code is of one stay, and another one after a lost link or a fault: another vehicle may stand there then. It comes from a key
 * that is made at each start and known to nobody, and not from the generator of the state, of which vehicles see traces.
 *
 * How likely a guess is right: in one stay at most `WRONG_CODES_PER_STAY_MAX` wrong codes are looked at, whoever gives them, so that
 * all guessing together hits with 10⁻⁴ at most. A code without a connector is looked at, and counts, at each of them. One vehicle gives
 * at most 40 wrong codes a day: where 20 connectors show one all day long, it hits in a day with 40 · 20 · 10⁻⁶ = 8·10⁻⁴ at most.
 */
import type { ConnectorId, Now, VehicleId } from '@plugpool/proto';
import { keyedBlock } from '../keyed-block.ts';
import { CODE_TRIERS_MAX, WRONG_CODES_PER_STAY_MAX } from '../limits.ts';
import { isPlugged, type Session } from '../sessions/session.ts';
import { isCutOff } from '../sessions/sources.ts';
import type { State } from '../state.ts';
import type { Turn } from '../turn.ts';
import { isWeaker } from './assurance.ts';

export interface StayCode {
  /** Absent while none is wanted. */
  code: string | undefined;
  /** The last that was given rightly, until another one is shown. */
  given: string | undefined;
  /** Since the last pause, and in the whole stay. */
  wrong: number;
  wrongInStay: number;
  pauses: number;
  pausedUntilMonoMs: number;
}

export interface Codes {
  readonly of: Map<ConnectorId, StayCode>;
  /** Vehicles that gave a wrong one, the one that did so last at the end. */
  readonly triers: Map<VehicleId, Trier>;
  /** So many were drawn under this key. */
  drawn: number;
}

interface Trier {
  readonly wrong: number;
  /** The first of them. */
  readonly sinceMonoMs: number;
  readonly pausedUntilMonoMs: number;
}

const WRONG_CODES_PER_PAUSE = 5;
const PAUSE_MIN_MS = 60_000;
const PAUSE_MAX_MS = 3_600_000;
/**
 * Of one vehicle, at all connectors together: after so many it pauses, twice as long each time, until a day after the first is forgotten.
 * So in a day it gives 40 at most: 5 at once and after 10, 30, 70, 150, 310, 630 and 1270 min.
 */
const WRONG_CODES_PER_VEHICLE_PAUSE = 5;
const VEHICLE_PAUSE_MIN_MS = 600_000;
const VEHICLE_FORGIVEN_MS = 86_400_000;

const CODES = 1_000_000;
const CODE_DIGITS = 6;
/** Displays forget, and stations restart: said again so often. */
const SHOWN_FOR_MS = 600_000;
/** Most who plug in are known by something else a moment later. */
const SHOWN_AFTER_MS = 5_000;

export function noCodes(): Codes {
  return { of: new Map(), triers: new Map(), drawn: 0 };
}

/** After each change of a session: whether a code is shown there. */
export function watchCode(turn: Turn, session: Session): void {
  const { codes } = turn.state;
  const { connectorId } = session;
  const stay = codes.of.get(connectorId);
  if (!isPlugged(session.state)) return forgetStay(turn, connectorId);
  if (!isWanted(turn.state, session)) {
    if (stay !== undefined) withdraw(turn, connectorId, stay);
    return;
  }
  const open = stay ?? newStay();
  codes.of.set(connectorId, open);
  if (open.code !== undefined) return;
  open.given = undefined;
  open.code = drawCode(turn.state);
  turn.state.timers.set(`code:${connectorId}`, turn.now.monoMs + SHOWN_AFTER_MS);
}

function newStay(): StayCode {
  return { code: undefined, given: undefined, wrong: 0, wrongInStay: 0, pauses: 0, pausedUntilMonoMs: 0 };
}

/** It says something new there, and something that the operator believes. */
function isWanted({ settings }: State, { state, sources, disputed, identity }: Session): boolean {
  if (!settings.plugCodes || isWeaker('code', settings.identityAssurance)) return false;
  if (isCutOff(sources) || state === 'faulted' || disputed === true) return false;
  return identity === undefined || isWeaker(identity.assurance, 'code');
}

function withdraw(turn: Turn, connectorId: ConnectorId, stay: StayCode): void {
  stay.code = undefined;
  turn.state.timers.clear(`code:${connectorId}`);
}

function forgetStay(turn: Turn, connectorId: ConnectorId): void {
  if (turn.state.codes.of.delete(connectorId)) turn.state.timers.clear(`code:${connectorId}`);
}

/** Another one than those that are shown elsewhere: a code without a connector names one. */
function drawCode({ codes, settings }: State): string {
  for (;;) {
    codes.drawn += 1;
    const code = codeOf(settings.secretKey, codes.drawn);
    if (![...codes.of.values()].some((stay) => stay.code === code || stay.given === code)) return code;
  }
}

/** Two words, so that no code is more likely than another by more than 10⁻¹³. */
function codeOf(key: readonly number[], nth: number): string {
  const [high = 0, low = 0] = keyedBlock(key, `code ${nth}`);
  return String(((high % CODES) * (2 ** 32 % CODES) + low) % CODES).padStart(CODE_DIGITS, '0');
}

/** On the display, where the station has one that we may write to; `plugpool connectors` has it for every other. */
export function showCode(turn: Turn, connectorId: ConnectorId): void {
  const code = turn.state.codes.of.get(connectorId)?.code;
  if (code === undefined) return;
  turn.effects.controls.push({
    kind: 'showText',
    connectorId,
    text: `Plugpool: ${code}`,
    forMs: SHOWN_FOR_MS,
  });
  turn.state.timers.set(`code:${connectorId}`, turn.now.monoMs + SHOWN_FOR_MS);
}

export type CodeVerdict = 'right' | 'wrong' | 'paused' | 'spent';

/** Looks at one code at one connector; a wrong one is counted there. */
export function tryCode(stay: StayCode, code: string, now: Now): CodeVerdict {
  if (stay.wrongInStay >= WRONG_CODES_PER_STAY_MAX) return 'spent';
  if (stay.pausedUntilMonoMs > now.monoMs) return 'paused';
  if (stay.code === code) return 'right';
  stay.wrong += 1;
  stay.wrongInStay += 1;
  if (stay.wrong >= WRONG_CODES_PER_PAUSE) {
    stay.wrong = 0;
    stay.pausedUntilMonoMs = now.monoMs + Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** stay.pauses);
    stay.pauses += 1;
  }
  return 'wrong';
}

/** How long until this vehicle may give a code again; undefined: it may now. */
export function heldBackMs({ triers }: Codes, vehicleId: VehicleId, now: Now): number | undefined {
  const trier = triers.get(vehicleId);
  if (trier === undefined) return undefined;
  const forgivenMonoMs = trier.sinceMonoMs + VEHICLE_FORGIVEN_MS;
  if (forgivenMonoMs <= now.monoMs) triers.delete(vehicleId);
  const leftMs = Math.min(trier.pausedUntilMonoMs, forgivenMonoMs) - now.monoMs;
  return leftMs > 0 ? leftMs : undefined;
}

export function noteWrong({ triers }: Codes, vehicleId: VehicleId, now: Now): void {
  const before = triers.get(vehicleId);
  const wrong = (before?.wrong ?? 0) + 1;
  triers.delete(vehicleId);
  triers.set(vehicleId, {
    wrong,
    sinceMonoMs: before?.sinceMonoMs ?? now.monoMs,
    pausedUntilMonoMs: now.monoMs + pauseAfterMs(wrong),
  });
  for (const oldest of triers.keys()) {
    if (triers.size <= CODE_TRIERS_MAX) return;
    triers.delete(oldest);
  }
}

function pauseAfterMs(wrong: number): number {
  if (wrong % WRONG_CODES_PER_VEHICLE_PAUSE !== 0) return 0;
  return VEHICLE_PAUSE_MIN_MS * 2 ** (wrong / WRONG_CODES_PER_VEHICLE_PAUSE - 1);
}
