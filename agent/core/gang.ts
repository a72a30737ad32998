/** Requests of which all parts start in the same moment, or none. */
import { DonorSearch } from './donor-search.ts';
import { GANGS_TRIED_MAX } from './limits.ts';
import type { Matching, Placed } from './plan.ts';
import type { Instance, State, Task } from './state.ts';
import { compareTurns } from './rank.ts';

/** The task whose parts wait to start together; undefined once it has started, or where it never asked for that. */
export function gangOf({ task }: Instance): Task | undefined {
  const { wants } = task.record;
  if (wants?.allAtOnce !== true || task.instances.length < 2 || task.hasStarted) return undefined;
  return task;
}

/** Parts that are to start together do not join the line one by one. */
export function watchGang(state: State, task: Task): void {
  const [first] = task.instances;
  if (first !== undefined && gangOf(first) !== undefined) state.gangs.add(task);
}

/** Tries those whose turn is first; what is planned for one that does not fit as a whole is taken back. */
export function placeGangs(matching: Matching): void {
  const { state } = matching.turn;
  if (state.gangs.size === 0) return;
  const inOrder = [...state.gangs].sort((a, b) => compareTurns(firstOf(a), firstOf(b)));
  for (const task of inOrder.slice(0, GANGS_TRIED_MAX)) placeGang(matching, task);
}

function firstOf(task: Task): Instance {
  const [first] = task.instances;
  if (first === undefined) throw new Error(`${task.record.taskId} has no instances`);
  return first;
}

function placeGang({ turn, plan }: Matching, task: Task): void {
  const { state } = turn;
  const need = state.waiting.groupOf(firstOf(task))?.need;
  if (need === undefined) return;
  const placed: Placed[] = [];
  for (const instance of task.instances) {
    const best = new DonorSearch(turn, instance, need).run();
    if (best === undefined) break;
    const one = { instance, need, ...best };
    plan.place(one);
    placed.push(one);
  }
  if (placed.length < task.instances.length) for (const one of placed) plan.lift(one);
}

/** From now on each part stands for itself. */
export function startGang(state: State, task: Task): void {
  task.hasStarted = true;
  state.gangs.delete(task);
}
