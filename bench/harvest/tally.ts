/** Counts what a run of the simulated world gave and lost; the figures of the harvest bench are computed here and nowhere else. */
import type { HarvestTask } from './work.ts';

/** Vehicle-milliseconds: the dominant share of a vehicle × the time that it was held. */
export interface Tally {
  offered: number;
  /** Held by attempts, whatever came of them. */
  held: number;
  /** Of tasks whose result came in time, once each. */
  goodput: number;
  tasks: number;
  completed: number;
  lostAttempts: number;
  readonly byClass: Map<string, { tasks: number; completed: number; offered: number; goodput: number }>;
  readonly byPayer: Map<number, { offered: number; goodput: number }>;
  /** From submission to the first start; to the end of a task that never started. */
  readonly waitsMs: number[];
}

export function newTally(): Tally {
  return {
    offered: 0,
    held: 0,
    goodput: 0,
    tasks: 0,
    completed: 0,
    lostAttempts: 0,
    byClass: new Map(),
    byPayer: new Map(),
    waitsMs: [],
  };
}

export function countTask(tally: Tally, task: HarvestTask, waitedMs: number, completed: boolean): void {
  const offered = task.dominant * task.durationMs;
  const goodput = completed ? offered : 0;
  const ofClass = tally.byClass.get(task.class) ?? { tasks: 0, completed: 0, offered: 0, goodput: 0 };
  const ofPayer = tally.byPayer.get(task.payer) ?? { offered: 0, goodput: 0 };
  tally.byClass.set(task.class, ofClass);
  tally.byPayer.set(task.payer, ofPayer);
  for (const sum of [tally, ofClass]) {
    sum.tasks += 1;
    sum.completed += Number(completed);
  }
  for (const sum of [tally, ofClass, ofPayer]) {
    sum.offered += offered;
    sum.goodput += goodput;
  }
  tally.waitsMs.push(waitedMs);
}

export interface Figures {
  readonly ofOffered: number;
  readonly ofClairvoyant: number;
  readonly netOfClairvoyant: number;
  readonly completedShare: number;
  readonly deadlineMissShare: number;
  /** Of all that was held. */
  readonly badputShare: number;
  readonly waitP50Ms: number;
  readonly waitP99Ms: number;
  readonly jain: number;
}

export function figuresOf(tally: Tally, clairvoyant: Tally): Figures {
  const badput = tally.held - tally.goodput;
  const waits = Float64Array.from(tally.waitsMs).sort();
  return {
    ofOffered: share(tally.goodput, tally.offered),
    ofClairvoyant: share(tally.goodput, clairvoyant.goodput),
    netOfClairvoyant: share(tally.goodput - badput, clairvoyant.goodput),
    completedShare: share(tally.completed, tally.tasks),
    deadlineMissShare: share(tally.tasks - tally.completed, tally.tasks),
    badputShare: share(badput, tally.held),
    waitP50Ms: quantile(waits, 0.5),
    waitP99Ms: quantile(waits, 0.99),
    jain: jainOf([...tally.byPayer.values()].map(({ goodput, offered }) => share(goodput, offered))),
  };
}

/** 1 where all got the same share of what they asked for, 1/n where one got everything; Jain, Chiu and Hawe 1984. */
export function jainOf(shares: readonly number[]): number {
  const sum = shares.reduce((a, b) => a + b, 0);
  const squares = shares.reduce((a, b) => a + b * b, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function quantile(sorted: Float64Array, at: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? 0;
}
