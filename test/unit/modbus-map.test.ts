/** Register maps: what is shipped is right, what an operator writes is read or refused with its place, and values become states. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { FirmwareError, createModbusFirmware, createPseudonymizer } from '../../firmware-bridge/index.ts';
import { checkMap, loadMap, shippedMaps } from '../../firmware-bridge/modbus/load-map.ts';
import { planReads } from '../../firmware-bridge/modbus/read-plan.ts';
import { readValue } from '../../firmware-bridge/modbus/register-value.ts';
import { stateOf } from '../../firmware-bridge/modbus/state-rule.ts';
import type { Register } from '../../firmware-bridge/modbus/register-map.ts';
import type { Value } from '../../firmware-bridge/modbus/register-value.ts';

const RIGHT = {
  name: 'x',
  sources: ['made up'],
  registers: { vehicle: { address: 1, type: 'u16' } },
  state: [{ when: { vehicle: [1] }, is: 'unplugged' }],
};
const pseudonymize = createPseudonymizer(new Uint8Array(16));

function refusal(map: object): string {
  try {
    checkMap('own.yaml', map);
  } catch (error) {
    if (error instanceof FirmwareError && error.code === 'invalid_file') return error.message;
    throw error;
  }
  return assert.fail('the map was taken');
}

test('the three maps are shipped, and each says where its facts come from', () => {
  assert.deepEqual(shippedMaps(), ['bender', 'charx', 'keba']);
  for (const name of shippedMaps()) assert.ok(loadMap(name).sources.length >= 2);
});

const STATES: Readonly<Record<string, readonly (readonly [Record<string, Value>, string | undefined])[]>> = {
  charx: [
    [{ vehicle: 'A1' }, 'unplugged'],
    [{ vehicle: 'A2' }, 'unplugged'],
    [{ vehicle: 'B1' }, 'plugged'],
    [{ vehicle: 'B2' }, 'suspendedEV'],
    [{ vehicle: 'C1' }, 'suspendedEVSE'],
    [{ vehicle: 'C2', power: 11_000_000 }, 'charging'],
    [{ vehicle: 'C2', power: 0 }, 'suspendedEV'],
    [{ vehicle: 'C2' }, 'charging'],
    [{ vehicle: 'F' }, 'faulted'],
    [{ vehicle: 'X1' }, undefined],
    [{}, undefined],
  ],
  bender: [
    [{ vehicle: 1 }, 'unplugged'],
    [{ vehicle: 2 }, 'plugged'],
    [{ vehicle: 2, ocpp: 8 }, 'suspendedEV'],
    [{ vehicle: 2, ocpp: 7 }, 'suspendedEVSE'],
    [{ vehicle: 3, relay: 0, power: 0 }, 'suspendedEVSE'],
    [{ vehicle: 3, relay: 1, power: 20 }, 'suspendedEV'],
    [{ vehicle: 4, relay: 5, power: 3_600 }, 'charging'],
    [{ vehicle: 5 }, 'faulted'],
    [{ vehicle: 3, ocpp: 4 }, 'faulted'],
    [{ vehicle: 0 }, undefined],
  ],
  keba: [
    [{ station: 1, cable: 0 }, 'unplugged'],
    [{ station: 1, cable: 3 }, 'unplugged'],
    [{ station: 1, cable: 7 }, 'plugged'],
    [{ station: 2, cable: 5 }, 'suspendedEV'],
    [{ station: 3, cable: 7, power: 7_200_000 }, 'charging'],
    [{ station: 3, cable: 7, power: 4_000 }, 'suspendedEV'],
    [{ station: 5, cable: 7 }, 'suspendedEVSE'],
    [{ station: 4, cable: 7 }, 'faulted'],
    [{ station: 9, cable: 7 }, undefined],
  ],
};
for (const [name, cases] of Object.entries(STATES)) {
  test(`the map ${name} makes states of what its device says`, () => {
    const { state } = loadMap(name);
    for (const [values, expected] of cases) {
      assert.equal(stateOf(state, new Map(Object.entries(values))), expected, JSON.stringify(values));
    }
  });
}

test('what a map must not say is refused with its place', () => {
  const register = { address: 1, type: 'u16' };
  const cap = {
    limit: { address: 1, unit: 'A' },
    watchdog: {
      fallback: { address: 2, unit: 'A' },
      seconds: { address: 3, unit: 's' },
      atLeastS: 1,
      atMostS: 60,
      off: [0],
    },
  };
  const wrong: readonly (readonly [object, RegExp])[] = [
    [
      { ...RIGHT, state: [{ when: { vehicel: [1] }, is: 'unplugged' }] },
      /state\[0\]\.when\.vehicel names a register/,
    ],
    [{ ...RIGHT, state: [{ when: { vehicle: [1] }, is: 'gone' }] }, /state\[0\]\.is must be unplugged or /],
    [{ ...RIGHT, state: [{ when: {}, is: 'unplugged' }] }, /must name a register/],
    [{ ...RIGHT, state: [] }, /state/],
    [{ ...RIGHT, registers: {} }, /1 to 64 registers/],
    [{ ...RIGHT, registers: { vehicle: { ...register, address: 70_000 } } }, /registers\.vehicle\.address/],
    [
      { ...RIGHT, registers: { vehicle: { ...register, type: 'u8' } } },
      /registers\.vehicle\.type must be u16 or /,
    ],
    [{ ...RIGHT, registers: { vehicle: { address: 1, type: 'ascii' } } }, /must say words/],
    [{ ...RIGHT, registers: { vehicle: { ...register, words: 2 } } }, /must say words/],
    [{ ...RIGHT, registers: { vehicle: { ...register, range: [5, 1] } } }, /\[lowest, highest\]/],
    [
      { ...RIGHT, registers: { ...RIGHT.registers, power: register } },
      /registers\.power\.unit must be one of mW, W, kW/,
    ],
    [
      { ...RIGHT, registers: { ...RIGHT.registers, soc: { ...register, unit: 'W' } } },
      /registers\.soc\.unit/,
    ],
    [{ ...RIGHT, colour: 'green' }, /must not have colour/],
    [{ ...RIGHT, sources: [] }, /sources must not be empty/],
    [{ ...RIGHT, cap: { ...cap, limit: { address: 1, unit: 's' } } }, /limit and fallback in A/],
    [{ ...RIGHT, cap: { ...cap, watchdog: undefined } }, /cap\.watchdog/],
    [{ ...RIGHT, cap: { ...cap, atLeastA: 3 } }, /cap\.atLeastA/],
  ];
  for (const [map, place] of wrong) assert.match(refusal(map), place);
  assert.equal(checkMap('own.yaml', { ...RIGHT, cap }).cap?.writes, 'multiple');
});

test("an operator's own file is read by its path; one that is no map, or is not there, is refused", (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-map-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'own.yaml');
  writeFileSync(file, JSON.stringify(RIGHT));
  assert.equal(loadMap(file).unit, 1);
  writeFileSync(file, 'name: [');
  assert.throws(() => loadMap(file), { code: 'invalid_file' });
  writeFileSync(file, '- 1');
  assert.throws(() => loadMap(file), { code: 'invalid_file' });
  assert.throws(() => loadMap(join(folder, 'absent.yaml')), { code: 'invalid_file' });
  assert.throws(
    () => loadMap('wallbe'),
    (error: FirmwareError) => error.hint.includes('bender, charx, keba'),
  );
});

test('the map that the documentation shows is one', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/firmware/modbus.md'), 'utf8');
  const example = /```yaml\n(name: [\s\S]*?)```/.exec(page)?.[1] ?? '';
  assert.equal(checkMap('the page', parse(example)).cap?.watchdog.atMostS, 600);
});

test('options that cannot be right are refused before anything is connected', () => {
  const right = {
    station: 'pile',
    host: 'controller',
    map: 'keba',
    connectors: [{ connector: '1' }],
    pseudonymize,
  };
  const wrong = [
    { connectors: [] },
    { connectors: [{ connector: 'a b' }] },
    { connectors: [{ connector: '1' }, { connector: '1', unit: 2 }] },
    { connectors: [{ connector: '1' }, { connector: '2' }] },
    { map: 'bender', writeCap: true },
  ];
  for (const options of wrong) {
    assert.throws(
      () => createModbusFirmware({ ...right, ...options }),
      { code: 'invalid_argument' },
      JSON.stringify(options),
    );
  }
  const readOnly = createModbusFirmware(right);
  assert.equal(readOnly.control, undefined);
  assert.deepEqual(
    [...(createModbusFirmware({ ...right, writeCap: true }).control?.abilities ?? [])],
    ['cap'],
  );
});

test('words are read in their type, order and scale, and what the device does not know is none', () => {
  const base: Register = {
    address: 0,
    table: 'holding',
    type: 'u32',
    wordOrder: 'bigFirst',
    scale: 1,
    none: [],
    optional: false,
    lastSeen: false,
  };
  const read = (register: Partial<Register>, ...words: number[]) =>
    readValue({ ...base, ...register }, Uint16Array.from(words));
  assert.deepEqual(read({}, 1, 2), { kind: 'value', value: 65_538 });
  assert.deepEqual(read({ wordOrder: 'littleFirst' }, 1, 2), { kind: 'value', value: 131_073 });
  assert.deepEqual(read({ type: 'i32' }, 0xffff, 0xfffe), { kind: 'value', value: -2 });
  assert.deepEqual(read({ type: 'i16' }, 0xffff), { kind: 'value', value: -1 });
  assert.deepEqual(read({ type: 'u64' }, 0, 1, 0, 0), { kind: 'value', value: 2 ** 32 });
  assert.deepEqual(read({ scale: 0.1 }, 0, 5), { kind: 'value', value: 0.5 });
  assert.deepEqual(read({ none: [0xffffffff] }, 0xffff, 0xffff), { kind: 'none' });
  assert.deepEqual(read({ range: [0, 100] }, 0, 101), { kind: 'outOfRange', value: 101 });
  assert.deepEqual(read({ type: 'ascii', words: 2 }, 0x4332, 0), { kind: 'value', value: 'C2' });
  assert.deepEqual(read({ type: 'ascii', words: 2 }, 0, 0), { kind: 'none' });
  assert.deepEqual(read({ type: 'ascii', words: 2 }, 0x0102, 0), { kind: 'none' });
  assert.deepEqual(read({ type: 'hex', words: 2 }, 0x04ab, 0xcd00), { kind: 'value', value: '04ABCD00' });
  assert.deepEqual(read({ type: 'hex', words: 2 }, 0, 0), { kind: 'none' });
});

test('registers are read together where the device lets them, and optional ones alone', () => {
  assert.deepEqual(
    planReads(loadMap('charx')).map(({ address, words }) => [address, words]),
    [[244, 56]],
  );
  const mixed = checkMap('mixed', {
    ...RIGHT,
    readTogether: 10,
    registers: {
      vehicle: { address: 1, type: 'u16' },
      near: { address: 9, type: 'u32' },
      far: { address: 12, type: 'u16' },
      maybe: { address: 13, type: 'u16', optional: true },
      other: { address: 2, type: 'u16', table: 'input' },
    },
  });
  assert.deepEqual(
    planReads(mixed).map(({ table, address, words }) => [table, address, words]),
    [
      ['holding', 1, 10],
      ['holding', 12, 1],
      ['holding', 13, 1],
      ['input', 2, 1],
    ],
  );
  assert.equal(planReads(loadMap('keba')).length, 5);
  assert.equal(planReads(loadMap('bender')).length, 8);
});
