/** Every field of the schema, one by one: of the wrong wire type, or beyond its bound, its body is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeDownFrame, decodeUpFrame } from '@plugpool/proto';
import { BOUNDS } from '../../proto/codec/bounds.ts';
import { FIELDS } from '../../proto/generated/fields.ts';
import { block, frameOf, number, tag } from './codec-wire.ts';

interface Field {
  readonly name: string;
  readonly id: number;
  readonly type: string;
  readonly label: string;
  readonly of?: string;
  /** Numbers of the fields that lead from a body to the message. */
  readonly path: readonly number[];
  readonly bound: {
    readonly max?: number;
    readonly magnitudeMax?: number;
    readonly bytesMin?: number;
    readonly bytesMax?: number;
    readonly countMax?: number;
  };
}

type Row = Omit<Field, 'name' | 'path' | 'bound'>;

function fieldsOf(message: string, path: readonly number[]): Field[] {
  const rows: Readonly<Record<string, Row>> = FIELDS[message as keyof typeof FIELDS];
  const bounds: Readonly<Record<string, Field['bound']>> = BOUNDS[message as keyof typeof BOUNDS];
  return Object.entries(rows).flatMap(([name, row]) => {
    const field = { ...row, name: `${message}.${name}`, path, bound: bounds[name] ?? {} };
    return row.type === 'message' ? [field, ...fieldsOf(row.of ?? '', [...path, row.id])] : [field];
  });
}

/** A frame whose body holds nothing but this, at the end of the path. */
function bodyWith(path: readonly number[], content: Uint8Array): Buffer {
  return frameOf(path.reduceRight<Uint8Array>((inner, id) => block(id, inner), content));
}

function detailOf(bytes: Uint8Array): string | undefined {
  const up = decodeUpFrame(bytes);
  const down = decodeDownFrame(bytes);
  assert.ok(up.ok && down.ok);
  assert.deepEqual([...up.envelopes, ...down.envelopes], []);
  // The wire is checked before anybody asks which way a body may travel.
  assert.deepEqual(up.rejected[0]?.reason.detail, down.rejected[0]?.reason.detail);
  return up.rejected[0]?.reason.detail;
}

const ALL = fieldsOf('Body', []);
/** A value of each wire type. */
const VALUES: readonly (readonly [wireType: number, value: Uint8Array])[] = [
  [0, Buffer.of(1)],
  [1, Buffer.alloc(8)],
  [2, Buffer.of(0)],
  [3, Buffer.alloc(0)],
  [5, Buffer.alloc(4)],
];
/** All but the correlation id, which stands in each body that is made here already. */
const FIELDS_BELOW_BODY = ALL.filter(({ path, type }) => path.length > 0 || type === 'message');

test('the walk over the schema meets every message', () => {
  const met = new Set(ALL.map(({ name }) => name.slice(0, name.lastIndexOf('.'))));
  const empty = Object.keys(FIELDS).filter((message) => !met.has(message));
  assert.deepEqual(empty, ['Frame', 'EarningsQuery']);
});

test('any field of the wrong wire type is refused, by its name', () => {
  for (const { name, id, type, label, path } of FIELDS_BELOW_BODY) {
    const isBlock = type === 'string' || type === 'bytes' || type === 'message';
    const right = isBlock ? [2] : label === 'repeated' ? [0, 2] : [0];
    for (const [wireType, value] of VALUES) {
      if (right.includes(wireType)) continue;
      const frame = bodyWith(path, Buffer.concat([tag(id, wireType), value]));
      assert.equal(detailOf(frame), `${name}: wire type ${wireType}`);
    }
  }
});

test('any number above its bound, and any negative one, is refused', () => {
  for (const { name, id, bound, path } of FIELDS_BELOW_BODY) {
    if (bound.max === undefined) continue;
    for (const value of [bound.max + 1, 2 ** 40 * 1024 * 1024, -1n]) {
      assert.equal(detailOf(bodyWith(path, number(id, value))), `${name}: above ${bound.max}`);
    }
  }
});

test('any signed number beyond its bound, either way, is refused, and the bound itself is not', () => {
  const signed = FIELDS_BELOW_BODY.flatMap((field) =>
    field.bound.magnitudeMax === undefined ? [] : [{ ...field, most: field.bound.magnitudeMax }],
  );
  assert.ok(signed.length > 0);
  for (const { name, id, path, most } of signed) {
    // On the wire m is 2m and −m is 2m − 1.
    for (const value of [2 * (most + 1), 2 * (most + 1) - 1, 2 ** 32, -1n])
      assert.equal(detailOf(bodyWith(path, number(id, value))), `${name}: beyond ±${most}`);
    for (const value of [2 * most, 2 * most - 1]) {
      const decoded = decodeUpFrame(bodyWith(path, number(id, value)));
      assert.ok(decoded.ok);
      assert.doesNotMatch(decoded.rejected[0]?.reason.detail ?? '', /beyond/);
    }
  }
});

test('any text and any bytes above their bound are refused', () => {
  for (const { name, id, bound, path } of FIELDS_BELOW_BODY) {
    if (bound.bytesMax === undefined) continue;
    const frame = bodyWith(path, block(id, Buffer.alloc(bound.bytesMax + 1, 0x61)));
    assert.equal(detailOf(frame), `${name}: above ${bound.bytesMax} bytes`);
  }
});

test('any list above its bound is refused', () => {
  for (const { name, id, type, bound, path } of FIELDS_BELOW_BODY) {
    if (bound.countMax === undefined) continue;
    const entry = type === 'enum' ? number(id, 1) : block(id, Buffer.alloc(bound.bytesMin ?? 0));
    const frame = bodyWith(path, Buffer.concat(Array.from({ length: bound.countMax + 1 }, () => entry)));
    assert.equal(detailOf(frame), `${name}: more than ${bound.countMax} entries`);
  }
});
