/** What EVerest publishes is refused by the field, and nobody who was shown leaves the decoder by name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEverest } from '../../firmware-bridge/everest/decode.ts';
import type { Pseudonymize } from '../../firmware-bridge/index.ts';
import { CONTRACT_TOKEN, RFID_TOKEN } from '../everest/simulated-everest.ts';

const pseudonymize: Pseudonymize = (kind, value) => `${kind} of ${value.length}`;
const TIME = '2026-03-01T08:00:00.000Z';
const METER = { timestamp: TIME, energy_Wh_import: { total: 1 } };

function decode(name: string, payload: unknown) {
  return decodeEverest(name, Buffer.from(JSON.stringify(payload)), pseudonymize);
}

test('an optional field that breaks the API is left out, and the rest goes on', () => {
  const { message, problems } = decode('ev_info', {
    soc: 255,
    departure_time: 'soon',
    estimated_time_full: TIME,
    evcc_id: 'XXXXXXXXXXXX',
  });
  assert.deepEqual(message, { name: 'ev_info', fullAtWallMs: Date.parse(TIME) });
  assert.deepEqual(problems.map(({ field }) => field).sort(), ['departure_time', 'evcc_id', 'soc']);
});

test('without a required field nothing is left', () => {
  for (const [name, payload] of [
    ['session_info', { state: 'Charging' }],
    ['session_info', { state: 'Levitating', timestamp: TIME }],
    ['session_event', { uuid: 'u', timestamp: TIME, event: 'Exploded' }],
    ['session_event', { uuid: '', timestamp: TIME, event: 'Enabled' }],
    ['powermeter', { timestamp: TIME, energy_Wh_import: { total: '12' } }],
    ['powermeter', { timestamp: 'noon', energy_Wh_import: { total: 12 } }],
    ['heartbeat', 'beat'],
    ['token_validation_status', { status: 'Accepted' }],
    ['get_evse', { id: 0 }],
    ['session_info', []],
    ['session_info', null],
    ['session_info', 12],
  ] as const) {
    const { message, problems } = decode(name, payload);
    assert.equal(message, undefined, name);
    assert.ok(problems.length > 0 && problems.every((problem) => problem.message === name), name);
  }
});

test('what is no JSON, or longer than any message, is refused', () => {
  assert.deepEqual(decodeEverest('session_info', Buffer.from('{"state":'), pseudonymize).problems, [
    { message: 'session_info', field: '', why: 'no_json' },
  ]);
  const long = Buffer.alloc(10 * 1024 * 1024, ' ');
  assert.equal(decodeEverest('session_info', long, pseudonymize).problems[0]?.why, 'too_long');
});

test('a name that we do not read is neither a message nor a problem', () => {
  for (const name of ['dc_mode', '__proto__', 'constructor', ''])
    assert.deepEqual(decode(name, { anything: 1 }), { problems: [] });
});

test('no value stands in a problem: it may name somebody', () => {
  const token = {
    id_token: { value: 'DE-8AA-CA2B3C4D5-TOO-LONG-FOR-ANY-TOKEN', type: 'eMAID' },
    authorization_type: 'RFID',
  };
  const { problems } = decode('token_validation_status', { status: 'Accepted', token });
  assert.doesNotMatch(JSON.stringify(problems), /8AA/);
});

const CREDENTIALS: readonly (readonly [what: string, token: object, credential: string | undefined])[] = [
  ['a card', RFID_TOKEN, 'idToken'],
  ['a contract by Plug & Charge', CONTRACT_TOKEN, 'emaid'],
  ['a contract’s text on a card', { ...CONTRACT_TOKEN, authorization_type: 'RFID' }, 'idToken'],
  ['a contract’s text from a back office', { ...CONTRACT_TOKEN, authorization_type: 'OCPP' }, 'idToken'],
  ['something else by Plug & Charge', { ...RFID_TOKEN, authorization_type: 'PlugAndCharge' }, 'idToken'],
  [
    'Autocharge',
    { id_token: { value: 'VID:02005E102030', type: 'MacAddress' }, authorization_type: 'Autocharge' },
    'evccid',
  ],
  ['Autocharge as a plain token', { ...RFID_TOKEN, authorization_type: 'Autocharge' }, 'evccid'],
  [
    'a MAC address from a back office',
    { id_token: { value: '02:00', type: 'MacAddress' }, authorization_type: 'OCPP' },
    'evccid',
  ],
  [
    'free charging',
    { id_token: { value: 'x', type: 'NoAuthorization' }, authorization_type: 'OCPP' },
    undefined,
  ],
  ['an empty token', { id_token: { value: ' ', type: 'Local' }, authorization_type: 'RFID' }, undefined],
];

for (const [what, token, kind] of CREDENTIALS) {
  test(`${what} is ${kind === undefined ? 'no credential' : `a credential of kind ${kind}`}`, () => {
    const transaction_started = { id_tag: token, meter_value: METER };
    const event = { uuid: 'u', timestamp: TIME, event: 'TransactionStarted', transaction_started };
    const { message } = decode('session_event', event);
    assert.ok(message?.name === 'session_event');
    assert.equal(message.credential?.kind, kind);
  });
}

test('the token that ends a transaction is no credential', () => {
  const transaction_finished = { id_tag: RFID_TOKEN, meter_value: METER, reason: 'Local' };
  const { message } = decode('session_event', {
    uuid: 'u',
    timestamp: TIME,
    event: 'TransactionFinished',
    transaction_finished,
  });
  assert.ok(message?.name === 'session_event' && message.credential === undefined);
});

test('a token that breaks the API costs the event its credential, and no more', () => {
  const transaction_started = { id_tag: { value: 'x' }, meter_value: METER };
  const { message, problems } = decode('session_event', {
    uuid: 'u',
    timestamp: TIME,
    event: 'TransactionStarted',
    transaction_started,
  });
  assert.ok(message?.name === 'session_event' && message.event === 'TransactionStarted');
  assert.equal(message.credential, undefined);
  assert.ok(problems.length > 0);
});

test('a signed record is passed on where it is OCMF, and left out where it is not', () => {
  const signed = (data: string) => ({ signed_meter_data: data, signing_method: 'x', encoding_method: 'y' });
  const read = (data: string) => decode('powermeter', { ...METER, signed_meter_value: signed(data) }).message;
  assert.ok((read('OCMF|{}|{}') as { ocmf?: string }).ocmf === 'OCMF|{}|{}');
  assert.ok((read('<xml/>') as { ocmf?: string }).ocmf === undefined);
});
