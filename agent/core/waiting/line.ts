/** How an instance joins the line of those who wait: with those who need the same, at the place of its turn. */
import { needKey, needOf, type Need } from './need.ts';
import type { Instance, State } from '../state.ts';

export function joinLine(state: State, instance: Instance): void {
  const need = neededBy(state, instance);
  instance.turnMonoMs = turnOf(state, instance);
  state.waiting.add(instance, need);
}

/** Shared with those who wait for the same. */
export function neededBy(state: State, instance: Instance): Need {
  const key = needKey(state, instance);
  return state.waiting.group(key)?.need ?? needOf(state, instance, key);
}

/** A request that has waited for the bound stands as one whose deadline is now: nobody who comes later has less time. */
function turnOf(state: State, { task, queuedMonoMs }: Instance): number {
  return Math.min(task.deadlineMonoMs, queuedMonoMs + state.settings.ageBoundMs);
}

/** The catalogue changed, and what is needed with it: all who wait stand where they belong now. */
export function rebuildLine(state: State): void {
  const all = [...state.waiting.instances()];
  for (const instance of all) state.waiting.remove(instance);
  for (const instance of all) joinLine(state, instance);
}
