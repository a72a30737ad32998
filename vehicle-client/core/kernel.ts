/**
 * The fixed work that defines a core's speed, and with it the normalised core-second.
 *
 * One iteration walks a 64 KiB table by an integer generator and does a fused step of float arithmetic on what it finds:
 * integer units, floating point and the first two cache levels all count. The reference core does
 * `REFERENCE_ITERATIONS_PER_SEC` of them a second; a core's `speedMillis` is its own rate against that, × 1000.
 * Neither the work nor the rate may ever change: speeds of different vehicles would no longer compare.
 */

/** The reference core's rate; by definition, near a current 3 GHz server core in the same engine. */
export const REFERENCE_ITERATIONS_PER_SEC = 400_000_000;
/** Iterations of one run: about 75 ms on the reference core. */
export const KERNEL_ITERATIONS = 30_000_000;
/** The first runs are left out: the engine compiles the loop in them. */
export const KERNEL_WARM_UP_RUNS = 2;
export const KERNEL_RUNS = 7;
/** What `runKernel(KERNEL_ITERATIONS)` returns on every machine: a run that gives something else did other work. */
export const KERNEL_CHECKSUM = -1_021_717_253;

const TABLE_WORDS = 16 * 1024;

/** Does the work; the returned number depends on every iteration, so that no compiler leaves one out. */
export function runKernel(iterations: number): number {
  const table = new Int32Array(TABLE_WORDS);
  for (let i = 0; i < TABLE_WORDS; i++) table[i] = Math.imul(i, 0x9e3779b1);
  let state = 0x2545f491;
  let x = 0.5;
  let sum = 0;
  for (let i = 0; i < iterations; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const index = state & (TABLE_WORDS - 1);
    const word = (table[index] as number) ^ state;
    table[index] = (word + i) | 0;
    x = x * 0.999 + (word & 0xff) * 0.001;
    sum = (sum + word) | 0;
  }
  return (sum ^ Math.floor(x * 1_000_000)) | 0;
}

/** The fastest of several runs, as a speed against the reference core: what disturbs a run only ever slows it. */
export function speedMillisOf(iterations: number, elapsedMs: readonly number[]): number {
  const fastestMs = Math.min(...elapsedMs);
  if (!(fastestMs > 0 && fastestMs < Infinity))
    throw new Error('the speed of a core needs at least one run that took time');
  return Math.max(1, Math.round(((iterations / fastestMs) * 1_000_000) / REFERENCE_ITERATIONS_PER_SEC));
}
