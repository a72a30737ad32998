/** Whether an instance may run on a donor, with what program and where on it; and if not, every reason. Pure. */
import type { Now } from '@plugpool/proto';
import { fit, mayHold, type Placement, type ShortOf } from '../donors/capacity.ts';
import { constraintHolds, mayJudge, ownerAllows } from '../constraint/constraints.ts';
import type { Ineligible } from '../donors/donor.ts';
import type { Need, Way } from '../waiting/need.ts';
import { runTimeOf, transferMsOf } from './expected-run.ts';
import { keptObstacle } from '../matching/keep.ts';
import type { RunTime } from '../learned/run-time.ts';
import type { Donor, Instance, State } from '../state.ts';
import { expectedProgressMs, probabilityToFinish } from '../dwell/stay.ts';
import { stationObstacle } from '../power/station-budget.ts';
import { keepsState } from '../replicas/keeps-state.ts';
import { ownerHasReplica } from '../replicas/owner.ts';
import { ownersShort } from '../replicas/owners-to-be-had.ts';
import { isTrustedWithData } from './data-trust.ts';

/** A way to run an instance on a donor. */
export interface Choice {
  readonly way: Way;
  readonly placement: Placement;
  readonly runMs: number;
  /** P(the donor is there until the run is through). */
  readonly finishes: number;
  readonly imageCached: boolean;
}

/** Why not; the closed list. */
export type Obstacle =
  | { readonly test: Ineligible }
  | { readonly test: 'own_request' }
  | { readonly test: 'same_owner' }
  /** So many owners must agree, and vehicles of so many are known. */
  | { readonly test: 'too_few_owners'; readonly need: number; readonly have: number }
  | { readonly test: 'resting'; readonly forMs: number }
  | { readonly test: 'not_trusted' }
  | { readonly test: 'constraint_not_met'; readonly constraint: string }
  | { readonly test: 'owner_constraint_not_met'; readonly constraint: string }
  | { readonly test: 'algorithm_not_allowed'; readonly algorithm: string }
  | { readonly test: 'runtime_missing'; readonly runtime: string }
  | { readonly test: 'donor_resting'; readonly forMs: number }
  | {
      readonly test: 'leaving_too_soon';
      readonly needMs: number;
      readonly millis: number;
      readonly barMillis: number;
    }
  | { readonly test: 'too_little_progress'; readonly expectMs: number; readonly needMs: number }
  | { readonly test: 'deadline_too_close'; readonly needMs: number; readonly haveMs: number }
  | { readonly test: 'kept_for_another'; readonly forMs: number }
  | { readonly test: 'waits_for_all'; readonly need: number; readonly have: number }
  /** The limit of the whole station leaves less; or nobody knows what it leaves. */
  | { readonly test: 'station_power'; readonly needMw: number; readonly haveMw: number }
  | { readonly test: 'station_power_unknown'; readonly connectors: number }
  | { readonly test: ShortOf['what']; readonly need: number | string; readonly have: number | string };

/** What forbids this instance, and not necessarily its equals, on a donor that is eligible. */
export function pairObstacle(state: State, instance: Instance, donor: Donor, now: Now): Obstacle | undefined {
  return (
    ownObstacle(instance, donor) ??
    ownersObstacle(state, instance) ??
    sameOwnerObstacle(state, instance, donor) ??
    triedObstacle(instance, donor, now)
  );
}

/** Whatever it ran, it would wait for owners whom nobody knows. */
export function ownersObstacle(state: State, instance: Instance): Obstacle | undefined {
  const short = ownersShort(state, instance);
  return short === undefined ? undefined : { test: 'too_few_owners', ...short };
}

/** What its owner returned already, another owner's vehicle must confirm. */
export function sameOwnerObstacle(
  { settings }: State,
  instance: Instance,
  { vehicleId }: Donor,
): Obstacle | undefined {
  return ownerHasReplica(settings, instance, vehicleId) ? { test: 'same_owner' } : undefined;
}

export function ownObstacle({ task }: Instance, { vehicleId }: Donor): Obstacle | undefined {
  return vehicleId === task.record.vehicleId ? { test: 'own_request' } : undefined;
}

/** It failed there a moment ago. */
export function triedObstacle(instance: Instance, donor: Donor, now: Now): Obstacle | undefined {
  const restUntilMs = instance.avoided?.get(donor.vehicleId);
  if (restUntilMs !== undefined && restUntilMs > now.monoMs)
    return { test: 'resting', forMs: Math.round(restUntilMs - now.monoMs) };
  return undefined;
}

/** What forbids this instance, and not necessarily its equals, to run there in the way that was chosen. */
export function runObstacle(
  state: State,
  instance: Instance,
  donor: Donor,
  choice: Choice,
  now: Now,
): Obstacle | undefined {
  const { way, finishes } = choice;
  const needMs = choice.runMs + transferMsOf(state, way, donor);
  return (
    keptObstacle(state, instance, donor, choice, now) ??
    deadlineObstacle(instance, keepsState(state, way, donor, now), { needMs, finishes }, now) ??
    whyOwnerForbids(state, instance, donor, way, now)
  );
}

/** What the owner has not judged yet is not run there yet. */
function whyOwnerForbids(
  state: State,
  instance: Instance,
  donor: Donor,
  way: Way,
  now: Now,
): Obstacle | undefined {
  const constraint = donor.report?.constraint;
  if (constraint === undefined || mayJudge(state, constraint, donor, instance, way, now))
    return ownerObstacle(state, instance, donor, way);
  return { test: 'owner_constraint_not_met', constraint };
}

export function ownerObstacle(
  state: State,
  instance: Instance,
  donor: Donor,
  way: Way,
): Obstacle | undefined {
  const constraint = donor.report?.constraint;
  if (constraint === undefined || ownerAllows(state, constraint, instance, way)) return undefined;
  return { test: 'owner_constraint_not_met', constraint };
}

/** `needMs` with the transfer; `keeps`: what was done goes on elsewhere when the donor leaves. */
export function deadlineObstacle(
  { task }: Instance,
  keeps: boolean,
  { needMs, finishes }: { readonly needMs: number; readonly finishes: number },
  now: Now,
): Obstacle | undefined {
  const haveMs = task.deadlineMonoMs - now.monoMs;
  if (needMs <= haveMs && !(keeps && isLikelyLate(finishes, haveMs - needMs))) return undefined;
  return { test: 'deadline_too_close', needMs: Math.round(needMs), haveMs: Math.round(haveMs) };
}

/** A run that checkpoints goes on elsewhere when its donor leaves, but that takes time: it may be too late by then. */
const ELSEWHERE_MS = 30 * 60_000;
const IN_TIME_MIN = 0.8;

function isLikelyLate(finishes: number, slackMs: number): boolean {
  return finishes + (1 - finishes) * (1 - Math.exp(-slackMs / ELSEWHERE_MS)) < IN_TIME_MIN;
}

/**
 * The best way in which this instance may run there, where `choice` is that of all who need the same: what the owner or the
 * deadline forbids in that way, another may allow.
 */
export function choiceFor(
  state: State,
  instance: Instance,
  need: Need,
  donor: Donor,
  choice: Choice,
  now: Now,
): Choice | undefined {
  if (pairObstacle(state, instance, donor, now) !== undefined) return undefined;
  if (runObstacle(state, instance, donor, choice, now) === undefined) return choice;
  let best: Choice | undefined;
  for (const way of need.ways) {
    if (way === choice.way) continue;
    const other = tryWay(state, need, way, donor, now);
    if (other === undefined || runObstacle(state, instance, donor, other, now) !== undefined) continue;
    if (best === undefined || isBetter(other, best)) best = other;
  }
  return best;
}

/** The best way to meet `need` there, or undefined. Holds for all who need the same. */
export function choose(state: State, need: Need, donor: Donor, now: Now): Choice | undefined {
  if (!mayFit(need, donor) || whyStranger(state, need, donor) !== undefined) return undefined;
  let best: Choice | undefined;
  for (const way of need.ways) {
    const choice = tryWay(state, need, way, donor, now);
    if (choice !== undefined && (best === undefined || isBetter(choice, best))) best = choice;
  }
  return best;
}

/** Every way to meet `need` there, on each GPU that it could take. */
export function choicesOn(state: State, need: Need, donor: Donor, now: Now): Choice[] {
  if (!mayFit(need, donor) || whyStranger(state, need, donor) !== undefined) return [];
  const { free } = donor;
  const choices: Choice[] = [];
  for (const way of need.ways) {
    const devices = way.demand.gpu === undefined ? [free.gpus] : free.gpus.map((gpu) => [gpu]);
    for (const gpus of devices) {
      donor.free = { ...free, gpus };
      const choice = tryWay(state, need, way, donor, now);
      if (choice !== undefined) choices.push(choice);
    }
    donor.free = free;
  }
  return choices;
}

/** Cheap, and right where it says no. */
function mayFit({ least }: Need, { free }: Donor): boolean {
  if (free.cpuMillicores < least.cpuMillicores || free.memoryMib < least.memoryMib) return false;
  return least.gpuMillis === 0 || free.gpus.some((gpu) => gpu.shareMillis >= least.gpuMillis);
}

/** What the requester will not have, whatever the program. */
function whyStranger(state: State, need: Need, donor: Donor): Obstacle | undefined {
  return trustObstacle(state, need, donor) ?? constraintObstacle(state, need, donor);
}

export function trustObstacle({ settings }: State, need: Need, donor: Donor): Obstacle | undefined {
  if (need.trust === undefined || isTrustedWithData(settings, need, donor)) return undefined;
  return { test: 'not_trusted' };
}

export function constraintObstacle(state: State, { constraint }: Need, donor: Donor): Obstacle | undefined {
  if (constraint === undefined || constraintHolds(state, constraint, donor)) return undefined;
  return { test: 'constraint_not_met', constraint };
}

/** Whatever it runs now: it lends, and could run it once it has room. */
export function mayEverRun(state: State, instance: Instance, need: Need, donor: Donor, now: Now): boolean {
  if (ownObstacle(instance, donor) !== undefined) return false;
  if (sameOwnerObstacle(state, instance, donor) !== undefined) return false;
  if (whyStranger(state, need, donor) !== undefined) return false;
  return need.ways.some(
    (way) =>
      (runtimeObstacle(way, donor) ??
        allowanceObstacle(way, donor) ??
        restObstacle(state, way, donor, now)) === undefined && fit(donor.lendable, way.demand).ok,
  );
}

function tryWay(state: State, need: Need, way: Way, donor: Donor, now: Now): Choice | undefined {
  if (!mayHold(donor.free, way.demand)) return undefined;
  if (runtimeObstacle(way, donor) ?? allowanceObstacle(way, donor) ?? restObstacle(state, way, donor, now))
    return undefined;
  const verdict = fit(donor.free, way.demand);
  if (!verdict.ok || stationObstacle(state, way) !== undefined) return undefined;
  const prospect = prospectOf(state, way, donor, now);
  if (stayObstacle(state, need, way, prospect) !== undefined) return undefined;
  const imageCached = donor.cachedImages.has(way.algorithm.image.digest);
  const { run, finishes } = prospect;
  return { way, placement: verdict.placement, runMs: run.medianMs, finishes, imageCached };
}

/** How a run that starts now would go. */
export interface Prospect {
  readonly donor: Donor;
  readonly run: RunTime;
  readonly finishes: number;
  readonly transferMs: number;
  readonly now: Now;
}

export function prospectOf(state: State, way: Way, donor: Donor, now: Now): Prospect {
  const run = runTimeOf(state, way, donor);
  const transferMs = transferMsOf(state, way, donor);
  const finishes = probabilityToFinish(donor.stay, run.quantilesMs, transferMs, now);
  return { donor, run, finishes, transferMs, now };
}

/** A run that would be lost must probably end there; one that keeps its state must get on. */
export function stayObstacle(state: State, need: Need, way: Way, prospect: Prospect): Obstacle | undefined {
  const { donor, run, finishes, transferMs, now } = prospect;
  const { settings } = state;
  const barMillis = settings.stayBarMillis[need.priority];
  if (finishes * 1000 >= barMillis) return undefined;
  if (!keepsState(state, way, donor, now)) {
    const millis = Math.floor(finishes * 1000);
    return { test: 'leaving_too_soon', needMs: Math.round(run.medianMs), millis, barMillis };
  }
  const expectMs = expectedProgressMs(donor.stay, run.medianMs, transferMs, now);
  if (expectMs >= settings.progressMinMs) return undefined;
  return { test: 'too_little_progress', expectMs: Math.round(expectMs), needMs: settings.progressMinMs };
}

export function runtimeObstacle({ algorithm: { runtime } }: Way, donor: Donor): Obstacle | undefined {
  return donor.runtimes.includes(runtime) ? undefined : { test: 'runtime_missing', runtime };
}

export function allowanceObstacle({ algorithm }: Way, { report }: Donor): Obstacle | undefined {
  const allowed = report?.allowedAlgorithms ?? [];
  if (allowed.length === 0 || allowed.includes(algorithm.id)) return undefined;
  return { test: 'algorithm_not_allowed', algorithm: algorithm.id };
}

/** It failed, or was slow, where others were not. After the rest a single task is tried. */
export function restObstacle(state: State, way: Way, { vehicleId }: Donor, now: Now): Obstacle | undefined {
  const verdict = state.health.verdict(vehicleId, way.class, now);
  if (verdict.state !== 'resting') return undefined;
  return { test: 'donor_resting', forMs: Math.round(verdict.untilMonoMs - now.monoMs) };
}

/** Preferred demand first, then an image that is already there, then the shorter run. */
function isBetter(a: Choice, b: Choice): boolean {
  if (a.way.alternative !== b.way.alternative) return a.way.alternative < b.way.alternative;
  if (a.imageCached !== b.imageCached) return a.imageCached;
  return a.runMs < b.runMs;
}
