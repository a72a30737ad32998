/** Why a task does not run: donor by donor every test that fails, its place in the line, when it may start, what would make it run. */
import type { Now, TaskId, TaskState, VehicleId, WaitExplanation } from '@plugpool/proto';
import { phaseOf, sessionOf, type DonorPhase } from '../donors/donor.ts';
import { lookAt, waitOf, type LookedAt } from './looked-at.ts';
import { toldInWords } from './obstacle-words.ts';
import { tryDonor, type DonorTried, type Told } from './obstacles.ts';
import { partsOf, type PartView } from './part-view.ts';
import { quorumInWords, quorumView, type QuorumView } from './quorum-view.ts';
import { countAhead, isPoolFull } from './place.ts';
import { estimatedStartMs } from './start.ts';
import { howItEnded, obstacleCounts, whereItRuns, whyItWaits, type ObstacleCount } from './summary.ts';
import { wouldRun } from './would-run.ts';
import type { AlgorithmClass } from '../algorithms/feature.ts';
import { keptFor } from '../matching/keep.ts';
import { EXPLAINED_DONORS_MAX } from '../limits.ts';
import { priorityBecause, priorityOf, type Priority } from '../tasks/priority.ts';
import type { TaskEndRecord } from '../records.ts';
import type { Donor, Instance, State, Task } from '../state.ts';
import { stateOf } from '../tasks/task-state.ts';

/** docs/cli-json.md is the contract. */
export interface Explanation {
  readonly taskId: TaskId;
  readonly state: TaskState;
  /** One sentence for a person. */
  readonly summary: string;
  readonly waitedMs: number;
  /** How many instances stand in the line with it. */
  readonly waiting: number;
  readonly lastReason: string;
  /** Null of a task of which nothing waits. */
  readonly wait: WaitView | null;
  /** Where more than one owner must agree; null where one result will do. */
  readonly quorum: QuorumView | null;
  /** Of a task of several parts that has not ended. */
  readonly parts: readonly PartView[];
  /** The nearest first. */
  readonly donors: readonly DonorView[];
}

export interface WaitView {
  /** 1: the next. */
  readonly place: number;
  readonly priority: Priority;
  readonly priorityBecause: string;
  /** Of its preferred way to run. */
  readonly algorithmClass: AlgorithmClass;
  /** Whether that class has room in its sub-pool for one more; `off` without sub-pools. */
  readonly subPool: 'room' | 'full' | 'off';
  readonly payer: string;
  /** 0: at or under its fair share; 1: up to twice as much, 2: up to four times … */
  readonly payerBand: number;
  readonly startInMs: number | null;
  /** Kept for it until then (keep.ts). */
  readonly keptDonors: readonly VehicleId[];
  readonly wouldRun: readonly string[];
  /** How many of the donors that were looked at fail each test. */
  readonly obstacles: readonly ObstacleCount[];
  readonly donorsKnown: number;
  readonly donorsLookedAt: number;
}

export interface DonorView {
  readonly vehicleId: VehicleId;
  readonly phase: DonorPhase;
  readonly obstacles: readonly Told[];
  /** The same in words. */
  readonly because: readonly string[];
}

export function explain(state: State, taskId: TaskId, now: Now): Explanation | undefined {
  const task = state.tasks.get(taskId);
  if (task === undefined) return undefined;
  const waiting = waitingPartOf(state, task);
  const quorum = quorumView(state, task);
  const about = {
    taskId,
    state: stateOf(task),
    waiting: state.waiting.size,
    lastReason: lastReasonOf(task),
    quorum,
  };
  if (waiting === undefined) {
    const summary = task.end === undefined ? withQuorum(quorum, whereItRuns(task)) : howItEnded(task.end);
    return { ...about, summary, waitedMs: 0, wait: null, parts: partsOf(state, task), donors: [] };
  }
  const lookedAt = lookAt(state, waiting, now);
  return {
    ...about,
    summary: withQuorum(quorum, whyItWaits(lookedAt)),
    waitedMs: Math.max(0, Math.round(now.monoMs - waiting.queuedMonoMs)),
    wait: waitView(lookedAt),
    parts: partsOf(state, task, lookedAt.wait.partsFit),
    donors: lookedAt.tried.slice(0, EXPLAINED_DONORS_MAX).map((one) => donorView(state, one, now)),
  };
}

/** Of a task that is on disk alone. */
export function explainEnded(taskId: TaskId, end: TaskEndRecord): Explanation {
  const summary = howItEnded(end);
  const about = { taskId, state: end.state, waiting: 0, waitedMs: 0, lastReason: '' };
  return { ...about, summary, quorum: null, wait: null, parts: [], donors: [] };
}

/** What its own requester is told, without the names of donors; undefined where nothing of the task waits. */
export function explainToRequester(state: State, task: Task, now: Now): WaitExplanation | undefined {
  const waiting = waitingPartOf(state, task);
  if (waiting === undefined) return undefined;
  const lookedAt = lookAt(state, waiting, now);
  const { wait, tried } = lookedAt;
  const startInMs = estimatedStartMs(wait, tried);
  return {
    summary: withQuorum(quorumView(state, task), whyItWaits(lookedAt)),
    place: countAhead(state, waiting, wait.need, now) + 1,
    ...(startInMs === undefined ? {} : { startInMs }),
    wouldRun: wouldRun(wait, tried, 'requester'),
    obstacles: obstacleCounts(lookedAt, 'all'),
  };
}

function withQuorum(quorum: QuorumView | null, summary: string): string {
  return quorum === null ? summary : `${quorumInWords(quorum)}; ${summary}`;
}

/** Every reason why `instance` cannot run on `donor` now; empty where it can. */
export function obstaclesOf(state: State, instance: Instance, donor: Donor, now: Now): readonly Told[] {
  return tryDonor(waitOf(state, instance, now), donor).told;
}

function waitingPartOf(state: State, task: Task): Instance | undefined {
  return task.instances.find((instance) => state.waiting.has(instance));
}

function lastReasonOf({ instances }: Task): string {
  return instances.find(({ lastReason }) => lastReason !== '')?.lastReason ?? '';
}

function waitView(lookedAt: LookedAt): WaitView {
  const { wait, tried } = lookedAt;
  const { state, instance, need, now } = wait;
  const { payer, record } = instance.task;
  return {
    place: countAhead(state, instance, need, now) + 1,
    priority: priorityOf(record.wants, state.settings),
    priorityBecause: priorityBecause(record.wants, state.settings),
    algorithmClass: need.ways[0]?.class ?? 'cpu',
    subPool: state.pools.subPools.size === 0 ? 'off' : isPoolFull(state, need) ? 'full' : 'room',
    payer,
    payerBand: state.usage.band(payer, now),
    startInMs: estimatedStartMs(wait, tried) ?? null,
    keptDonors: [...(keptFor(state, instance)?.rooms.keys() ?? [])].map(({ vehicleId }) => vehicleId),
    wouldRun: wouldRun(wait, tried, 'operator'),
    obstacles: obstacleCounts(lookedAt, 'all'),
    donorsKnown: state.donors.size,
    donorsLookedAt: tried.length,
  };
}

function donorView(state: State, { donor, told }: DonorTried, now: Now): DonorView {
  const session = sessionOf(state, donor.vehicleId)?.state ?? 'unknown';
  return {
    vehicleId: donor.vehicleId,
    phase: phaseOf(state, donor, now),
    obstacles: told,
    because: told.map((each) => toldInWords(each, donor, session)),
  };
}
