/**
 * Whether a vehicle would be full when its driver leaves if it computes meanwhile (law 9), as far as the firmware tells: what the
 * processors take does not reach the battery, nor does what a cap holds back. Without power, departure or the vehicle's own estimate
 * nothing can be said here; then the vehicle's own policy alone protects its driver. Pure.
 */
import type { Capacity, Now } from '@plugpool/proto';
import { capacityMw } from '../power/draw.ts';
import type { Session } from '../sessions/session.ts';
import type { Settings } from '../settings.ts';

/** Time to spare, in thousandths of what is needed: where it is less, nothing is lent … */
const MARGIN_MILLIS = 1_100;
/** … until it is this again, so that an estimate that trembles turns nothing on and off. */
const CLEAR_MILLIS = 1_250;

export interface Charge {
  readonly session: Session;
  /** What it lends. */
  readonly lendable: Capacity;
  /** What the station keeps its connector to, where it does. */
  readonly capMw: number | undefined;
  /** What was said of it before. */
  readonly wasBehind: boolean;
}

export function isBehind(settings: Settings, charge: Charge, now: Now): boolean {
  const { state, departureMonoMs } = charge.session;
  // One that has stopped drawing has what it wants.
  if (state !== 'charging' || departureMonoMs === undefined) return false;
  const needMs = chargingMs(settings, charge, now);
  const haveMs = departureMonoMs - now.monoMs;
  if (needMs === undefined || needMs <= 0 || haveMs <= 0) return false;
  return needMs * (charge.wasBehind ? CLEAR_MILLIS : MARGIN_MILLIS) > haveMs * 1000;
}

/** How long the rest of the charge takes while all that is lent computes. */
function chargingMs(settings: Settings, { session, lendable, capMw }: Charge, now: Now): number | undefined {
  const { estimatedFullMonoMs, powerMw } = session;
  if (estimatedFullMonoMs === undefined) return undefined;
  const aloneMs = estimatedFullMonoMs - now.monoMs;
  if (powerMw === undefined || (capMw === undefined && aloneMs <= 0)) return aloneMs;
  const leftMwMs = capMw === undefined ? aloneMs * powerMw : leftSinceMwMs(session, powerMw, now);
  const netMw = Math.min(powerMw, capMw ?? Infinity) - capacityMw(settings, lendable);
  return netMw <= 0 ? Infinity : leftMwMs / netMw;
}

/**
 * What the battery still wanted when the estimate was made, at the power of then, less what flowed since: under a cap the estimate is
 * of more power than there is.
 */
function leftSinceMwMs({ estimatedFullMonoMs = 0, estimated }: Session, powerMw: number, now: Now): number {
  const { monoMs, powerMw: thenMw = powerMw } = estimated ?? { monoMs: now.monoMs };
  const wantedMwMs = (estimatedFullMonoMs - monoMs) * thenMw;
  return Math.max(0, wantedMwMs - (now.monoMs - monoMs) * powerMw);
}
