/**
 * Named tensors as bytes: what an ONNX model's task takes as input and gives as output.
 *
 * A container, all numbers little-endian, nothing aligned or padded:
 *   "PPT1" · u32 number of tensors · for each: u16 length of the name, the name in UTF-8, u8 dtype, u8 rank,
 *   rank × u32 dimension, the elements in row-major order.
 * dtype is ONNX's TensorProto.DataType. A rank of 0 is a scalar; a dimension of 0 leaves no elements. Names differ from each
 * other. The container ends with its last element.
 */

const MAGIC = 'PPT1';
export const TENSORS_MAX = 64;
export const RANK_MAX = 8;
export const TENSOR_NAME_BYTES_MAX = 256;
const HEAD_BYTES = 8;

/** Element types with their number in ONNX's TensorProto.DataType and their size. */
const DTYPES = {
  float32: { code: 1, bytes: 4 },
  uint8: { code: 2, bytes: 1 },
  int8: { code: 3, bytes: 1 },
  uint16: { code: 4, bytes: 2 },
  int16: { code: 5, bytes: 2 },
  int32: { code: 6, bytes: 4 },
  int64: { code: 7, bytes: 8 },
  /** One byte an element: 0 or 1. */
  bool: { code: 9, bytes: 1 },
  float16: { code: 10, bytes: 2 },
  float64: { code: 11, bytes: 8 },
  uint32: { code: 12, bytes: 4 },
  uint64: { code: 13, bytes: 8 },
} as const;

export type TensorType = keyof typeof DTYPES;

export interface NamedTensor {
  readonly name: string;
  readonly dtype: TensorType;
  readonly dims: readonly number[];
  /** The elements, little-endian, row-major. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Thrown by both directions: says what is wrong and in which tensor. */
export class TensorError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TensorError';
  }
}

export function encodeTensors(tensors: readonly NamedTensor[]): Uint8Array<ArrayBuffer> {
  if (tensors.length > TENSORS_MAX)
    throw new TensorError(`${tensors.length} tensors; at most ${TENSORS_MAX}`);
  checkDistinct(tensors.map((tensor) => tensor.name));
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 0, 'latin1');
  head.writeUInt32LE(tensors.length, MAGIC.length);
  const parts = tensors.flatMap((tensor) => [encodeHeader(tensor), tensor.data]);
  const bytes = new Uint8Array([head, ...parts].reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of [head, ...parts]) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** The tensors of a container; their data is copied, so that it is aligned for every element type. */
export function decodeTensors(bytes: Uint8Array): NamedTensor[] {
  const reader = new Reader(bytes);
  if (reader.text(MAGIC.length, 'the head') !== MAGIC) {
    throw new TensorError('the input does not begin with "PPT1": it is no tensor container');
  }
  const count = reader.u32('the number of tensors');
  if (count > TENSORS_MAX) throw new TensorError(`${count} tensors; at most ${TENSORS_MAX}`);
  const tensors = Array.from({ length: count }, (_, index) => decodeOne(reader, index));
  checkDistinct(tensors.map((tensor) => tensor.name));
  if (reader.left > 0) throw new TensorError(`${reader.left} bytes follow the last tensor`);
  return tensors;
}

/** How many elements a tensor of these dimensions has. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

export function float32Tensor(name: string, dims: readonly number[], values: ArrayLike<number>): NamedTensor {
  return { name, dtype: 'float32', dims, data: bytesOf(Float32Array.from(values)) };
}

export function int64Tensor(name: string, dims: readonly number[], values: ArrayLike<bigint>): NamedTensor {
  return { name, dtype: 'int64', dims, data: bytesOf(BigInt64Array.from(values)) };
}

export function uint8Tensor(name: string, dims: readonly number[], values: ArrayLike<number>): NamedTensor {
  return { name, dtype: 'uint8', dims, data: Uint8Array.from(values) };
}

/** The elements of a float32 tensor. */
export function float32Values(tensor: NamedTensor): Float32Array<ArrayBuffer> {
  if (tensor.dtype !== 'float32') {
    throw new TensorError(`tensor "${tensor.name}" holds ${tensor.dtype}, not float32`);
  }
  return new Float32Array(aligned(tensor.data).buffer);
}

export function isTensorType(name: string): name is TensorType {
  return Object.hasOwn(DTYPES, name);
}

function encodeHeader(tensor: NamedTensor): Buffer {
  const name = Buffer.from(tensor.name, 'utf8');
  checkTensor(tensor, name.byteLength);
  const header = Buffer.alloc(2 + name.byteLength + 2 + 4 * tensor.dims.length);
  let at = header.writeUInt16LE(name.byteLength, 0);
  at += name.copy(header, at);
  at = header.writeUInt8(DTYPES[tensor.dtype].code, at);
  at = header.writeUInt8(tensor.dims.length, at);
  for (const dim of tensor.dims) at = header.writeUInt32LE(dim, at);
  return header;
}

function checkTensor({ name, dtype, dims, data }: NamedTensor, nameBytes: number): void {
  checkName(nameBytes, `tensor "${name}"`);
  checkRank(dims.length, `tensor "${name}"`);
  if (!dims.every((dim) => Number.isInteger(dim) && dim >= 0 && dim <= 0xffff_ffff)) {
    throw new TensorError(
      `tensor "${name}" has a dimension that is no unsigned 32-bit number: [${dims.join(', ')}]`,
    );
  }
  const expected = elementCount(dims) * DTYPES[dtype].bytes;
  if (data.byteLength !== expected) {
    throw new TensorError(
      `tensor "${name}" of ${dtype} [${dims.join(', ')}] needs ${expected} bytes and has ${data.byteLength}`,
    );
  }
}

function decodeOne(reader: Reader, index: number): NamedTensor {
  const nameBytes = reader.u16(`the name of tensor ${index}`);
  checkName(nameBytes, `tensor ${index}`);
  const name = reader.text(nameBytes, `the name of tensor ${index}`);
  const what = `tensor "${name}"`;
  const dtype = typeOf(reader.u8(what), what);
  const rank = reader.u8(what);
  checkRank(rank, what);
  const dims = Array.from({ length: rank }, () => reader.u32(what));
  // A product of dimensions may exceed every number that is exact, and then exceeds what is left of the container too.
  const data = reader.copy(elementCount(dims) * DTYPES[dtype].bytes, `the elements of ${what}`);
  if (dtype === 'bool' && data.some((byte) => byte > 1))
    throw new TensorError(`${what} of bool has other bytes than 0 and 1`);
  return { name, dtype, dims, data };
}

function typeOf(code: number, what: string): TensorType {
  const found = Object.entries(DTYPES).find(([, one]) => one.code === code);
  if (!found) throw new TensorError(`${what} has the unknown element type ${code}`);
  return found[0] as TensorType;
}

function checkName(nameBytes: number, what: string): void {
  if (nameBytes === 0 || nameBytes > TENSOR_NAME_BYTES_MAX) {
    throw new TensorError(
      `${what} has a name of ${nameBytes} bytes; 1 to ${TENSOR_NAME_BYTES_MAX} are allowed`,
    );
  }
}

function checkRank(rank: number, what: string): void {
  if (rank > RANK_MAX) throw new TensorError(`${what} has ${rank} dimensions; at most ${RANK_MAX}`);
}

function checkDistinct(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new TensorError(`two tensors are named "${twice}"`);
}

function bytesOf(array: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** The same bytes in a buffer of their own. */
function aligned(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return data.byteOffset === 0 && data.byteLength === data.buffer.byteLength ? data : data.slice();
}

/** Reads forward and never beyond the end. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }

  u8(what: string): number {
    return this.#bytes.readUInt8(this.#advance(1, what));
  }

  u16(what: string): number {
    return this.#bytes.readUInt16LE(this.#advance(2, what));
  }

  u32(what: string): number {
    return this.#bytes.readUInt32LE(this.#advance(4, what));
  }

  text(length: number, what: string): string {
    const start = this.#advance(length, what);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        this.#bytes.subarray(start, start + length),
      );
    } catch {
      throw new TensorError(`${what} is no valid UTF-8`);
    }
  }

  copy(length: number, what: string): Uint8Array<ArrayBuffer> {
    const start = this.#advance(length, what);
    return new Uint8Array(this.#bytes.subarray(start, start + length));
  }

  #advance(length: number, what: string): number {
    if (length > this.left) {
      throw new TensorError(
        `the container ends within ${what}: ${length} bytes are needed, ${this.left} are left`,
      );
    }
    const start = this.#at;
    this.#at += length;
    return start;
  }
}
