/** What is known of each algorithm beside its record: feature, class, what its runs used, how often it is asked for. */
import type { Demand } from '@plugpool/proto';
import { algorithmKey } from './algorithm-key.ts';
import { classOf, featureOf, NO_USE, type AlgorithmClass, type Feature, type LearnedUse } from './feature.ts';
import type { AlgorithmRecord } from '../records.ts';
import type { State } from '../state.ts';

export interface AlgorithmProfile {
  /** The preferred demand that the feature is of. */
  readonly demand: Demand;
  feature: Feature;
  algorithmClass: AlgorithmClass;
  learned: LearnedUse;
  /** Instances asked for, older ones counting less. */
  asked: { readonly count: number; readonly atMs: number };
}

/** Made where it is missing, and made anew where the algorithm was catalogued again with another demand. */
export function profileOf(state: State, algorithm: AlgorithmRecord): AlgorithmProfile {
  const key = algorithmKey(algorithm.id, algorithm.version);
  const known = state.profiles.get(key);
  const [demand] = algorithm.demands as readonly [Demand, ...Demand[]];
  if (known?.demand === demand) return known;
  const profile = newProfile(state, demand, NO_USE);
  state.profiles.set(key, profile);
  return profile;
}

export function classOfAlgorithm(state: State, algorithm: AlgorithmRecord): AlgorithmClass {
  return profileOf(state, algorithm).algorithmClass;
}

/** Of what a start finds on disk. */
export function loadProfile(
  state: State,
  algorithm: AlgorithmRecord,
  kept: { readonly learned: LearnedUse; readonly algorithmClass: AlgorithmClass },
): void {
  const [demand] = algorithm.demands as readonly [Demand, ...Demand[]];
  const profile = newProfile(state, demand, kept.learned, kept.algorithmClass);
  state.profiles.set(algorithmKey(algorithm.id, algorithm.version), profile);
}

function newProfile(
  state: State,
  demand: Demand,
  learned: LearnedUse,
  before?: AlgorithmClass,
): AlgorithmProfile {
  const feature = featureOf(demand, state.settings.referenceMachine, learned);
  return {
    demand,
    feature,
    algorithmClass: classOf(feature, before),
    learned,
    asked: { count: 0, atMs: 0 },
  };
}

/** That many more instances were asked for. */
export function countAsked(state: State, algorithm: AlgorithmRecord, instances: number, nowMs: number): void {
  const profile = profileOf(state, algorithm);
  profile.asked = { count: askedLately(state, profile, nowMs) + instances, atMs: nowMs };
}

export function askedLately(state: State, { asked }: AlgorithmProfile, nowMs: number): number {
  const passedMs = Math.max(0, nowMs - asked.atMs);
  return asked.count * 2 ** (-passedMs / state.settings.poolHalfLifeMs);
}

/** Under which it is kept. */
export function profileName({ id, version }: Pick<AlgorithmRecord, 'id' | 'version'>): string {
  return `use:${algorithmKey(id, version)}`;
}
