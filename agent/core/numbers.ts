/**
 * Numbers that are never given twice: fencing tokens and epochs. Each is `generation × 2²⁴ + count`. A start has a generation of
 * its own; a run that has given all numbers of its generation takes the next one, in the commit that gives the first of it.
 */
import { NUMBERS_PER_GENERATION } from './limits.ts';
import type { State } from './state.ts';
import { write, type Turn } from './turn.ts';

/** Above every number that was given before, by whatever start. */
export function nextNumber(turn: Turn): number {
  const { state } = turn;
  if (state.numbersGiven >= NUMBERS_PER_GENERATION - 1) {
    state.generation += 1;
    state.numbersGiven = 0;
    write(turn, { change: 'takeGeneration', generation: state.generation });
  }
  state.numbersGiven += 1;
  return state.generation * NUMBERS_PER_GENERATION + state.numbersGiven;
}

/**
 * After a failed commit the numbers go on from where they were. Where the disk has another generation, that one counts: a newer
 * one was taken by another thread of the store, and one that was not written is taken again before a number of it is given.
 */
export function carryNumbers(state: State, before: State): void {
  if (state.generation === before.generation) state.numbersGiven = before.numbersGiven;
  else if (state.generation < before.generation) state.numbersGiven = NUMBERS_PER_GENERATION;
}
