/**
 * Caps on the power of connectors. A cap always expires at the station by itself; while somebody wants it, it is renewed at half of
 * that time, and cleared when nobody does. Of several who want one, the lowest holds.
 *
 *   nobody ──► asked ──► set (renewed) ──► nobody            refused, or no answer: asked again, ever more seldom
 *
 * What the operator wants is on disk before he is told, and outlives a restart, since he said for how long. What the agent wants
 * for itself (a proof of presence) belongs to a conversation that a restart ends: it is dropped, and the station forgets it.
 */
import type { ControlOutcome } from '@plugpool/firmware-bridge';
import type { ConnectorId, Now } from '@plugpool/proto';
import { CAP_RETRY_MS_MAX, CAP_WANTED_MS_MAX, CAPPED_CONNECTORS_MAX } from '../limits.ts';
import type { State } from '../state.ts';
import { log, write, type Turn } from '../turn.ts';
import { unwatchCap, watchCap } from './cap-evidence.ts';

/** Who wants a cap: each has one a connector. */
export type CapWanter = 'operator' | 'presence';

export interface CapWant {
  readonly powerMw: number;
  readonly untilMonoMs: number;
  readonly untilWallMs: number;
}

/** What the station said of it last. */
export type CapAnswer = 'asked' | 'set' | Extract<ControlOutcome, { ok: false }>['code'];

export interface Cap {
  readonly wants: Map<CapWanter, CapWant>;
  /** What the station was told; absent: nothing that it could still remember. */
  toldMw?: number;
  answer: CapAnswer;
  /** Tries in a row that came to nothing. */
  failures: number;
}

/** A cap that is over before it is set is none. */
const FOR_MS_MIN = 1_000;

export const CAPS_NAME = 'caps';

/** False where there is no room for one more connector. The caller knows that caps are on and that it is no lower than allowed. */
export function wantCap(
  turn: Turn,
  connectorId: ConnectorId,
  by: CapWanter,
  { powerMw, forMs }: { readonly powerMw: number; readonly forMs: number },
): boolean {
  const { state, now } = turn;
  let cap = state.caps.get(connectorId);
  if (cap === undefined && state.caps.size >= CAPPED_CONNECTORS_MAX) return false;
  if (cap === undefined) state.caps.set(connectorId, (cap = nobodyWants()));
  const untilWallMs = Math.round(now.wallMs + forMs);
  cap.wants.set(by, { powerMw: Math.round(powerMw), untilMonoMs: now.monoMs + forMs, untilWallMs });
  if (by === 'operator') keepCaps(turn);
  tell(turn, connectorId, cap);
  return true;
}

export function dropCap(turn: Turn, connectorId: ConnectorId, by: CapWanter): void {
  const cap = turn.state.caps.get(connectorId);
  if (cap === undefined || !cap.wants.delete(by)) return;
  if (by === 'operator') keepCaps(turn);
  tell(turn, connectorId, cap);
}

function nobodyWants(): Cap {
  return { wants: new Map(), answer: 'asked', failures: 0 };
}

/** What the station says that it keeps to for the operator; undefined: nothing. A proof of presence caps for moments: they tell nothing. */
export function heldCapMw({ caps }: State, connectorId: ConnectorId): number | undefined {
  const cap = caps.get(connectorId);
  return cap?.answer === 'set' ? cap.wants.get('operator')?.powerMw : undefined;
}

/** Of those that are wanted now. */
export function lowestWant({ wants }: Cap, now: Now): CapWant | undefined {
  let lowest: CapWant | undefined;
  for (const want of wants.values())
    if (isWanted(want, now) && (lowest === undefined || want.powerMw < lowest.powerMw)) lowest = want;
  return lowest;
}

function isWanted({ untilMonoMs }: CapWant, now: Now): boolean {
  return untilMonoMs > now.monoMs;
}

/** Half of what it was told to last is over, somebody's time is, or a try came to nothing a while ago. */
export function onCapDue(turn: Turn, connectorId: ConnectorId): void {
  const cap = turn.state.caps.get(connectorId);
  if (cap === undefined) return;
  let isOver = false;
  for (const [by, want] of cap.wants)
    if (!isWanted(want, turn.now)) {
      cap.wants.delete(by);
      if (by === 'operator') isOver = true;
    }
  if (isOver) keepCaps(turn);
  tell(turn, connectorId, cap);
}

function tell(turn: Turn, connectorId: ConnectorId, cap: Cap): void {
  const { state, now } = turn;
  const lowest = lowestWant(cap, now);
  if (lowest === undefined) return tellNone(turn, connectorId, cap);
  const { powerMw } = lowest;
  const leftMs = Math.max(FOR_MS_MIN, Math.round(lowest.untilMonoMs - now.monoMs));
  const forMs = Math.min(state.settings.power.capForMs, leftMs);
  if (cap.toldMw !== powerMw) cap.answer = 'asked';
  cap.toldMw = powerMw;
  turn.effects.controls.push({ kind: 'setCap', connectorId, powerMw, forMs });
  tellAgainLater(turn, connectorId, cap);
}

function tellAgainLater({ state, now }: Turn, connectorId: ConnectorId, { wants, failures }: Cap): void {
  const renewMs = (state.settings.power.capForMs / 2) * 2 ** Math.min(16, Math.max(0, failures - 1));
  const ends = [...wants.values()].map(({ untilMonoMs }) => untilMonoMs);
  const dueMonoMs = Math.min(now.monoMs + Math.min(CAP_RETRY_MS_MAX, renewMs), ...ends);
  state.timers.set(`cap:${connectorId}`, dueMonoMs);
}

function tellNone(turn: Turn, connectorId: ConnectorId, cap: Cap): void {
  turn.state.timers.clear(`cap:${connectorId}`);
  turn.state.caps.delete(connectorId);
  unwatchCap(turn.state, connectorId);
  if (cap.toldMw !== undefined) turn.effects.controls.push({ kind: 'clearCap', connectorId });
}

/** Stations forget a cap with its transaction, and some know none before it: it is told as soon as somebody charges. */
export function tellCapAnew(turn: Turn, connectorId: ConnectorId): void {
  const cap = turn.state.caps.get(connectorId);
  if (cap === undefined) return;
  cap.failures = 0;
  cap.answer = 'asked';
  tell(turn, connectorId, cap);
}

export function onCapOutcome(turn: Turn, connectorId: ConnectorId, outcome: ControlOutcome): void {
  const { state, now } = turn;
  const cap = state.caps.get(connectorId);
  if (cap === undefined) return;
  const before = cap.answer;
  cap.answer = outcome.ok ? 'set' : outcome.code;
  cap.failures = outcome.ok ? 0 : cap.failures + 1;
  if (outcome.ok && before !== 'set' && cap.toldMw !== undefined)
    watchCap(state, connectorId, cap.toldMw, now);
  if (before !== cap.answer)
    log(turn, outcome.ok ? 'info' : 'warn', 'cap', {
      connectorId,
      powerMw: cap.toldMw,
      answer: cap.answer,
      ...(outcome.ok ? {} : { detail: outcome.message }),
    });
  if (!outcome.ok) tellAgainLater(turn, connectorId, cap);
}

/** By wall time: it counts while the agent is away too. */
function keepCaps(turn: Turn): void {
  const value: StoredCap[] = [];
  for (const [connectorId, { wants }] of turn.state.caps) {
    const want = wants.get('operator');
    if (want !== undefined) value.push({ connectorId, powerMw: want.powerMw, untilWallMs: want.untilWallMs });
  }
  write(turn, { change: 'putLearned', name: CAPS_NAME, value });
}

interface StoredCap {
  readonly connectorId: string;
  readonly powerMw: number;
  readonly untilWallMs: number;
}

/** False where it is damaged. What is over stays long enough to be cleared; with caps off nothing is wanted any more. */
export function loadCaps(state: State, value: unknown, now: Now): boolean {
  if (value === undefined || value === null || !state.settings.power.caps) return true;
  if (!Array.isArray(value) || !value.every(isStored)) return false;
  for (const { connectorId, powerMw, untilWallMs } of value.slice(0, CAPPED_CONNECTORS_MAX)) {
    const cap = nobodyWants();
    // A clock that was set back meanwhile makes it last no longer than an operator may ask for.
    const leftMs = Math.min(CAP_WANTED_MS_MAX, untilWallMs - now.wallMs);
    cap.wants.set('operator', { powerMw, untilMonoMs: now.monoMs + leftMs, untilWallMs });
    cap.toldMw = powerMw;
    state.caps.set(connectorId as ConnectorId, cap);
    state.timers.set(`cap:${connectorId as ConnectorId}`, now.monoMs);
  }
  return true;
}

function isStored(one: unknown): one is StoredCap {
  const { connectorId, powerMw, untilWallMs } = (one ?? {}) as Partial<StoredCap>;
  return (
    typeof connectorId === 'string' && Number.isSafeInteger(powerMw) && Number.isSafeInteger(untilWallMs)
  );
}

/** After a commit that failed: what the disk does not want any more and the station may still know is cleared. */
export function carryCaps(state: State, before: State, now: Now): void {
  for (const [connectorId, { toldMw }] of before.caps) {
    if (toldMw === undefined || state.caps.has(connectorId)) continue;
    state.caps.set(connectorId, { ...nobodyWants(), toldMw });
    state.timers.set(`cap:${connectorId}`, now.monoMs);
  }
  for (const [connectorId, evidence] of before.capEvidence) state.capEvidence.set(connectorId, evidence);
}
