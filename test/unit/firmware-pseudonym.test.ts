/** What names a person or a car becomes the same pseudonym however it was written, and another one elsewhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPseudonymizer, FirmwareError, type CredentialKind } from '../../firmware-bridge/index.ts';

const pseudonymize = createPseudonymizer(new Uint8Array(16).fill(1));

const SAME: readonly (readonly [kind: CredentialKind, one: string, other: string])[] = [
  ['evccid', '02:00:5E:10:20:30', '02005e102030'],
  ['evccid', 'VID:02005E102030', '02-00-5e-10-20-30'],
  ['emaid', 'DE-8AA-CA2B3C4D5-1', 'de8aaca2b3c4d51'],
  ['idToken', ' 04e2f1 ', '04E2F1'],
  ['vin', 'wba00000000000001', 'WBA00000000000001'],
];

for (const [kind, one, other] of SAME)
  test(`${kind} ${one} is ${other}`, () => assert.equal(pseudonymize(kind, one), pseudonymize(kind, other)));

test('a card’s separators are part of its number', () => {
  assert.notEqual(pseudonymize('idToken', '04-E2'), pseudonymize('idToken', '04E2'));
});

test('the same text of another kind, or under another salt, is another pseudonym', () => {
  const elsewhere = createPseudonymizer(new Uint8Array(16).fill(2));
  assert.notEqual(pseudonymize('idToken', 'X'), pseudonymize('vin', 'X'));
  assert.notEqual(pseudonymize('vin', 'X'), elsewhere('vin', 'X'));
  assert.match(pseudonymize('vin', 'X'), /^[0-9a-f]{32}$/);
});

test('a salt that can be guessed is refused', () => {
  assert.throws(() => createPseudonymizer(new Uint8Array(15)), FirmwareError);
});
