/** How long a run takes on a donor: its work, by the donor's speed and the cores that the demand takes. Pure. */
import type { Demand } from '@plugpool/proto';
import { algorithmKey } from '../algorithms/algorithm-key.ts';
import type { Way } from '../waiting/need.ts';
import type { RunTime } from '../learned/run-time.ts';
import type { Donor, Lease, State } from '../state.ts';

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

/** By the estimate, and by how estimates of that program and runs of its class on that donor have held. */
export function runTimeOf(state: State, way: Way, donor: Donor): RunTime {
  const estimateMs = wallMsFor(way.workMncs, way.demand, speedMillisOf(donor));
  const slowness = state.health.slowness(donor.vehicleId, way.class);
  const quantilesMs = state.runTimes.settledRatios(way.key).map((ratio) => ratio * estimateMs * slowness);
  return { medianMs: quantilesMs[2] ?? estimateMs, quantilesMs };
}

/** The shortest that a run of that way may take on a core of that speed, of the five points that are reckoned with. */
export function shortestRunMs(
  state: State,
  way: Pick<Way, 'key' | 'workMncs' | 'demand'>,
  speedMillis: number,
): number {
  const [shortest = 1] = state.runTimes.settledRatios(way.key);
  return shortest * wallMsFor(way.workMncs, way.demand, speedMillis);
}

/** The median on a core of that speed, of which nothing else is known. */
export function runTimeAt(state: State, way: Way, speedMillis: number): number {
  const [, , median = 1] = state.runTimes.settledRatios(way.key);
  return median * wallMsFor(way.workMncs, way.demand, speedMillis);
}

/** The median of a run that was granted, from its start. */
export function expectedLeaseMs(state: State, lease: Lease, donor: Donor): number {
  const { algorithm, demand, workMncs, pool } = lease;
  const [, , median = 1] = state.runTimes.settledRatios(algorithmKey(algorithm.id, algorithm.version));
  const slowness = state.health.slowness(donor.vehicleId, pool);
  return median * slowness * wallMsFor(workMncs, demand, speedMillisOf(donor));
}

/** Until the program runs there: its image may have to be fetched first. */
export function transferMsOf(state: State, { algorithm }: Way, donor: Donor): number {
  if (donor.cachedImages.has(algorithm.image.digest)) return 0;
  return algorithm.image.sizeBytes / state.settings.transferBytesPerMs;
}
