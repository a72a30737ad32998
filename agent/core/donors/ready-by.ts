/**
 * Whether a vehicle would be full when its driver leaves if it computes meanwhile (law 9), as far as the firmware tells: what the
 * processors take does not reach the battery. Without power, departure or the vehicle's own estimate nothing can be said here;
 * then the vehicle's own policy alone protects its driver. Pure.
 */
import type { Capacity, Now } from '@plugpool/proto';
import type { Session } from '../sessions/session.ts';
import type { Settings } from '../settings.ts';

/** Time to spare, in thousandths of what is needed: where it is less, nothing is lent … */
const MARGIN_MILLIS = 1_100;
/** … until it is this again, so that an estimate that trembles turns nothing on and off. */
const CLEAR_MILLIS = 1_250;

/** `wasBehind`: what was said of it before. */
export function isBehind(
  settings: Settings,
  session: Session,
  lendable: Capacity,
  wasBehind: boolean,
  now: Now,
): boolean {
  const { state, estimatedFullMonoMs, departureMonoMs } = session;
  // One that has stopped drawing has what it wants.
  if (state !== 'charging' || estimatedFullMonoMs === undefined || departureMonoMs === undefined)
    return false;
  const needMs = chargingMsWith(settings, session, lendable, estimatedFullMonoMs - now.monoMs);
  const haveMs = departureMonoMs - now.monoMs;
  if (needMs <= 0 || haveMs <= 0) return false;
  return needMs * (wasBehind ? CLEAR_MILLIS : MARGIN_MILLIS) > haveMs * 1000;
}

/** How long the charge takes that takes `withoutMs` while nothing computes. */
function chargingMsWith(
  settings: Settings,
  { powerMw }: Session,
  lendable: Capacity,
  withoutMs: number,
): number {
  if (powerMw === undefined) return withoutMs;
  const leftMw = powerMw - computingMw(settings, lendable);
  return leftMw <= 0 ? Infinity : (withoutMs * powerMw) / leftMw;
}

/** All that is lent at work. */
function computingMw(settings: Settings, { cpuMillicores, gpus }: Capacity): number {
  const gpuMillis = gpus.reduce((sum, { shareMillis }) => sum + shareMillis, 0);
  const drawsMw = (cpuMillicores * settings.coreDrawsMw + gpuMillis * settings.gpuDrawsMw) / 1000;
  return Math.min(settings.computingPowerMaxMw, drawsMw);
}
