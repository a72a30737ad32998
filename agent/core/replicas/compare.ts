/**
 * When two outputs are the same result, by what their algorithm states. Asks for the bytes of both slice by slice, so that large
 * ones need not lie in memory; who drives it brings them from wherever they are. Pure.
 *
 * Numbers are the same when their bits are, or when they differ by no more than the tolerance times the larger of 1 and their
 * magnitudes. float32 and float64 are little-endian arrays, or the tensors of docs/sandbox.md: what is no float in them must be
 * the same to the bit.
 */
import { JSON_COMPARED_BYTES_MAX } from '../limits.ts';
import type { Comparison } from '../records.ts';
import { isNear } from './near.ts';
import { isSameBytes } from './same-bytes.ts';
import { isSameJson } from './same-json.ts';
import { tensorsIn, viewOf, type Pair, type Region, type Slice } from './tensors-in.ts';

export type Comparing = Generator<Slice, boolean, Pair>;

const SLICE_BYTES = 1024 * 1024;

/** Of JSON that is read whole, how far its numbers may differ; undefined of all else, and of what is too large for it. */
export function toleranceOfJson(sizes: readonly [number, number], compare: Comparison): number | undefined {
  const isJson = compare.by === 'numbers' && compare.format === 'json';
  return isJson && Math.max(...sizes) <= JSON_COMPARED_BYTES_MAX ? compare.tolerance : undefined;
}

/** Asks for the same slice of both. */
export function* comparing(sizes: readonly [number, number], compare: Comparison): Comparing {
  const [size, other] = sizes;
  const tolerance = toleranceOfJson(sizes, compare);
  if (tolerance !== undefined) return isSameJson(yield { start: 0, end: Math.max(size, other) }, tolerance);
  if (size !== other) return false;
  if (compare.by === 'bytes' || compare.format === 'json') return yield* sameBytes({ start: 0, end: size });
  const tensors = yield* tensorsIn(size);
  if (tensors === undefined) return false;
  for (const region of tensors === 'none'
    ? [{ start: 0, end: size, bytes: bytesOf(compare.format) }]
    : tensors)
    if (!(yield* sameNumbers(region, compare.tolerance))) return false;
  return true;
}

/** Drives a comparison of what is in memory. */
export function compareInline(a: Uint8Array, b: Uint8Array, compare: Comparison): boolean {
  const run = comparing([a.length, b.length], compare);
  let next = run.next([EMPTY, EMPTY]);
  while (next.done !== true) {
    const { start, end } = next.value;
    next = run.next([a.subarray(start, end), b.subarray(start, end)]);
  }
  return next.value;
}

const EMPTY = new Uint8Array(0);

function bytesOf(format: 'float32' | 'float64'): 4 | 8 {
  return format === 'float32' ? 4 : 8;
}

function* sameBytes({ start, end }: Slice): Comparing {
  for (let at = start; at < end; at += SLICE_BYTES) {
    const [a, b] = yield { start: at, end: Math.min(end, at + SLICE_BYTES) };
    if (!isSameBytes(a, b)) return false;
  }
  return true;
}

function* sameNumbers({ start, end, bytes }: Region, tolerance: number): Comparing {
  if (bytes === 0 || (end - start) % bytes !== 0) return yield* sameBytes({ start, end });
  for (let at = start; at < end; at += SLICE_BYTES) {
    const [a, b] = yield { start: at, end: Math.min(end, at + SLICE_BYTES) };
    if (!areNear(a, b, bytes, tolerance)) return false;
  }
  return true;
}

function areNear(a: Uint8Array, b: Uint8Array, bytes: 4 | 8, tolerance: number): boolean {
  if (a.length !== b.length) return false;
  const [left, right] = [viewOf(a), viewOf(b)];
  for (let at = 0; at < a.length; at += bytes) {
    const x = bytes === 4 ? left.getFloat32(at, true) : left.getFloat64(at, true);
    const y = bytes === 4 ? right.getFloat32(at, true) : right.getFloat64(at, true);
    if (!isNear(x, y, tolerance)) return false;
  }
  return true;
}
