/**
 * What the station may still give to computing, where the operator set a limit for all connectors together.
 *
 *   limit ≥ what the connectors draw (as their firmware reads) + computing that is in no reading yet + what is granted now
 *
 * What a vehicle computes it takes from its connector, so a reading holds it, once the run had begun before it. A connector of which
 * nobody knows what it draws is taken for the most that it can, and where that is not known either nothing new is granted at all.
 */
import type { Now } from '@plugpool/proto';
import type { Obstacle } from '../feasible/feasible.ts';
import { POWER_READING_MS_MAX } from '../limits.ts';
import { isPlugged, isVerified, type Session } from '../sessions/session.ts';
import { isCutOff } from '../sessions/sources.ts';
import type { Lease, State } from '../state.ts';
import type { Way } from '../waiting/need.ts';
import { capsSeenToWork } from './cap-evidence.ts';
import { heldCapMw } from './caps.ts';
import { demandMw } from './draw.ts';

export interface StationBudget {
  /** As it was last reckoned, without what was granted since. */
  drawnMw: number;
  /** Connectors of which nobody knows what they draw. */
  unknown: number;
  /** Planned or granted since. */
  addedMw: number;
  /** Above the limit, and not yet clearly below it again. */
  overSinceMonoMs: number | undefined;
}

/** A run that begins takes a moment until its vehicle draws more. */
const IN_READING_AFTER_MS = 10_000;
/** It was above the limit: until it is this far below it, in thousandths, nothing new is granted. */
const CLEAR_MILLIS = 950;

export function emptyBudget(): StationBudget {
  return { drawnMw: 0, unknown: 0, addedMw: 0, overSinceMonoMs: undefined };
}

/** Why the station has no power for a run; always undefined where there is no limit. */
export function stationObstacle(state: State, { demand }: Pick<Way, 'demand'>): Obstacle | undefined {
  const { settings, budget } = state;
  if (settings.power.stationLimitMw === undefined) return undefined;
  if (budget.unknown > 0) return { test: 'station_power_unknown', connectors: budget.unknown };
  const needMw = Math.round(demandMw(settings, demand));
  const haveMw = roomMw(state);
  return needMw <= haveMw ? undefined : { test: 'station_power', needMw, haveMw: Math.max(0, haveMw) };
}

/** What computing may take more; -Infinity where nobody knows what is drawn. */
export function roomMw({ settings, budget }: State): number {
  const { stationLimitMw = Infinity } = settings.power;
  if (budget.unknown > 0) return -Infinity;
  if (budget.overSinceMonoMs !== undefined) return 0;
  return Math.floor(stationLimitMw - budget.drawnMw - budget.addedMw);
}

/** Anew from what the firmware says and what runs. */
export function reckon(state: State, limitMw: number, now: Now): void {
  const { budget } = state;
  let [drawnMw, unknown] = [0, 0];
  for (const session of state.sessions.values()) {
    const mw = drawOf(state, session, now);
    if (mw === undefined) unknown += 1;
    else drawnMw += mw;
  }
  for (const donor of state.donors.values())
    for (const { lease } of donor.leased.values())
      if (lease !== undefined && !isInReading(state, lease, now))
        drawnMw += demandMw(state.settings, lease.demand);
  Object.assign(budget, { drawnMw, unknown, addedMw: 0 });
  if (unknown > 0) return;
  if (drawnMw > limitMw) budget.overSinceMonoMs ??= now.monoMs;
  else if (drawnMw * 1000 <= limitMw * CLEAR_MILLIS) budget.overSinceMonoMs = undefined;
}

/** Of one connector; undefined: nobody knows. */
function drawOf(state: State, session: Session, now: Now): number | undefined {
  if (hasFreshPower(session, now)) return session.powerMw;
  // Somebody may have plugged in since.
  if (isCutOff(session.sources)) return mostOf(state, session);
  if (!isPlugged(session.state)) return 0;
  // Nothing charges it; what it computes is reckoned apart.
  if (isVerified(session, now) && session.state !== 'charging') return 0;
  return mostOf(state, session);
}

export function hasFreshPower({ powerMw, powerMonoMs }: Session, now: Now): boolean {
  return (
    powerMw !== undefined && powerMonoMs !== undefined && now.monoMs - powerMonoMs <= POWER_READING_MS_MAX
  );
}

function mostOf(state: State, { connectorId }: Session): number | undefined {
  const { connectorMaxMw } = state.settings.power;
  const capMw = capsSeenToWork(state, connectorId) ? heldCapMw(state, connectorId) : undefined;
  if (capMw === undefined) return connectorMaxMw;
  return Math.min(capMw, connectorMaxMw ?? Infinity);
}

/** Where the most is assumed, what it computes is in it. */
function isInReading(state: State, { connectorId, grantedMonoMs }: Lease, now: Now): boolean {
  const session = state.sessions.get(connectorId);
  if (session === undefined) return false;
  if (hasFreshPower(session, now)) return (session.powerMonoMs ?? 0) - grantedMonoMs >= IN_READING_AFTER_MS;
  return session.state === 'charging' || !isVerified(session, now);
}

/** Null where there is no limit. */
export interface BudgetView {
  readonly limitMw: number;
  /** What is drawn, computing and all that was granted since in it, as far as it is known. */
  readonly drawnMw: number;
  /** Connectors of which nobody knows what they draw: while there is one, nothing new is granted. */
  readonly unknown: number;
  /** It was above the limit, and is not yet clearly below. */
  readonly over: boolean;
}

export function budgetView({ settings, budget }: State): BudgetView | null {
  const { stationLimitMw } = settings.power;
  if (stationLimitMw === undefined) return null;
  const { drawnMw, addedMw, unknown, overSinceMonoMs } = budget;
  return {
    limitMw: stationLimitMw,
    drawnMw: Math.round(drawnMw + addedMw),
    unknown,
    over: overSinceMonoMs !== undefined,
  };
}
