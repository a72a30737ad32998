/**
 * Whether caps are seen to work at a connector: the power of a charging vehicle that was above a new cap falls to it, or does not.
 * What was below the cap all along shows nothing, nor does a vehicle that stops drawing.
 */
import type { ConnectorId, Now } from '@plugpool/proto';
import type { Session } from '../sessions/session.ts';
import type { State } from '../state.ts';

export interface CapEvidence {
  /** Of the last cap that could show it. */
  readonly verdict: 'works' | 'ignored' | 'unknown';
  readonly verdictWallMs?: number;
  /** A cap that was just set while more flowed. */
  readonly watched?: { readonly capMw: number; readonly sinceMonoMs: number };
}

/** Stations hand a limit on within seconds, and report their meters each minute or so. */
const SEEN_WITHIN_MS = 180_000;
/** A reading soon after the cap may have been taken before it. */
const TOO_SOON_MS = 5_000;
/** Stations and cars are this coarse, in thousandths of the cap. */
const REACHED_MILLIS = 1_080;
/** Far below it is no cap that works but a vehicle that stops. */
const STOPPED_MILLIS = 500;

/** Whether the last cap that could show it was kept to. */
export function capsSeenToWork({ capEvidence }: State, connectorId: ConnectorId): boolean {
  return capEvidence.get(connectorId)?.verdict === 'works';
}

/** The station says that the cap holds. */
export function watchCap(state: State, connectorId: ConnectorId, capMw: number, now: Now): void {
  const session = state.sessions.get(connectorId);
  const { watched: _replaced, ...evidence } = state.capEvidence.get(connectorId) ?? {
    verdict: 'unknown' as const,
  };
  const isAbove = session?.state === 'charging' && isOver(session.powerMw ?? 0, capMw);
  state.capEvidence.set(
    connectorId,
    isAbove ? { ...evidence, watched: { capMw, sinceMonoMs: now.monoMs } } : evidence,
  );
}

/** Nobody wants it any more: what flows from now on says nothing of it. */
export function unwatchCap({ capEvidence }: State, connectorId: ConnectorId): void {
  const evidence = capEvidence.get(connectorId);
  if (evidence?.watched === undefined) return;
  const { watched: _over, ...rest } = evidence;
  capEvidence.set(connectorId, rest);
}

/** After each reading of its power. */
export function noteCapReading(
  state: State,
  { connectorId, state: charges, powerMw }: Session,
  now: Now,
): void {
  const evidence = state.capEvidence.get(connectorId);
  if (evidence?.watched === undefined || powerMw === undefined) return;
  const { watched, ...rest } = evidence;
  const forMs = now.monoMs - watched.sinceMonoMs;
  if (charges !== 'charging') return void state.capEvidence.set(connectorId, rest);
  if (forMs < TOO_SOON_MS) return;
  const verdict = verdictOf(powerMw, watched.capMw, forMs);
  if (verdict === 'waits') return;
  state.capEvidence.set(
    connectorId,
    verdict === 'nothing' ? rest : { verdict, verdictWallMs: Math.round(now.wallMs) },
  );
}

function verdictOf(powerMw: number, capMw: number, forMs: number): 'works' | 'ignored' | 'waits' | 'nothing' {
  if (!isOver(powerMw, capMw)) return powerMw * 1000 >= capMw * STOPPED_MILLIS ? 'works' : 'nothing';
  return forMs < SEEN_WITHIN_MS ? 'waits' : 'ignored';
}

function isOver(powerMw: number, capMw: number): boolean {
  return powerMw * 1000 > capMw * REACHED_MILLIS;
}
