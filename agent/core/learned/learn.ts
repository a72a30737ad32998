/** What an attempt that ended teaches, and what a lease takes of its payer's share: where results and leases meet what is learned. */
import type { Now, Used, VehicleId } from '@plugpool/proto';
import { speedMillisOf, wallMsFor } from '../feasible/expected-run.ts';
import { classOf, featureOf, type AlgorithmClass } from '../algorithms/feature.ts';
import type { StoredState } from '../records.ts';
import { loadAnswers } from '../checks/given-answers.ts';
import { loadTrust } from '../replicas/keep-trust.ts';
import { RunTimes } from './run-time.ts';
import type { Settings } from '../settings.ts';
import { algorithmKey } from '../algorithms/algorithm-key.ts';
import type { Instance, Lease, State, Task } from '../state.ts';
import { writeLazily, type Turn } from '../turn.ts';
import { askedMncs } from '../waiting/need.ts';

/** To start a program takes what it takes, and makes nobody slow. */
const OVERHEAD_MS = 500;
/** Before this many runs the estimate may be wrong, and not the donor slow. */
const RUNS_TO_COMPARE = 3;

/** As it was last written; what is damaged is learned again. */
export function loadLearned(
  state: State,
  { learned, stays }: Pick<StoredState, 'learned' | 'stays'>,
  now: Now,
): void {
  for (const stay of stays) state.dwell.learn(stay);
  state.runTimes = RunTimes.fromJson(learned.get('run-times'));
  state.usage.readJson(learned.get('usage'), now);
  loadTrust(state, learned);
  loadAnswers(state, learned);
}

/** In the same process nothing that was learned is lost; what was granted and not committed holds nothing. */
export function keepLearned(state: State, before: State, now: Now): void {
  state.dwell = before.dwell;
  state.runTimes = before.runTimes;
  state.health = before.health;
  // Timers are dropped with the state.
  for (const { vehicleId, of, untilMonoMs } of state.health.resting(now))
    state.timers.set(`rested:${vehicleId}/${of}`, untilMonoMs);
  // What is disputed is found again in what is on disk.
  state.answers = before.answers;
  state.trust = before.trust;
  state.unproven = before.unproven;
  state.trust.forgetDisputes();
  state.usage.readJson(before.usage.toJson(now), now);
}

export function writeLearned(turn: Turn): void {
  const { state, now } = turn;
  const runTimes = state.runTimes.takeChanged();
  if (runTimes !== undefined) writeLazily(turn, { change: 'putLearned', name: 'run-times', value: runTimes });
  if (state.usage.size > 0)
    writeLazily(turn, { change: 'putLearned', name: 'usage', value: state.usage.toJson(now) });
}

/** The class in which a donor's health shows under that demand. */
export function healthClassOf(settings: Settings, demand: Lease['demand']): AlgorithmClass {
  return classOf(featureOf(demand, settings.referenceMachine));
}

/** A run of which a result was accepted. */
export interface Ran extends Pick<Lease, 'vehicleId' | 'algorithm' | 'demand'> {
  readonly runMs: number;
}

/**
 * Its own word, which leaves out what the bytes took to arrive, and never more than the pile saw. Nothing said is less than a
 * millisecond: what the pile saw includes its own delay, and in a flood of messages would make every donor look slow.
 */
export function runMsOf({ now }: Turn, { grantedMonoMs }: Lease, used: Used): number {
  const heldMs = now.monoMs - grantedMonoMs;
  return Math.min(heldMs, Math.max(1, used.wallMs));
}

/** `doubted`: nobody confirmed its result, and nobody has reason to believe it. */
export function learnFromResult(turn: Turn, task: Task, ran: Ran, how: 'believed' | 'doubted'): void {
  const { state, now } = turn;
  const { vehicleId, demand, algorithm, runMs } = ran;
  const key = algorithmKey(algorithm.id, algorithm.version);
  const of = healthClassOf(state.settings, demand);
  const expectedMs = expectedMsOf(state, task, ran);
  const slowness = state.health.slowness(vehicleId, of);
  const { medianMs } = state.runTimes.expect(key, expectedMs);
  const isComparable = state.runTimes.runs(key) >= RUNS_TO_COMPARE;
  const seen = isComparable ? slownessOf(runMs, medianMs) : 1;
  state.health.learn(vehicleId, of, { kind: 'succeeded', slowness: seen }, now);
  state.runTimes.learn({ algorithmKey: key, vehicleId, runMs, expectedMs: expectedMs * slowness, how });
  if (state.runTimes.settle(key)) tryAgain(turn, key);
  wakeWhenRested(turn, vehicleId, of);
}

/** Its runs take longer, or not as long, as was thought: who waits for it looks for a donor as if it were new. */
function tryAgain({ state, changedGroups }: Turn, key: string): void {
  for (const group of state.waiting.groups())
    if (group.need.ways.some(({ algorithm }) => algorithmKey(algorithm.id, algorithm.version) === key))
      changedGroups.add(group);
}

function slownessOf(runMs: number, medianMs: number): number {
  const ratio = runMs / Math.max(1, medianMs);
  return ratio <= 1 ? ratio : Math.max(1, (runMs - OVERHEAD_MS) / Math.max(1, medianMs));
}

/** The attempt failed by its donor's doing. */
export function learnFromCrash(turn: Turn, lease: Lease): void {
  const { state, now } = turn;
  const { algorithm, vehicleId, demand } = lease;
  // A revocation that is under way says how the attempt ends.
  if (lease.revocation !== undefined) return;
  const othersSucceed = state.runTimes.runs(algorithmKey(algorithm.id, algorithm.version)) > 0;
  const of = healthClassOf(state.settings, demand);
  state.health.learn(vehicleId, of, { kind: 'failed', othersSucceed }, now);
  wakeWhenRested(turn, vehicleId, of);
}

/** When its rest is over the donor may be tried again, though nothing about it changed. */
export function wakeWhenRested({ state, now }: Turn, vehicleId: VehicleId, of: AlgorithmClass): void {
  const verdict = state.health.verdict(vehicleId, of, now);
  if (verdict.state === 'resting') state.timers.set(`rested:${vehicleId}/${of}`, verdict.untilMonoMs);
}

export function learnFromGrant({ state, now }: Turn, instance: Instance, lease: Lease): void {
  state.usage.start(instance.task.payer, lease.demand, now);
}

function expectedMsOf(state: State, task: Task, { algorithm, demand, vehicleId }: Ran): number {
  return wallMsFor(askedMncs(task, algorithm), demand, speedMillisOf(state.donors.get(vehicleId)));
}
