/** Where the numbers lie in two containers of tensors (docs/sandbox.md), as long as they hold the same shapes. Pure. */
import { isSameBytes } from './same-bytes.ts';

export interface Slice {
  readonly start: number;
  readonly end: number;
}

/** The same slice of both. */
export type Pair = readonly [Uint8Array, Uint8Array];

/** `bytes` 4 or 8: floats of that size; 0: no floats. */
export interface Region extends Slice {
  readonly bytes: 0 | 4 | 8;
}

export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

const MAGIC = [0x50, 0x50, 0x54, 0x31];
const HEAD_BYTES = 8;
const TENSORS_MAX = 64;
const RANK_MAX = 8;
const NAME_BYTES_MAX = 256;
const FLOAT32 = 1;
const FLOAT64 = 11;
/** Of each element, by ONNX's TensorProto.DataType. */
const ELEMENT_BYTES: Readonly<Record<number, number>> = {
  [FLOAT32]: 4,
  2: 1,
  3: 1,
  4: 2,
  5: 2,
  6: 4,
  7: 8,
  9: 1,
  10: 2,
  [FLOAT64]: 8,
  12: 4,
  13: 8,
};

/** Where the numbers of a container of tensors lie; undefined where the two differ in what they hold, or hold nonsense. */
export function* tensorsIn(size: number): Generator<Slice, readonly Region[] | 'none' | undefined, Pair> {
  const [a, b] = yield { start: 0, end: Math.min(size, HEAD_BYTES) };
  if (a.length < HEAD_BYTES || !MAGIC.every((byte, i) => a[i] === byte)) return 'none';
  const count = viewOf(a).getUint32(4, true);
  if (!isSameBytes(a, b) || count > TENSORS_MAX) return undefined;
  const regions: Region[] = [];
  let at = HEAD_BYTES;
  for (let n = 0; n < count; n += 1) {
    const region = yield* tensorAt(at, size);
    if (region === undefined) return undefined;
    regions.push(region);
    at = region.end;
  }
  return at === size ? regions : undefined;
}

/** Two bytes of length, the name, a byte of type, one of rank, four of each dimension, then the elements. */
function* tensorAt(at: number, size: number): Generator<Slice, Region | undefined, Pair> {
  const longest = 2 + NAME_BYTES_MAX + 2 + 4 * RANK_MAX;
  const [a, b] = yield { start: at, end: Math.min(size, at + longest) };
  if (a.length < 4) return undefined;
  const view = viewOf(a);
  const nameEnd = 2 + view.getUint16(0, true);
  if (nameEnd + 2 > a.length) return undefined;
  const [dtype = 0, rank = 0] = a.subarray(nameEnd, nameEnd + 2);
  const headEnd = nameEnd + 2 + 4 * rank;
  const elementBytes = ELEMENT_BYTES[dtype];
  if (elementBytes === undefined || headEnd > a.length) return undefined;
  if (!isSameBytes(a.subarray(0, headEnd), b.subarray(0, headEnd))) return undefined;
  let elements = 1;
  for (let d = 0; d < rank; d += 1) elements *= view.getUint32(nameEnd + 2 + 4 * d, true);
  const end = at + headEnd + elements * elementBytes;
  if (end > size) return undefined;
  return { start: at + headEnd, end, bytes: dtype === FLOAT32 ? 4 : dtype === FLOAT64 ? 8 : 0 };
}
