/** What is known of each algorithm beside its record: feature, class, what its runs used, how often it is asked for. */
import type { Demand, Used } from '@plugpool/proto';
import {
  classOf,
  featureOf,
  learnUse,
  LEARNED_RUNS_MIN,
  NO_USE,
  type AlgorithmClass,
  type Feature,
  type LearnedUse,
} from './feature.ts';
import type { AlgorithmRecord } from './records.ts';
import { algorithmKey, type Lease, type State } from './state.ts';
import { log, writeLazily, type Turn } from './turn.ts';

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

/** What is on disk may lag behind by so many runs: a write for each result would cost more than it tells. */
const RUNS_BETWEEN_WRITES = 16;

/** An accepted result tells what its run used; an alternative demand says nothing of the preferred one. True: the class changed. */
export function learnFromRun(turn: Turn, lease: Lease, used: Used): boolean {
  const { state } = turn;
  const { algorithm } = lease;
  const profile = profileOf(state, algorithm);
  if (lease.demand !== profile.demand) return false;
  profile.learned = learnUse(profile.learned, profile.demand, used);
  profile.feature = featureOf(profile.demand, state.settings.referenceMachine, profile.learned);
  const before = profile.algorithmClass;
  profile.algorithmClass = classOf(profile.feature, before);
  const isNewClass = profile.algorithmClass !== before;
  const { runs } = profile.learned;
  if (isNewClass || runs === LEARNED_RUNS_MIN || runs % RUNS_BETWEEN_WRITES === 0)
    writeLazily(turn, {
      change: 'putLearned',
      name: profileName(algorithm),
      value: { learned: profile.learned, algorithmClass: profile.algorithmClass },
    });
  if (isNewClass)
    log(turn, 'info', 'class of an algorithm changed', {
      algorithm: algorithmKey(algorithm.id, algorithm.version),
      before,
      after: profile.algorithmClass,
    });
  return isNewClass;
}

/** The algorithm is removed: whatever comes under its name later is another. */
export function forgetProfile(turn: Turn, algorithm: Pick<AlgorithmRecord, 'id' | 'version'>): void {
  const key = algorithmKey(algorithm.id, algorithm.version);
  const isKept = (turn.state.profiles.get(key)?.learned.runs ?? 0) > 0;
  turn.state.profiles.delete(key);
  if (isKept) writeLazily(turn, { change: 'putLearned', name: profileName(algorithm), value: null });
}

/** Under which it is kept. */
export function profileName({ id, version }: Pick<AlgorithmRecord, 'id' | 'version'>): string {
  return `use:${algorithmKey(id, version)}`;
}
