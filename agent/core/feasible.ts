/** Whether an instance may run on a donor, with what program and where on it; and if not, every reason. Pure. */
import type { Demand, Now } from '@plugpool/proto';
import { fit, type Placement, type ShortOf } from './capacity.ts';
import { whyNotEligible, type Ineligible } from './donor.ts';
import { expectedRunMs } from './offer.ts';
import type { AlgorithmRecord } from './records.ts';
import type { Donor, Instance, State } from './state.ts';

/** A way to run an instance on a donor. */
export interface Choice {
  readonly algorithm: AlgorithmRecord;
  readonly placement: Placement;
  /** 0: the algorithm's preferred demand. */
  readonly alternative: number;
  readonly runMs: number;
  readonly imageCached: boolean;
}

/** Why not; the closed list. */
export type Obstacle =
  | { readonly test: Ineligible }
  | { readonly test: 'own_request' }
  | { readonly test: 'resting'; readonly forMs: number }
  | { readonly test: 'algorithm_not_allowed'; readonly algorithm: string }
  | { readonly test: 'runtime_missing'; readonly runtime: string }
  | { readonly test: 'leaving_too_soon'; readonly needMs: number; readonly haveMs: number }
  | { readonly test: ShortOf['what']; readonly need: number | string; readonly have: number | string };

/** What forbids every choice alike, whatever the program. */
export function donorObstacle(
  state: State,
  instance: Instance,
  donor: Donor,
  now: Now,
): Obstacle | undefined {
  const ineligible = whyNotEligible(state, donor, now);
  return ineligible === undefined ? pairObstacle(instance, donor, now) : { test: ineligible };
}

/** What forbids this instance on a donor that is eligible. */
export function pairObstacle(instance: Instance, donor: Donor, now: Now): Obstacle | undefined {
  if (donor.vehicleId === instance.task.record.vehicleId) return { test: 'own_request' };
  const restUntilMs = instance.avoided.get(donor.vehicleId);
  if (restUntilMs !== undefined && restUntilMs > now.monoMs)
    return { test: 'resting', forMs: Math.round(restUntilMs - now.monoMs) };
  return undefined;
}

/** The best way to run `algorithms` there, or undefined. */
export function choose(
  algorithms: readonly AlgorithmRecord[],
  donor: Donor,
  now: Now,
  obstacles?: Obstacle[],
): Choice | undefined {
  let best: Choice | undefined;
  for (const algorithm of algorithms) {
    const obstacle = programObstacle(algorithm, donor);
    if (obstacle !== undefined) {
      obstacles?.push(obstacle);
      continue;
    }
    for (let alternative = 0; alternative < algorithm.demands.length; alternative++) {
      const choice = tryAlternative(algorithm, alternative, donor, now, obstacles);
      if (choice !== undefined && (best === undefined || isBetter(choice, best))) best = choice;
    }
  }
  return best;
}

function programObstacle(algorithm: AlgorithmRecord, donor: Donor): Obstacle | undefined {
  if (!donor.runtimes.includes(algorithm.runtime))
    return { test: 'runtime_missing', runtime: algorithm.runtime };
  const allowed = donor.report?.allowedAlgorithms ?? [];
  if (allowed.length > 0 && !allowed.includes(algorithm.id))
    return { test: 'algorithm_not_allowed', algorithm: algorithm.id };
  return undefined;
}

function tryAlternative(
  algorithm: AlgorithmRecord,
  alternative: number,
  donor: Donor,
  now: Now,
  obstacles: Obstacle[] | undefined,
): Choice | undefined {
  const demand = algorithm.demands[alternative] as Demand;
  const verdict = fit(donor.free, demand);
  if (!verdict.ok) {
    for (const { what, need, have } of verdict.shortOf) obstacles?.push({ test: what, need, have });
    return undefined;
  }
  const runMs = expectedRunMs(algorithm, { demand }, donor.hardware?.speedMillis ?? 1000);
  const staysMs = staysFor(donor, now);
  if (staysMs < runMs) {
    obstacles?.push({ test: 'leaving_too_soon', needMs: Math.round(runMs), haveMs: Math.round(staysMs) });
    return undefined;
  }
  const imageCached = donor.cachedImages.has(algorithm.image.digest);
  return { algorithm, placement: verdict.placement, alternative, runMs, imageCached };
}

/** Until the stated departure; Infinity where none is stated. */
export function staysFor(donor: Donor, now: Now): number {
  return donor.departureMonoMs === undefined ? Infinity : donor.departureMonoMs - now.monoMs;
}

/** Preferred demand first, then an image that is already there, then the shorter run. */
function isBetter(a: Choice, b: Choice): boolean {
  if (a.alternative !== b.alternative) return a.alternative < b.alternative;
  if (a.imageCached !== b.imageCached) return a.imageCached;
  return a.runMs < b.runMs;
}
