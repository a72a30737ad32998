/**
 * What programs draw from: the same for every attempt and every replica of a task, over restarts too, so that they agree. It comes
 * from a key that only this pile knows: who could reckon the seed of a task would see by it that an offer is a spot check, since
 * that is run with the seed of the task whose answer is known.
 */
import type { TaskId } from '@plugpool/proto';
import { nextUint32 } from '../random.ts';
import type { State, Task } from '../state.ts';
import { write, type Turn } from '../turn.ts';

const KEY_NAME = 'seed-key';
const KEY_WORDS = 8;

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

/** The block function of ChaCha20 (RFC 8439, 2.3), with the task in place of counter and nonce; 16 bytes of it. */
function seedFrom(key: readonly number[], taskId: TaskId): Uint8Array {
  const words = [...SIGMA, ...key, ...FNV_BASES.map((basis) => fnv1a(taskId, basis))];
  const block = Uint32Array.from(words);
  for (let round = 0; round < 10; round += 1)
    for (const [a, b, c, d] of QUARTERS) quarterRound(block, a, b, c, d);
  const seed = new Uint8Array(16);
  const view = new DataView(seed.buffer);
  for (let i = 0; i < 4; i += 1) view.setUint32(4 * i, (block[i] ?? 0) + (words[i] ?? 0), true);
  return seed;
}

/** "expand 32-byte k". */
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];
/** Columns, then diagonals. */
const QUARTERS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

function quarterRound(block: Uint32Array, a: number, b: number, c: number, d: number): void {
  mix(block, a, b, d, 16);
  mix(block, c, d, b, 12);
  mix(block, a, b, d, 8);
  mix(block, c, d, b, 7);
}

/** x += y; z = (z ⊕ x) rotated left. */
function mix(block: Uint32Array, x: number, y: number, z: number, bits: number): void {
  const sum = ((block[x] ?? 0) + (block[y] ?? 0)) | 0;
  const mixed = (block[z] ?? 0) ^ sum;
  block[x] = sum;
  block[z] = (mixed << bits) | (mixed >>> (32 - bits));
}

/** Nothing secret: they only tell tasks apart. */
const FNV_BASES = [0x811c9dc5, 0x01234567, 0x89abcdef, 0xfedcba98];

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  return hash;
}
