/** The frames of GB/T 27930 become messages in units of the field, and nothing that is not of the protocol becomes one. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BoundedLines } from '../../firmware-bridge/bounded-lines.ts';
import { LINE_CHARS_MAX, parseCandumpLine } from '../../firmware-bridge/gbt27930/candump-line.ts';
import { Gbt27930Decoder } from '../../firmware-bridge/gbt27930/decoder.ts';
import type { Message } from '../../firmware-bridge/gbt27930/message.ts';
import { createPseudonymizer } from '../../firmware-bridge/index.ts';
import { Gbt27930Bus } from '../conformance/gbt27930-bus.ts';
import { sharedData } from '../shared-data.ts';

const pseudonymize = createPseudonymizer(new Uint8Array(16).fill(1));
const VIN = 'LSVAA49J132047371';

interface Decoded {
  readonly messages: readonly Message[];
  readonly atMs: readonly number[];
  readonly decoder: Gbt27930Decoder;
}

function decode(text: string): Decoded {
  const decoder = new Gbt27930Decoder(pseudonymize);
  const messages: Message[] = [];
  const atMs: number[] = [];
  for (const line of text.split('\n')) {
    const parsed = parseCandumpLine(line);
    assert.notEqual(parsed.kind, 'unreadable', line);
    if (parsed.kind !== 'frame') continue;
    const message = decoder.take(parsed.frame, parsed.frame.atMs)?.message;
    if (message === undefined) continue;
    messages.push(message);
    atMs.push(parsed.frame.atMs);
  }
  return { messages, atMs, decoder };
}

function only(say: (bus: Gbt27930Bus) => Gbt27930Bus): Message | undefined {
  const { messages } = decode(say(new Gbt27930Bus()).take());
  assert.equal(messages.length, 1);
  return messages[0];
}

/** The standard's tables, worked out by hand. */
const BY_HAND: readonly (readonly [what: string, frame: string, message: Message])[] = [
  ['CHM', '1826F456#010100', { kind: 'CHM', version: '1.1' }],
  ['BHM', '182756F4#8E17', { kind: 'BHM', voltageMaxV: 603 }],
  ['CRM', '1801F456#AA01FFFFFFFFFFFF', { kind: 'CRM', recognised: true }],
  ['CTS', '1807F456#30150801032620', { kind: 'CTS', localTime: '2026-03-01T08:15:30' }],
  ['a CTS that is no time', '1807F456#FFFFFFFFFFFFFF', { kind: 'CTS' }],
  [
    'CML',
    '1808F456#581BD007D80EA00F',
    { kind: 'CML', voltageMaxV: 700, voltageMinV: 200, currentMaxA: 20, currentMinA: 0 },
  ],
  [
    'the CML of 2011, which ends earlier',
    '1808F456#581BD007D80E',
    { kind: 'CML', voltageMaxV: 700, voltageMinV: 200, currentMaxA: 20 },
  ],
  ['BRO', '100956F4#AA', { kind: 'BRO', ready: true }],
  ['CRO', '100AF456#00', { kind: 'CRO', ready: false }],
  ['BCL', '181056F4#5217820F02', { kind: 'BCL', voltageV: 597, currentA: 3, mode: 'constantCurrent' }],
  [
    'CCS',
    '1812F456#2A00A00F0500FDFF',
    { kind: 'CCS', voltageV: 4.2, currentA: 0, chargedMin: 5, output: 'allowed' },
  ],
  [
    'a CCS that pauses',
    '1812F456#2A00A00F0500FCFF',
    { kind: 'CCS', voltageV: 4.2, currentA: 0, chargedMin: 5, output: 'paused' },
  ],
  ['the CCS of 2011', '1812F456#A00F820F0100', { kind: 'CCS', voltageV: 400, currentA: 3, chargedMin: 1 }],
  ['a CCS that leaves everything open', '1812F456#FFFFFFFFFFFFFFFF', { kind: 'CCS' }],
  [
    'BSM',
    '181356F4#424B014A1B00D0',
    { kind: 'BSM', temperatureMaxC: 25, temperatureMinC: 24, faults: [], charging: 'allowed' },
  ],
  [
    'a BSM that forbids',
    '181356F4#424B014A1B41C4',
    {
      kind: 'BSM',
      temperatureMaxC: 25,
      temperatureMinC: 24,
      faults: ['cell voltage too high', 'battery too hot', 'connector'],
      charging: 'forbidden',
    },
  ],
  [
    'BST',
    '101956F4#410000F0',
    {
      kind: 'BST',
      reasons: ['the state of charge that was asked for is reached', 'the charger stopped'],
      faults: [],
    },
  ],
  ['a BST that is not sure', '101956F4#80AAAAF0', { kind: 'BST', reasons: [], faults: [] }],
  [
    'CST',
    '101AF456#100001F1',
    { kind: 'CST', reasons: ['a fault'], faults: ['emergency stop', 'current does not match'] },
  ],
  [
    'BSD',
    '181C56F4#37720198014A4C',
    {
      kind: 'BSD',
      socPermille: 550,
      cellVoltageMinV: 3.7,
      cellVoltageMaxV: 4.08,
      temperatureMinC: 24,
      temperatureMaxC: 26,
    },
  ],
  ['CSD', '181DF456#1E00320001000000', { kind: 'CSD', chargedMin: 30, energyWh: 5000 }],
  ['BEM', '081E56F4#F0F0F1FC', { kind: 'BEM', timedOut: ['CCS'] }],
  ['CEM', '081FF456#FDF0D4FC', { kind: 'CEM', timedOut: ['BRM', 'BCL', 'BST'] }],
];

for (const [what, frame, message] of BY_HAND) {
  test(`${what} is read as the standard has it`, () => {
    assert.deepEqual(
      only((bus) => bus.raw(frame)),
      message,
    );
  });
}

test('a BRM of 2015 and one of 2011 are put together, and the VIN is a pseudonym', () => {
  for (const bytes of [41, 49] as const) {
    const message = only((bus) => bus.brm(VIN, bytes));
    assert.deepEqual(message, {
      kind: 'BRM',
      version: '1.1',
      batteryType: 3,
      ratedCapacityAh: 180,
      ratedVoltageV: 400,
      vinPseudonym: pseudonymize('vin', VIN),
    });
    assert.ok(!JSON.stringify(message).includes(VIN));
  }
});

test('a VIN of zeros, of filling, or of what no VIN has is none', () => {
  for (const vin of [
    '',
    '\xff'.repeat(17),
    '0'.repeat(17),
    'LSVAA49J13204737',
    'LSVAA49J13204737I',
    ' SVAA49J132047371',
  ]) {
    assert.ok(!('vinPseudonym' in (only((bus) => bus.brm(vin)) ?? {})), JSON.stringify(vin));
  }
});

test('BCP and BCS are put together and scaled', () => {
  assert.deepEqual(
    only((bus) => bus.bcp(412)),
    {
      kind: 'BCP',
      cellVoltageMaxV: 4.2,
      currentMaxA: 100,
      ratedEnergyWh: 60_000,
      voltageMaxV: 603,
      temperatureMaxC: 55,
      socPermille: 412,
      voltageV: 390,
    },
  );
  assert.deepEqual(
    only((bus) => bus.bcs(55, 12)),
    { kind: 'BCS', voltageV: 400, currentA: 20, cellVoltageMaxV: 3.71, socPermille: 550, remainingMin: 12 },
  );
});

test('a state of charge of 255 is not available, and 200 is left to whoever judges readings', () => {
  const unknown = only((bus) => bus.bcs(255));
  assert.ok(unknown?.kind === 'BCS' && !('socPermille' in unknown));
  const absurd = only((bus) => bus.bcs(200));
  assert.ok(absurd?.kind === 'BCS' && absurd.socPermille === 2000);
});

test('what is not between charger and vehicle, or what the other would say, is foreign', () => {
  const foreign = [
    '1826F457#010100',
    '18FEF100#0102030405060708',
    '1826FF56#010100',
    '1926F456#010100',
    '1A26F456#010100',
    '182656F4#010100',
    '1830F456#00',
  ];
  const bus = new Gbt27930Bus();
  for (const frame of foreign) bus.raw(frame);
  const { messages, decoder } = decode(bus.take());
  assert.deepEqual(messages, []);
  assert.deepEqual(decoder.counts, { foreign: foreign.length, short: 0, abandoned: 0 });
});

test('a message that is shorter than either edition has it says nothing', () => {
  const { messages, decoder } = decode(new Gbt27930Bus().raw('1812F456#2A00A00F').raw('182756F4#8E').take());
  assert.deepEqual(messages, []);
  assert.equal(decoder.counts.short, 2);
});

test('the forms of candump that this protocol never uses are passed over', () => {
  for (const line of [
    '',
    '(1.5) can0 123#0102',
    '(1.5) can0 1826F456#R',
    '(1.5) can0 1826F456##1010100',
    '(1.5) can0 20000080#0000000000000000',
  ]) {
    assert.equal(parseCandumpLine(line).kind, 'other', line);
  }
  const directed = parseCandumpLine('(1436509052.249713) vcan0 1826F456#010100 R\r');
  assert.ok(
    directed.kind === 'frame' &&
      directed.frame.atMs === 1_436_509_052_249.713 &&
      directed.frame.bus === 'vcan0',
  );
});

test('lines that are cut or of another form are refused with a reason', () => {
  for (const line of [
    '(3256.5',
    '(3256.5) can0',
    '(3256.5) can0 1826F456',
    '(3256.5) can0 1826F456#01010',
    '(3256.5) can0 1826F456#0101010101010101FF',
    '(3256.5) can0 1826F4#010100',
    '(3256.5) can0 1826F4ZZ#010100',
    '(yesterday) can0 1826F456#010100',
    '(-1) can0 1826F456#010100',
    ' can0  1826F456   [3]  01 01 00',
    '(3256.5)  1826F456#010100',
    'x'.repeat(300),
    `(3256.5) can0 1826F456#010100${' '.repeat(300)}`,
  ]) {
    const parsed = parseCandumpLine(line);
    assert.equal(parsed.kind, 'unreadable', line);
  }
});

test('lines are whole however they are cut, and a line without end costs no memory', () => {
  const lines = new BoundedLines(LINE_CHARS_MAX);
  const push = (text: string) => lines.push(Buffer.from(text));
  assert.deepEqual(push('ab'), []);
  assert.deepEqual(push('c\r\nde\nf'), ['abc', 'de']);
  for (let round = 0; round < 100; round += 1) assert.deepEqual(push('x'.repeat(10_000)), []);
  assert.ok(lines.isTooLong);
  assert.deepEqual(push('\ng\n'), [undefined, 'g']);
  assert.equal(parseCandumpLine(undefined).kind, 'unreadable');
});

const recording = sharedData('firmware/gbt27930-session.candump.log');
test(
  'every frame of a real session is of the protocol, and its messages are those that were written down with it',
  { skip: recording === undefined && 'shared/data/firmware is not beside this repository' },
  () => {
    const { messages, decoder } = decode(readFileSync(recording ?? '', 'latin1'));
    const count = (kind: string): number => messages.filter((message) => message.kind === kind).length;
    const kinds = [
      'CHM',
      'BHM',
      'CRM',
      'BRM',
      'BCP',
      'CTS',
      'CML',
      'BRO',
      'CRO',
      'BCL',
      'CCS',
      'BSM',
      'BCS',
      'BEM',
    ];
    // 62 BCS: the 61 that were acknowledged, and the one that was not.
    assert.deepEqual(kinds.map(count), [7, 5, 2, 1, 1, 2, 3, 5, 2, 353, 329, 71, 62, 45]);
    assert.deepEqual(decoder.counts, { foreign: 0, short: 0, abandoned: 0 });
    const first = (kind: string): Message | undefined => messages.find((message) => message.kind === kind);
    assert.deepEqual(first('BRM'), {
      kind: 'BRM',
      version: '1.1',
      batteryType: 6,
      ratedCapacityAh: 18,
      ratedVoltageV: 492.1,
    });
    assert.deepEqual(first('CTS'), { kind: 'CTS', localTime: '2015-05-16T08:24:36' });
    const last = messages.findLast((message) => message.kind === 'BCS');
    assert.deepEqual(last, {
      kind: 'BCS',
      voltageV: 497.1,
      currentA: 3,
      cellVoltageMaxV: 3.95,
      socPermille: 970,
      remainingMin: 10,
    });
  },
);
