/**
 * What programs draw from: the same for every attempt and every replica of a task, over restarts too, so that they agree. It comes
 * from a key that only this pile knows: who could reckon the seed of a task would see by it that an offer is a spot check, since
 * that is run with the seed of the task whose answer is known.
 */
import type { TaskId } from '@plugpool/proto';
import { keyedBlock } from '../keyed-block.ts';
import { nextUint32 } from '../random.ts';
import type { State, Task } from '../state.ts';
import { write, type Turn } from '../turn.ts';

const KEY_NAME = 'seed-key';
const KEY_WORDS = 8;
const SEED_WORDS = 4;

/** A question of the operator has an answer that no seed changes: it is run with that of its own task, as everything is. */
export function seedOf(turn: Turn, { check, record }: Task): Uint8Array {
  return seedFrom(keyOf(turn), check?.seedOf ?? record.taskId);
}

/** Drawn once, and on disk with the first offer that was made with it. */
function keyOf(turn: Turn): readonly number[] {
  const { state } = turn;
  if (state.seedKey !== undefined) return state.seedKey;
  state.seedKey = Array.from({ length: KEY_WORDS }, () => nextUint32(state.random));
  write(turn, { change: 'putLearned', name: KEY_NAME, value: state.seedKey });
  return state.seedKey;
}

/** What is damaged is drawn anew: replicas that run already differ then, no others. */
export function loadSeedKey(state: State, learned: ReadonlyMap<string, unknown>): void {
  const key = learned.get(KEY_NAME);
  if (Array.isArray(key) && key.length === KEY_WORDS && key.every((word) => Number.isInteger(word)))
    state.seedKey = key as number[];
}

/** 16 bytes. */
function seedFrom(key: readonly number[], taskId: TaskId): Uint8Array {
  const block = keyedBlock(key, taskId);
  const seed = new Uint8Array(4 * SEED_WORDS);
  // By hand: so small an array is cheap as long as nobody asks for the buffer behind it.
  for (let i = 0; i < seed.length; i += 1) seed[i] = (block[i >> 2] ?? 0) >>> (8 * (i & 3));
  return seed;
}
