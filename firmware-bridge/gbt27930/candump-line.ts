/** Reads one line of `candump -L`: `(1436509052.249713) can0 1826F456#010100`. */

/** 29-bit identifiers alone: GB/T 27930 uses no others. */
export interface CanFrame {
  /** As the line says it, ms; since 1970 where the tap's clock is right. */
  readonly atMs: number;
  /** The interface that it was heard on. */
  readonly bus: string;
  readonly id: number;
  /** 0 to 8 bytes. */
  readonly data: Uint8Array;
}

export type ParsedLine =
  | { readonly kind: 'frame'; readonly frame: CanFrame }
  /** A frame that this protocol never uses: 11-bit, remote, error or CAN FD; also an empty line. */
  | { readonly kind: 'other' }
  | { readonly kind: 'unreadable'; readonly why: string };

/** The longest that can be true: a CAN FD frame of 64 bytes. */
export const LINE_CHARS_MAX = 256;

const OTHER: ParsedLine = { kind: 'other' };
const SPACE = 0x20;
const HASH = 0x23;
const EXTENDED_ID_DIGITS = 8;
const STANDARD_ID_DIGITS = 3;
const EXTENDED_ID_MAX = 0x1fff_ffff;
const DATA_BYTES_MAX = 8;
const BUS_PATTERN = /^[A-Za-z0-9_.@-]{1,16}$/;

/** What each character is as a hexadecimal digit; -1: none. */
const DIGITS = Int8Array.from({ length: 128 }, (_, code) => {
  const digit = parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? -1 : digit;
});

/** Never throws, whatever the line; one that was too long to be held is absent. */
export function parseCandumpLine(line: string | undefined): ParsedLine {
  if (line === undefined || line.length > LINE_CHARS_MAX)
    return unreadable(`it has more than ${LINE_CHARS_MAX} characters`);
  if (line.length === 0 || line === '\r') return OTHER;
  const timeEnd = line.indexOf(') ');
  if (line.charCodeAt(0) !== 0x28 || timeEnd < 0) return unreadable('it does not begin with (seconds)');
  const atMs = millisecondsOf(line.slice(1, timeEnd));
  if (atMs === undefined) return unreadable('the time in its brackets is not a number of seconds');
  const busEnd = line.indexOf(' ', timeEnd + 2);
  if (busEnd < 0) return unreadable('it ends before the identifier');
  const bus = line.slice(timeEnd + 2, busEnd);
  return parseFrame(line, busEnd + 1, atMs, bus);
}

function parseFrame(line: string, start: number, atMs: number, bus: string): ParsedLine {
  const hash = line.indexOf('#', start);
  if (hash < 0) return unreadable('it has no # between identifier and data');
  if (!BUS_PATTERN.test(bus)) return unreadable('what stands after the time does not name an interface');
  const id = hexOf(line, start, hash);
  if (id < 0) return unreadable('the identifier is not hexadecimal');
  const idDigits = hash - start;
  if (idDigits === STANDARD_ID_DIGITS) return OTHER;
  if (idDigits !== EXTENDED_ID_DIGITS) return unreadable('the identifier has neither 3 nor 8 digits');
  // `##` is CAN FD, `#R` a remote frame; beyond 29 bits stand the flags of error frames.
  const first = line.charCodeAt(hash + 1);
  if (first === HASH || first === 0x52 || id > EXTENDED_ID_MAX) return OTHER;
  const data = bytesOf(line, hash + 1);
  if (data === undefined) return unreadable('the data is not 0 to 8 bytes in hexadecimal');
  return { kind: 'frame', frame: { atMs, bus, id, data } };
}

function unreadable(why: string): ParsedLine {
  return { kind: 'unreadable', why };
}

function millisecondsOf(text: string): number | undefined {
  const seconds = text.length === 0 || text.length > 24 ? NaN : Number(text);
  return seconds >= 0 && seconds < 1e11 ? Math.round(seconds * 1e6) / 1e3 : undefined;
}

/** -1 where a character is no hexadecimal digit. */
function hexOf(text: string, start: number, end: number): number {
  let value = 0;
  if (start === end || end - start > EXTENDED_ID_DIGITS) return -1;
  for (let index = start; index < end; index += 1) {
    const digit = digitAt(text, index);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

function digitAt(text: string, index: number): number {
  const code = text.charCodeAt(index);
  return code < 128 ? (DIGITS[code] ?? -1) : -1;
}

/** Up to the end of the line, or to the blank before the direction that `candump -x` adds. */
function bytesOf(line: string, start: number): Uint8Array | undefined {
  let end = start;
  while (end < line.length && line.charCodeAt(end) > SPACE) end += 1;
  const count = (end - start) / 2;
  if (!Number.isInteger(count) || count > DATA_BYTES_MAX) return undefined;
  const data = new Uint8Array(count);
  for (let index = 0; index < count; index += 1) {
    const high = digitAt(line, start + 2 * index);
    const low = digitAt(line, start + 2 * index + 1);
    if (high < 0 || low < 0) return undefined;
    data[index] = high * 16 + low;
  }
  return data;
}
