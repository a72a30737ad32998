/**
 * Which image where: each donor is told which images to keep, so that they are there before they are needed.
 *
 * Every donor is a part of every sub-pool, so each keeps images of every class, as many of each as its sub-pool is large, those
 * most asked for first; of what it can run and its owner allows. It is told again only where that changed: after a new plan, a
 * sub-pool that drew from the reserve, another catalogue, another hello.
 */
import type { DeployedImage, Epoch } from '@plugpool/proto';
import { fit } from '../donors/capacity.ts';
import type { Basis, Line } from './deployments.ts';
import { ALGORITHM_CLASSES, type AlgorithmClass } from '../algorithms/feature.ts';
import { DEPLOY_EVERY_MS, DEPLOYS_PER_STEP_MAX } from '../limits.ts';
import { DIMENSIONS } from './vector.ts';
import { askedLately, profileOf } from '../algorithms/profile.ts';
import type { AlgorithmRecord } from '../records.ts';
import { algorithmKey } from '../algorithms/algorithm-key.ts';
import type { Donor, State } from '../state.ts';
import { send, type Turn } from '../turn.ts';

/** Sub-pools or the catalogue changed: every donor's list may be another. */
export function deployAnew({ deployments, index }: State): void {
  deployments.version += 1;
  deployments.line = undefined;
  for (const donor of index.donors()) deployments.pending.add(donor.vehicleId);
}

/** The end of a step. */
export function deployImages(turn: Turn): void {
  const { state, now, touchedDonors } = turn;
  const { deployments, index } = state;
  if (state.settings.deployImagesMax === 0) return;
  for (const donor of touchedDonors) {
    if (index.has(donor)) deployments.pending.add(donor.vehicleId);
    else if (donor.clientId === undefined) deployments.told.delete(donor.vehicleId);
  }
  if (deployments.pending.size === 0) return;
  let looked = 0;
  for (const vehicleId of firstOf(deployments.pending, DEPLOYS_PER_STEP_MAX)) {
    looked += 1;
    deployments.pending.delete(vehicleId);
    const donor = state.donors.get(vehicleId);
    if (donor === undefined || !index.has(donor)) continue;
    // At the end of the queue again: it was told just now.
    if (!tell(turn, donor)) deployments.pending.add(vehicleId);
  }
  if (deployments.pending.size > 0 && looked > 0)
    state.timers.set('deploy:pending', now.monoMs + DEPLOY_EVERY_MS / DEPLOYS_PER_STEP_MAX);
}

function firstOf<Item>(items: ReadonlySet<Item>, count: number): Item[] {
  if (items.size <= count) return [...items];
  const first: Item[] = [];
  for (const item of items) {
    if (first.length === count) break;
    first.push(item);
  }
  return first;
}

/** False where it must be told later: a vehicle that changes what it allows all the time is told so often and no more. */
function tell(turn: Turn, donor: Donor): boolean {
  const { state, now } = turn;
  const { clientId } = donor;
  const client = clientId === undefined ? undefined : state.clients.get(clientId);
  if (clientId === undefined || client === undefined) return true;
  const told = state.deployments.told.get(donor.vehicleId);
  if (told !== undefined && isBasis(told.basis, state, donor, client.epoch)) return true;
  const basis = basisOf(state, donor, client.epoch);
  const isTooSoon = told?.basis.epoch === basis.epoch && now.monoMs - told.atMs < DEPLOY_EVERY_MS;
  if (isTooSoon) return false;
  const images = imagesFor(state, donor, now.monoMs);
  // A few characters of each tell lists apart; every donor's is kept.
  const list = images.map(({ image }) => image.digest.slice(0, 8)).join();
  const known = told?.basis.epoch === basis.epoch ? told.list : '';
  const isNews = list !== known && !hasExactly(donor, images);
  state.deployments.told.set(donor.vehicleId, {
    basis,
    list,
    atMs: isNews ? now.monoMs : (told?.atMs ?? -Infinity),
  });
  if (isNews) send(turn, clientId, { kind: 'deploy', images });
  return true;
}

function basisOf(state: State, { hardware, runtimes, report }: Donor, epoch: Epoch): Basis {
  return { epoch, version: state.deployments.version, hardware, runtimes, allowed: allowedBy(report) };
}

function allowedBy(report: Donor['report']): string {
  return report === undefined || report.allowedAlgorithms.length === 0 ? '' : report.allowedAlgorithms.join();
}

/** Asked of each donor at each step that touches it. */
function isBasis(told: Basis, { deployments }: State, donor: Donor, epoch: Epoch): boolean {
  return (
    told.epoch === epoch &&
    told.version === deployments.version &&
    told.hardware === donor.hardware &&
    told.runtimes === donor.runtimes &&
    told.allowed === allowedBy(donor.report)
  );
}

function hasExactly({ cachedImages }: Donor, images: readonly DeployedImage[]): boolean {
  return cachedImages.size === images.length && images.every(({ image }) => cachedImages.has(image.digest));
}

/** The images that the donor should keep, the most wanted first: from each class in turn, by the size of its sub-pool. */
export function imagesFor(state: State, donor: Donor, nowMs: number): DeployedImage[] {
  const max = state.settings.deployImagesMax;
  const queues = lineOf(state, nowMs).map(({ weight, algorithms }) => ({
    weight,
    rest: algorithms.filter((algorithm) => canRun(donor, algorithm)),
    taken: 0,
  }));
  const images: DeployedImage[] = [];
  const digests = new Set<string>();
  while (images.length < max) {
    const next = queues
      .filter(({ rest, taken }) => taken < rest.length)
      .reduce<(typeof queues)[number] | undefined>(mostDue, undefined);
    const algorithm = next?.rest[next.taken];
    if (next === undefined || algorithm === undefined) break;
    next.taken += 1;
    if (digests.has(algorithm.image.digest)) continue;
    digests.add(algorithm.image.digest);
    images.push(deployed(algorithm));
  }
  return images;
}

/** The method of d'Hondt: seats go to the highest weight per seat, so that they are shared out in proportion. */
function mostDue<Queue extends { readonly weight: number; readonly taken: number }>(
  best: Queue | undefined,
  queue: Queue,
): Queue {
  if (best === undefined) return queue;
  return queue.weight * (best.taken + 1) > best.weight * (queue.taken + 1) ? queue : best;
}

function deployed({ id, version, runtime, image }: AlgorithmRecord): DeployedImage {
  return { algorithmId: id, version, runtime, image };
}

function canRun({ runtimes, report, lendable }: Donor, algorithm: AlgorithmRecord): boolean {
  const allowed = report?.allowedAlgorithms ?? [];
  if (!runtimes.includes(algorithm.runtime)) return false;
  if (allowed.length > 0 && !allowed.includes(algorithm.id)) return false;
  return algorithm.demands.some((demand) => fit(lendable, demand).ok);
}

function lineOf(state: State, nowMs: number): Line {
  state.deployments.line ??= newLine(state, nowMs);
  return state.deployments.line;
}

function newLine(state: State, nowMs: number): Line {
  const active = [...state.algorithms.values()]
    .filter((algorithm) => algorithm.state === 'active')
    .map((algorithm) => {
      const profile = profileOf(state, algorithm);
      return { algorithm, one: profile.algorithmClass, asked: askedLately(state, profile, nowMs) };
    })
    .sort((a, b) => b.asked - a.asked || (keyOf(a.algorithm) < keyOf(b.algorithm) ? -1 : 1));
  if (!state.settings.subPools) return [{ weight: 1, algorithms: active.map(({ algorithm }) => algorithm) }];
  return ALGORITHM_CLASSES.map((one) => ({
    weight: weightOf(state, one),
    algorithms: active.filter((each) => each.one === one).map(({ algorithm }) => algorithm),
  }));
}

/** The largest fraction of the whole, over the dimensions, that its sub-pool is. */
function weightOf(state: State, one: AlgorithmClass): number {
  const ppm = state.pools.subPools.get(one)?.ppm;
  return ppm === undefined ? 0 : Math.max(...DIMENSIONS.map((dimension) => ppm[dimension]));
}

function keyOf({ id, version }: AlgorithmRecord): string {
  return algorithmKey(id, version);
}
