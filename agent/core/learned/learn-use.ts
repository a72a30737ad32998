/** What accepted results say of the algorithms that they are of: the use of their runs, and so their features and classes. */
import type { Used } from '@plugpool/proto';
import { algorithmKey } from '../algorithms/algorithm-key.ts';
import { classOf, featureOf, learnUse, LEARNED_RUNS_MIN } from '../algorithms/feature.ts';
import { profileName, profileOf } from '../algorithms/profile.ts';
import type { AlgorithmRecord } from '../records.ts';
import type { Lease } from '../state.ts';
import { log, writeLazily, type Turn } from '../turn.ts';

/** What is on disk may lag behind by so many runs: a write for each result would cost more than it tells. */
const RUNS_BETWEEN_WRITES = 16;

/** An accepted result tells what its run used; an alternative demand says nothing of the preferred one. True: the class changed. */
export function learnFromRun(turn: Turn, lease: Pick<Lease, 'algorithm' | 'demand'>, used: Used): boolean {
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
