/** The schema and the bounds, compiled once into what the wire check looks up for each tag that it meets. */
import type { RefusalCode } from '../domain.ts';
import type { Bounds, BytesBound, CountBound, NumberBound, SignedBound } from './bounds.ts';

export const VARINT = 0;
export const LENGTH_DELIMITED = 2;

type FieldType = 'uint32' | 'uint64' | 'sint32' | 'bool' | 'enum' | 'string' | 'bytes' | 'message';

export interface FieldRow {
  readonly id: number;
  readonly type: FieldType;
  /** The message or enum that the field holds. */
  readonly of?: string;
  readonly label: 'singular' | 'optional' | 'repeated';
  readonly oneof?: string;
}

export interface Schema {
  readonly fields: Readonly<Record<string, Readonly<Record<string, FieldRow>>>>;
  readonly enumNumbers: Readonly<Record<string, readonly number[]>>;
  readonly bounds: Bounds;
}

export interface FieldPlan {
  /** `Offer.seed`, as refusals name it. */
  readonly name: string;
  readonly type: FieldType;
  readonly wireType: typeof VARINT | typeof LENGTH_DELIMITED;
  readonly repeated: boolean;
  /** A repeated number may travel packed, in one length-delimited field, as well as one by one. */
  readonly packable: boolean;
  /** A bit of its own, or of its oneof: seen twice, the message is refused. */
  readonly bit: number;
  /** Place among the message's repeated fields. */
  readonly countIndex: number;
  readonly countMax: number;
  /** Of a number as it stands on the wire (a signed one zigzag: 0, −1, 1, −2 …), or of the length of a string or of bytes. */
  readonly min: number;
  readonly max: number;
  readonly code: RefusalCode;
  readonly message: MessagePlan | undefined;
}

export interface MessagePlan {
  readonly name: string;
  /** By field number. */
  readonly fields: readonly (FieldPlan | undefined)[];
  /** Bits of the fields that have a smallest value or length above zero and are not `optional`: absent, they would read as zero. */
  readonly requiredBits: number;
  readonly repeatedCount: number;
}

export function planMessage(schema: Schema, name: string): MessagePlan {
  const rows = Object.entries(schema.fields[name] ?? {});
  const bits = new Map<string, number>();
  const plan = { name, fields: [] as (FieldPlan | undefined)[], requiredBits: 0, repeatedCount: 0 };
  for (const [fieldName, row] of rows) {
    const field = planField(schema, name, fieldName, row, bitOf(bits, fieldName, row), plan.repeatedCount);
    if (field.repeated) plan.repeatedCount += 1;
    else if (field.min > 0 && row.label === 'singular' && row.oneof === undefined)
      plan.requiredBits |= field.bit;
    // Filled up, not assigned far beyond the end: a list without holes is faster to look up.
    while (plan.fields.length <= row.id) plan.fields.push(undefined);
    plan.fields[row.id] = field;
  }
  return plan;
}

function bitOf(bits: Map<string, number>, fieldName: string, row: FieldRow): number {
  const key = row.oneof ?? fieldName;
  const known = bits.get(key);
  if (known !== undefined) return known;
  if (bits.size > 30)
    throw new Error(`${fieldName}: a message may have 31 fields here; widen the mask first`);
  const bit = 1 << bits.size;
  bits.set(key, bit);
  return bit;
}

function planField(
  schema: Schema,
  messageName: string,
  fieldName: string,
  row: FieldRow,
  bit: number,
  countIndex: number,
): FieldPlan {
  const isNumber = row.type !== 'string' && row.type !== 'bytes' && row.type !== 'message';
  const bounds = schema.bounds[messageName as keyof Bounds] as Record<string, unknown>;
  const bound = (bounds[fieldName] ?? {}) as Partial<NumberBound & SignedBound & BytesBound & CountBound>;
  return {
    name: `${messageName}.${fieldName}`,
    type: row.type,
    wireType: isNumber ? VARINT : LENGTH_DELIMITED,
    repeated: row.label === 'repeated',
    packable: row.label === 'repeated' && isNumber,
    bit,
    countIndex,
    countMax: bound.countMax ?? 0,
    min: bound.min ?? bound.bytesMin ?? 0,
    max: bound.max ?? bound.bytesMax ?? zigzagMax(bound) ?? largestOf(schema, row),
    code: bound.code ?? 'malformed',
    message: row.type === 'message' ? planMessage(schema, row.of ?? '') : undefined,
  };
}

/** Zigzag, ±m lies in 0 … 2m. */
function zigzagMax({ magnitudeMax }: Partial<SignedBound>): number | undefined {
  return magnitudeMax === undefined ? undefined : 2 * magnitudeMax;
}

function largestOf(schema: Schema, row: FieldRow): number {
  if (row.type === 'bool') return 1;
  if (row.type === 'enum') return Math.max(...(schema.enumNumbers[row.of ?? ''] ?? []));
  return Number.MAX_SAFE_INTEGER;
}
