/**
 * A vehicle that is plugged in and out again and again: each time it is given work, and each time the work is lost. After short
 * stays in a row it is left in peace for a while, longer with each.
 */
import type { Donor, State } from '../state.ts';
import type { Now } from '@plugpool/proto';

/** A stay that is shorter was none. */
const SHORT_STAY_MS = 60_000;
/** A driver who plugs in a second time at once has only forgotten something. */
const SHORT_STAYS_FREE = 1;
const QUIET_MIN_MS = 5_000;
const QUIET_MAX_MS = 5 * 60_000;

export interface Restless {
  pluggedMonoMs: number;
  /** In a row. */
  shortStays: number;
  quietUntilMonoMs: number;
}

export function notePlugged(state: State, donor: Donor, now: Now): void {
  const { restless = { pluggedMonoMs: 0, shortStays: 0, quietUntilMonoMs: 0 } } = donor;
  donor.restless = restless;
  restless.pluggedMonoMs = now.monoMs;
  const beyond = restless.shortStays - SHORT_STAYS_FREE;
  if (beyond <= 0) return;
  restless.quietUntilMonoMs = now.monoMs + Math.min(QUIET_MAX_MS, QUIET_MIN_MS * 2 ** (beyond - 1));
  watchSettling(state, donor);
}

/** Wakes the agent when it may lend again; after a failed commit too, which drops every timer. */
export function watchSettling(state: State, { vehicleId, restless }: Donor): void {
  if (restless !== undefined && restless.quietUntilMonoMs > 0)
    state.timers.set(`settled:${vehicleId}`, restless.quietUntilMonoMs);
}

export function noteLeft(donor: Donor, now: Now): void {
  const { restless } = donor;
  if (restless === undefined) return;
  const isShort = now.monoMs - restless.pluggedMonoMs < SHORT_STAY_MS;
  restless.shortStays = isShort ? restless.shortStays + 1 : 0;
}

export function isSettling({ restless }: Donor, now: Now): boolean {
  return restless !== undefined && restless.quietUntilMonoMs > now.monoMs;
}
