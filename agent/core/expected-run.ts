/** How long a run takes on a donor: its work, by the donor's speed and the cores that the demand takes. Pure. */
import type { Demand } from '@plugpool/proto';
import type { Way } from './need.ts';
import type { Donor, State } from './state.ts';

export interface RunTime {
  readonly medianMs: number;
  /** Equally likely each. */
  readonly quantilesMs: readonly number[];
}

export function speedMillisOf(donor: Donor | undefined): number {
  return donor?.hardware?.speedMillis ?? 1000;
}

/** CPU time of that much work on a core of that speed. */
export function cpuMsFor(workMncs: number, speedMillis: number): number {
  return (workMncs * 1000) / Math.max(1, speedMillis);
}

/** Wall time of that much work on the cores that the demand takes. */
export function wallMsFor(workMncs: number, demand: Demand, speedMillis: number): number {
  const cores = Math.max(0.01, demand.cpuMillicores / 1000);
  return cpuMsFor(workMncs, speedMillis) / Math.min(cores, Math.max(1, demand.threads));
}

export function runTimeOf(_state: State, way: Way, donor: Donor): RunTime {
  const medianMs = wallMsFor(way.workMncs, way.demand, speedMillisOf(donor));
  return { medianMs, quantilesMs: [medianMs] };
}
