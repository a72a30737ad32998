/** What the words of a register mean: a number in the map's scale, a text, or nothing. */
import { wordsOf } from './register-map.ts';
import type { Register } from './register-map.ts';

export type Value = number | string;
export type ReadValue =
  | { readonly kind: 'value'; readonly value: Value }
  /** The device says that it has none: `none` of the map, an empty text. */
  | { readonly kind: 'none' }
  | { readonly kind: 'outOfRange'; readonly value: Value };

const NONE: ReadValue = { kind: 'none' };
const PRINTABLE = /^[\x20-\x7e]+$/;

/** `words` has as many as `wordsOf(register)`. */
export function readValue(register: Register, words: Uint16Array): ReadValue {
  const raw = rawOf(register, words);
  if (raw === '' || register.none.some((none) => none === raw)) return NONE;
  if (typeof raw === 'string') return { kind: 'value', value: raw };
  const value = raw * register.scale;
  const [lowest, highest] = register.range ?? [-Infinity, Infinity];
  return value >= lowest && value <= highest ? { kind: 'value', value } : { kind: 'outOfRange', value };
}

function rawOf(register: Register, words: Uint16Array): Value {
  const ordered = register.wordOrder === 'bigFirst' ? words : words.toReversed();
  const bytes = Buffer.alloc(ordered.length * 2);
  ordered.forEach((word, index) => bytes.writeUInt16BE(word, index * 2));
  switch (register.type) {
    case 'u16':
      return bytes.readUInt16BE();
    case 'i16':
      return bytes.readInt16BE();
    case 'u32':
      return bytes.readUInt32BE();
    case 'i32':
      return bytes.readInt32BE();
    case 'u64':
      // A meter's life in mWh stays below 2 ** 53.
      return Number(bytes.readBigUInt64BE());
    case 'hex':
      return /^0*$/.test(bytes.toString('hex')) ? '' : bytes.toString('hex').toUpperCase();
    case 'ascii':
      return textOf(bytes);
  }
}

/** Up to the first NUL, without blanks around it; what is not printable is none. */
function textOf(bytes: Buffer): string {
  const [text = ''] = bytes.toString('latin1').split('\0', 1);
  return PRINTABLE.test(text) ? text.trim() : '';
}

/** The part of a block that a register's value takes. */
export function wordsAt(register: Register, block: Uint16Array, blockStart: number): Uint16Array {
  const start = register.address - blockStart;
  return block.subarray(start, start + wordsOf(register));
}
