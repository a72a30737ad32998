/** Credit records as they leave the pile: one text, one signature, and what of a forged one is found. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import type { ConnectorId, VehicleId } from '@plugpool/proto';
import type { CreditId, Unit } from '../../agent/core/records.ts';
import { canonicalJson, type Json } from '../../agent/credits/canonical-json.ts';
import { creditBody } from '../../agent/credits/credit-body.ts';
import { verifyCredits } from '../../agent/credits/verify-credits.ts';
import type { MadeCredit } from '../../agent/ports.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const KEY = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');

const CREDIT: MadeCredit = {
  creditId: 16_777_217 as CreditId,
  vehicleId: 'car-a' as VehicleId,
  connectorId: 'north/2/1' as ConnectorId,
  pluggedWallMs: 1_795_000_000_000,
  transactionId: 'tx-9',
  earned: [
    { unit: 'cpuMncs' as Unit, amount: 2_700 },
    { unit: 'mWh' as Unit, amount: 6 },
    { unit: 'SEKe-6' as Unit, amount: 5 },
    { unit: 'EURe-6' as Unit, amount: 2_700 },
  ],
  tariffs: ['night', 'day'],
  bookings: 2,
  lastBookedWallMs: 1_795_000_060_000,
  ended: { wallMs: 1_795_000_070_000, how: 'unplugged' },
  signed: { first: 'OCMF|{"PG": "T1"}|{}', last: 'OCMF|{"PG": "T2"}|{}' },
  madeWallMs: 1_795_000_070_001,
  ledger: { first: 3, last: 5, bookings: 6, hash: 'ab'.repeat(32) },
  sending: { state: 'kept', tries: 0 },
};

const around = { station: 'north', publicKey: 'AAAA', pseudonymOf: () => '0123456789abcdef0123456789abcdef' };

function lineOf(credit: MadeCredit): string {
  const body = creditBody(credit, { ...around, publicKey: KEY });
  const signature = sign(null, Buffer.from(body), privateKey).toString('base64');
  return JSON.stringify({ id: `north/${credit.creditId}`, body, signature });
}

test('a record is this text and no other, so that it can be signed anew and read in another language', () => {
  assert.equal(
    creditBody(CREDIT, around),
    '{"connector":"north/2/1","earned":{"cpuMncs":2700,"gpuMncs":0},"energyMwh":6,"format":"plugpool credit 1",' +
      '"id":"north/16777217",' +
      `"ledger":{"bookings":6,"first":3,"hash":"${'ab'.repeat(32)}","last":5,"ofStay":2},` +
      '"money":[{"currency":"EUR","micros":2700},{"currency":"SEK","micros":5}],' +
      '"period":{"ended":"unplugged","endedWallMs":1795000070000,"madeWallMs":1795000070001,"pluggedWallMs":1795000000000},' +
      '"publicKey":"AAAA",' +
      '"signedMeterValues":{"first":{"data":"OCMF|{\\"PG\\": \\"T1\\"}|{}","format":"OCMF"},' +
      '"last":{"data":"OCMF|{\\"PG\\": \\"T2\\"}|{}","format":"OCMF"}},' +
      '"station":"north","tariffs":["night","day"],"transactionId":"tx-9","vehicle":"0123456789abcdef0123456789abcdef"}',
  );
});

test('a record names no vehicle, and is the same whatever order its parts lie in and whether it was sent', () => {
  const body = creditBody(CREDIT, around);
  assert.ok(!body.includes('car-a'));
  const other = {
    ...CREDIT,
    earned: CREDIT.earned.toReversed(),
    sending: { state: 'accepted', tries: 3 } as const,
  };
  assert.equal(creditBody(other, around), body);
});

test('canonical JSON says the same as JSON, and has one text whatever order keys came in', () => {
  const value = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string(),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
    ),
  })).value;
  fc.assert(
    fc.property(value, (one) => {
      const text = canonicalJson(one);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(one)));
      assert.equal(canonicalJson(JSON.parse(text) as Json), text);
    }),
  );
  assert.equal(canonicalJson({ b: 1, a: { d: [], c: 'ü' } }), '{"a":{"c":"ü","d":[]},"b":1}');
  assert.throws(() => canonicalJson({ a: 0.5 }), /no canonical form/);
});

test('what is exported is proven with the key that is in it, or with the one that is meant', () => {
  const lines = [lineOf(CREDIT), lineOf({ ...CREDIT, creditId: 2 as CreditId }), ''];
  assert.deepEqual(verifyCredits(lines), { records: 2, publicKey: KEY, findings: [] });
  assert.deepEqual(verifyCredits(lines, KEY).findings, []);
  const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' });
  assert.deepEqual(
    verifyCredits(lines, other.toString('base64')).findings.map(({ code, line }) => [code, line]),
    [
      ['other_key', 1],
      ['other_key', 2],
    ],
  );
});

test('whatever single character of a record is changed, it is found', () => {
  const line = lineOf(CREDIT);
  const parsed = JSON.parse(line) as { id: string; body: string; signature: string };
  fc.assert(
    fc.property(fc.nat(parsed.body.length - 1), fc.constantFrom('0', '7', 'x', '"', ' '), (at, by) => {
      if (parsed.body[at] === by) return;
      const body = parsed.body.slice(0, at) + by + parsed.body.slice(at + 1);
      assert.notDeepEqual(verifyCredits([JSON.stringify({ ...parsed, body })]).findings, []);
    }),
    { numRuns: 300 },
  );
});

test('a line that is no JSON is called that', () => {
  const [{ detail } = { detail: '' }] = verifyCredits(['proven']).findings;
  assert.equal(detail, 'it is no line of an export: it is no JSON');
});

test('a line that is none, a record under another id and two of one id are told by their line', () => {
  const good = lineOf(CREDIT);
  const renamed = JSON.stringify({ ...(JSON.parse(good) as object), id: 'north/1' });
  const other = lineOf({ ...CREDIT, bookings: 3 });
  assert.deepEqual(
    verifyCredits([good, 'id,station', renamed, other, '{"id":1}']).findings.map(({ code, line }) => [
      code,
      line,
    ]),
    [
      ['unreadable', 2],
      ['altered', 3],
      ['contradicted', 4],
      ['unreadable', 5],
    ],
  );
});
