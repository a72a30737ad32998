/** The generated code is what the schema gives, and the schema still means what it meant to clients built before. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { GENERATED_DIR, PROTO_FILE, findBroken, findStale } from '../../scripts/generate-proto.ts';
import { describeSchema, findIncompatibilities } from '../../scripts/proto-schema.ts';

test('proto/generated is current', async () => {
  assert.deepEqual(await findStale(GENERATED_DIR), []);
});

test('generated code that was changed, lost or left over is found', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'plugpool-generated-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(GENERATED_DIR, folder, { recursive: true });
  assert.deepEqual(await findStale(folder), []);
  await writeFile(join(folder, 'fields.ts'), 'export const FIELDS = {};\n');
  await writeFile(join(folder, 'left-over.js'), '');
  await rm(join(folder, 'plugpool.d.ts'));
  assert.deepEqual(await findStale(folder), [
    'left-over.js is not generated any more',
    'plugpool.d.ts is missing',
    'fields.ts is out of date',
  ]);
});

test('the schema is compatible with the one that was recorded last', async () => {
  assert.deepEqual(await findBroken(), []);
});

describe('against the recorded schema,', () => {
  const HEAD = 'syntax = "proto3"; package p;';
  const BEFORE = `${HEAD}
    enum Kind { KIND_UNSPECIFIED = 0; KIND_A = 1; }
    message Inner { string id = 1; }
    message Outer { uint32 count = 1; repeated Inner inners = 2; Kind kind = 3; oneof which { string a = 4; string b = 5; } }`;
  const broken = (change: readonly [from: string, to: string]): string[] => {
    assert.ok(BEFORE.includes(change[0]));
    return findIncompatibilities(describeSchema(BEFORE), describeSchema(BEFORE.replace(...change)));
  };

  test('the same is compatible, and so are new fields, messages and values', () => {
    assert.deepEqual(broken(['string id = 1;', 'string id = 1; bytes more = 2;']), []);
    assert.deepEqual(broken(['KIND_A = 1;', 'KIND_A = 1; KIND_B = 2;']), []);
    assert.deepEqual(broken(['message Inner', 'message New { } message Inner']), []);
  });

  test('a field that changed its type, name, label or oneof is found', () => {
    assert.deepEqual(broken(['uint32 count', 'uint64 count']), [
      'Outer.count (field 1) was uint32 and is now uint64',
    ]);
    assert.deepEqual(broken(['uint32 count', 'uint32 total']), ['Outer.count (field 1) is now called total']);
    assert.deepEqual(broken(['repeated Inner', 'Inner']), [
      'Outer.inners (field 2) was repeated and is now singular',
    ]);
    assert.deepEqual(broken(['uint32 count', 'optional uint32 count']), [
      'Outer.count (field 1) was singular and is now optional',
    ]);
    assert.deepEqual(broken(['Kind kind = 3; oneof which {', 'oneof which { Kind kind = 3;']), [
      'Outer.kind (field 3) moved from oneof (none) to which',
    ]);
  });

  test('a field that was removed must leave its number and its name reserved', () => {
    assert.deepEqual(broken(['uint32 count = 1;', '']), [
      'Outer.count (field 1) was removed: reserve the number 1',
      'Outer.count (field 1) was removed: reserve the name "count"',
    ]);
    assert.deepEqual(broken(['uint32 count = 1;', 'reserved 1; reserved "count";']), []);
  });

  test('a number that was given to another field is found', () => {
    assert.deepEqual(broken(['uint32 count = 1;', 'string text = 1; reserved "count";']), [
      'Outer.count (field 1) is now called text',
      'Outer.count (field 1) was uint32 and is now string',
    ]);
  });

  test('an enum value that was renamed, renumbered or removed is found', () => {
    assert.deepEqual(broken(['KIND_A = 1', 'KIND_Z = 1']), ['Kind 1 was KIND_A and is now KIND_Z']);
    assert.deepEqual(broken(['KIND_A = 1', 'KIND_A = 2']), ['Kind.KIND_A was removed: reserve the number 1']);
    assert.deepEqual(broken(['KIND_A = 1;', 'reserved 1;']), []);
  });

  test('a message or an enum that was removed is found', () => {
    const after = describeSchema(`${HEAD} message Outer { reserved 1 to 5; reserved "count"; }`);
    const found = findIncompatibilities(describeSchema(BEFORE), after);
    assert.ok(found.includes('message Inner was removed'));
    assert.ok(found.includes('enum Kind was removed'));
  });
});

test('the schema holds no field of which the wire check knows nothing', async () => {
  const { messages, enums } = describeSchema(await readFile(PROTO_FILE, 'utf8'));
  const known = new Set([
    'uint32',
    'uint64',
    'sint32',
    'bool',
    'string',
    'bytes',
    ...Object.keys(messages),
    ...Object.keys(enums),
  ]);
  const unknown = Object.values(messages).flatMap(({ fields }) =>
    fields.filter(({ type }) => !known.has(type)),
  );
  assert.deepEqual(unknown, []);
});
