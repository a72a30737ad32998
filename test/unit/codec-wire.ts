/** Writes protobuf by hand, right and wrong, for tests of what the codec refuses. */

/** Up to 2^53; as many bytes as it needs. */
export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** What a negative number, or one of 64 bits, is on the wire. */
export function varint64(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

export function tag(field: number, wireType: number): Buffer {
  return varint(field * 8 + wireType);
}

export function number(field: number, value: number | bigint): Buffer {
  return Buffer.concat([tag(field, 0), typeof value === 'bigint' ? varint64(value) : varint(value)]);
}

/** A string, bytes, or a message of these fields. */
export function block(field: number, ...content: readonly (string | Uint8Array)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([tag(field, 2), varint(bytes.length), bytes]);
}

/** A frame of version 1 with one body of these fields, whose correlation id is 77. */
export function frameOf(...bodyFields: readonly Uint8Array[]): Buffer {
  return Buffer.concat([number(1, 1), block(2, number(1, 77), ...bodyFields)]);
}
