/** Requests of which all parts start in the same moment, or none. */
import { DonorSearch } from './donor-search.ts';
import { GANGS_TRIED_MAX } from '../limits.ts';
import { isDue, isOwed } from '../waiting/dues.ts';
import type { Need } from '../waiting/need.ts';
import type { Matching, Placed } from './plan.ts';
import { gangOf } from '../waiting/gang-of.ts';
import type { Instance, State, Task } from '../state.ts';
import { compareTurns } from '../waiting/turn-queue.ts';
import type { Turn } from '../turn.ts';

/** Parts that are to start together do not join the line one by one. */
export function watchGang(state: State, task: Task): void {
  const [first] = task.instances;
  if (first !== undefined && gangOf(first) !== undefined) state.gangs.add(task);
}

/** A gang with what decides when it is tried. */
export interface Gang {
  readonly task: Task;
  readonly first: Instance;
  readonly need: Need;
  /** It was passed over as often as may be. */
  readonly isOwed: boolean;
}

/**
 * Those that this step tries: the one that donors are kept for, those that are new, then those that were not tried for longest, so that many which do not fit
 * keep none from being tried. First whoever is owed its turn, then by priority, then by turn.
 */
export function gangsToTry({ state, newcomers, now }: Turn): Gang[] {
  const tasks = new Set<Task>();
  const kept = state.keeping.kept?.instances[0];
  const first = kept && gangOf(kept);
  if (first !== undefined) tasks.add(first);
  for (const instance of newcomers) {
    const task = tasks.size < GANGS_TRIED_MAX ? gangOf(instance) : undefined;
    if (task !== undefined) tasks.add(task);
  }
  for (const task of state.gangs) {
    if (tasks.size >= GANGS_TRIED_MAX) break;
    tasks.add(task);
  }
  const tried: Gang[] = [];
  for (const task of tasks) {
    const first = firstOf(task);
    const need = first.waitsIn?.need;
    if (need !== undefined) tried.push({ task, first, need, isOwed: isOwed(state, first, now) });
  }
  return tried.sort(
    (a, b) =>
      Number(b.isOwed) - Number(a.isOwed) ||
      (a.isOwed ? 0 : b.need.priority - a.need.priority) ||
      compareTurns(a.first, b.first),
  );
}

function firstOf(task: Task): Instance {
  const [first] = task.instances;
  if (first === undefined) throw new Error(`${task.record.taskId} has no instances`);
  return first;
}

/** Where it fits as a whole, how; else what was planned for it is taken back. */
export function placeGang({ turn, plan }: Matching, { task, need }: Gang): Placed[] | undefined {
  const { state } = turn;
  const placed: Placed[] = [];
  for (const instance of task.instances) {
    const best = new DonorSearch(turn, instance, need).run();
    if (best === undefined) break;
    const one = { instance, need, ...best };
    plan.place(one);
    placed.push(one);
  }
  if (placed.length === task.instances.length) return placed;
  for (const one of placed) plan.lift(one);
  state.gangs.delete(task);
  state.gangs.add(task);
  return undefined;
}

/** Others were granted something in this step, and it was not: once it is due, that counts; who was owed a try had it. */
export function passOver({ turn: { now } }: Matching, { first, isOwed }: Gang): void {
  if (isOwed) first.passedOver = 0;
  else if (isDue(first, now)) first.passedOver += 1;
}

/** From now on each part stands for itself. */
export function startGang(state: State, task: Task): void {
  task.hasStarted = true;
  state.gangs.delete(task);
}
