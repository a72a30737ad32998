/**
 * Walks the bytes of a message against the schema before the generated code decodes them, and refuses what that code would
 * let through: a known field of the wrong wire type (it would be skipped in silence), groups, numbers that would be cut to
 * 32 bits or lose precision, text that is not UTF-8, a field that stands twice, and whatever is beyond its bound. Unknown
 * field numbers are skipped: a newer peer may send them.
 */
import { isUtf8 } from 'node:buffer';
import { BodyRefused } from './refusal.ts';
import { LENGTH_DELIMITED, VARINT } from './wire-plan.ts';
import type { FieldPlan, MessagePlan } from './wire-plan.ts';

/** Up to this length a text is scanned here; above, the native check is faster. */
const SCANNED_BYTES_MAX = 48;
/** Above this a varint's bits do not fit JavaScript's integer shifts. */
const SHIFT_BITS_MAX = 28;
const VARINT_BYTES_MAX = 10;

export class WireCheck {
  readonly #bytes: Buffer;
  /** Where the next read begins. */
  #at = 0;
  #metUnknown = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get at(): number {
    return this.#at;
  }

  /** Whether the message that was checked last holds a field that is not known here. */
  get metUnknown(): boolean {
    return this.#metUnknown;
  }

  /** Reads on from another place. */
  seek(at: number): void {
    this.#at = at;
  }

  /** Checks the message in [start, end). Throws `BodyRefused`. */
  check(plan: MessagePlan, start: number, end: number): void {
    this.#at = start;
    this.#metUnknown = false;
    this.#checkMessage(plan, end);
  }

  #checkMessage(plan: MessagePlan, end: number): void {
    let seen = 0;
    let counts: number[] | undefined;
    while (this.#at < end) {
      const tag = this.readTag(end);
      const field = plan.fields[tag >>> 3];
      if (field === undefined) {
        this.#metUnknown = true;
        this.skip(tag, end, plan.name);
      } else if (field.repeated) {
        counts ??= new Array<number>(plan.repeatedCount).fill(0);
        const count = (counts[field.countIndex] ?? 0) + this.#checkRepeated(field, tag & 7, end);
        if (count > field.countMax)
          throw new BodyRefused(`${field.name}: more than ${field.countMax} entries`);
        counts[field.countIndex] = count;
      } else {
        if ((seen & field.bit) !== 0) throw new BodyRefused(`${field.name}: it, or its oneof, stands twice`);
        seen |= field.bit;
        this.#checkValue(field, tag & 7, end);
      }
    }
    if ((seen & plan.requiredBits) !== plan.requiredBits) refuseMissing(plan, seen);
  }

  /** How many entries the field brought. */
  #checkRepeated(field: FieldPlan, wireType: number, end: number): number {
    if (!field.packable || wireType !== LENGTH_DELIMITED) {
      this.#checkValue(field, wireType, end);
      return 1;
    }
    const packedEnd = this.readLength(end, field.name);
    let count = 0;
    for (; this.#at < packedEnd; count += 1) this.#checkNumber(field, packedEnd);
    return count;
  }

  #checkValue(field: FieldPlan, wireType: number, end: number): void {
    if (wireType !== field.wireType) throw new BodyRefused(`${field.name}: wire type ${wireType}`);
    if (wireType === VARINT) {
      this.#checkNumber(field, end);
      return;
    }
    const valueEnd = this.readLength(end, field.name);
    if (field.message !== undefined) this.#checkMessage(field.message, valueEnd);
    else this.#checkBytes(field, valueEnd);
  }

  #checkNumber(field: FieldPlan, end: number): void {
    const value = this.readVarint(end, field.name);
    if (value < field.min) throw new BodyRefused(`${field.name}: below ${field.min}`, field.code);
    if (value > field.max) throw new BodyRefused(`${field.name}: ${tooLarge(field)}`, field.code);
  }

  #checkBytes(field: FieldPlan, end: number): void {
    const length = end - this.#at;
    if (length < field.min) throw new BodyRefused(`${field.name}: below ${field.min} bytes`, field.code);
    if (length > field.max) throw new BodyRefused(`${field.name}: above ${field.max} bytes`, field.code);
    if (field.type === 'string' && !this.#isText(end)) throw new BodyRefused(`${field.name}: not UTF-8`);
    this.#at = end;
  }

  #isText(end: number): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    if (end - start <= SCANNED_BYTES_MAX) {
      let at = start;
      while (at < end && bytes[at]! < 0x80) at += 1;
      if (at === end) return true;
    }
    return isUtf8(bytes.subarray(start, end));
  }

  /** A tag: field number × 8 + wire type. */
  readTag(end: number): number {
    const tag = this.readVarint(end, 'tag');
    if (tag < 8 || tag > 0xff_ff_ff_ff) throw new BodyRefused('tag: no such field number');
    return tag;
  }

  /** Reads a length and gives where the value ends. */
  readLength(end: number, name: string): number {
    const valueEnd = this.readVarint(end, name) + this.#at;
    if (valueEnd > end) throw new BodyRefused(`${name}: cut off`);
    return valueEnd;
  }

  /** A varint as a number; one beyond a safe integer comes out beyond a safe integer, never as a smaller number. */
  readVarint(end: number, name: string): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let bits = 0; this.#at < end; bits += 7) {
      const byte = bytes[this.#at]!;
      this.#at += 1;
      value = bits < SHIFT_BITS_MAX ? value | ((byte & 0x7f) << bits) : value + (byte & 0x7f) * 2 ** bits;
      if (byte < 0x80) return value;
      if (bits === (VARINT_BYTES_MAX - 1) * 7) throw new BodyRefused(`${name}: varint above 10 bytes`);
    }
    throw new BodyRefused(`${name}: cut off`);
  }

  /** Skips the value of a field that is not known here. */
  skip(tag: number, end: number, within: string): void {
    switch (tag & 7) {
      case VARINT:
        this.readVarint(end, within);
        return;
      case 1:
        return this.#skipBytes(8, end, within);
      case LENGTH_DELIMITED:
        this.#at = this.readLength(end, within);
        return;
      case 5:
        return this.#skipBytes(4, end, within);
      default:
        throw new BodyRefused(`${within}: wire type ${tag & 7}`);
    }
  }

  #skipBytes(count: number, end: number, within: string): void {
    if (this.#at + count > end) throw new BodyRefused(`${within}: cut off`);
    this.#at += count;
  }
}

function tooLarge({ type, max }: FieldPlan): string {
  return type === 'sint32' ? `beyond ±${max / 2}` : `above ${max}`;
}

function refuseMissing(plan: MessagePlan, seen: number): never {
  const missing = plan.fields.find(
    (field) => field !== undefined && (plan.requiredBits & field.bit & ~seen) !== 0,
  );
  throw new BodyRefused(`${missing?.name ?? plan.name}: missing`);
}
