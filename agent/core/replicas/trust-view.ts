/** Whose results are believed, as an operator sees it. */
import type { Now, VehicleId } from '@plugpool/proto';
import type { State } from '../state.ts';
import type { TrustView } from './trust-book.ts';

export interface VehicleTrustView {
  readonly vehicleId: VehicleId;
  /** How often its results were outvoted, of late: each counts half after the half-life. */
  readonly outvoted: number;
  readonly algorithms: readonly TrustView[];
}

/** Of each vehicle of which anything is known. */
export function trustView({ trust }: State, now: Now): VehicleTrustView[] {
  return [...trust.vehicles()].sort().map((vehicleId) => ({
    vehicleId,
    outvoted: outvotedOf(trust.outvoted(vehicleId, now)),
    algorithms: trust.view(vehicleId, now),
  }));
}

/** As `plugpool vehicles` shows it. */
export interface TrustSummary {
  /** Algorithms of which its results are believed alone, of those that it was tried with. */
  readonly believed: number;
  readonly tried: number;
  readonly outvoted: number;
}

export function trustSummary({ trust }: State, vehicleId: VehicleId, now: Now): TrustSummary {
  const algorithms = trust.view(vehicleId, now);
  return {
    believed: algorithms.filter(({ state }) => state === 'believed').length,
    tried: algorithms.length,
    outvoted: outvotedOf(trust.outvoted(vehicleId, now)),
  };
}

function outvotedOf(weight: number): number {
  return Math.round(weight * 10) / 10;
}
