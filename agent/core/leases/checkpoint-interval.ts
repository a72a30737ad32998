/**
 * How often a run keeps its state, and how long it has for the last time. It loses only what it did since, so a checkpoint is
 * worth its cost the more often, the likelier its donor leaves without another. Pure.
 */
import type { Way } from '../waiting/need.ts';
import type { Settings } from '../settings.ts';
import type { AlgorithmRecord } from '../records.ts';
import type { Donor, Lease } from '../state.ts';
import type { Turn } from '../turn.ts';

const EVERY_MIN_MS = 30_000;
const EVERY_MAX_MS = 1_800_000;

/**
 * The interval that loses least: √(2 · cost ÷ rate of losses), after J. W. Young, "A first order approximation to the optimum
 * checkpoint interval", Communications of the ACM 17(9), 1974.
 */
export function checkpointEveryMs(
  settings: Settings,
  way: Way,
  { stay }: Donor,
  monoMs: number,
): number | undefined {
  if (!way.checkpoints) return undefined;
  const hazardPerMs = stay.residual.hazardPerMs(monoMs - stay.reviewedMonoMs);
  const lossesPerMs = (hazardPerMs * settings.graceFailsMillis) / 1000;
  if (!(lossesPerMs > 0)) return EVERY_MAX_MS;
  const everyMs = Math.sqrt((2 * settings.checkpointCostMs) / lossesPerMs);
  return Math.round(Math.min(EVERY_MAX_MS, Math.max(EVERY_MIN_MS, everyMs)));
}

/** What the pile is told of a departure it cannot hold anybody to, but it can have the state kept before. */
export function shouldKeepState({ state, now }: Turn, lease: Lease): boolean {
  if (lease.checkpointEveryMs === undefined || lease.phase === 'revoking') return false;
  const departureMonoMs = state.donors.get(lease.vehicleId)?.departureMonoMs;
  return departureMonoMs !== undefined && departureMonoMs - now.monoMs <= state.settings.checkpointBeforeMs;
}

/** Of a lease that was held before a restart: what its donor was told is not known any more, only that it keeps its state. */
export function everyMsAfterRestart(
  settings: Settings,
  { checkpoints }: AlgorithmRecord,
): Pick<Lease, 'checkpointEveryMs'> {
  return settings.checkpoints && checkpoints === true ? { checkpointEveryMs: EVERY_MAX_MS } : {};
}

/** How long a donor that is told to stop may take. */
export function graceMsOf(settings: Settings, lease: Lease): number {
  return lease.checkpointEveryMs === undefined ? settings.revokeGraceMs : settings.checkpointGraceMs;
}
