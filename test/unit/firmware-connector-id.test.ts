/** What an operator may call a connector. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FirmwareError, parseConnectorId } from '../../firmware-bridge/index.ts';

describe('parseConnectorId', () => {
  const good: readonly (readonly [string, string])[] = [
    ['1', 'pile/1/1'],
    ['2/3', 'pile/2/3'],
    ['other/2/3', 'other/2/3'],
    ['OSL_S_KT169', 'pile/OSL_S_KT169/1'],
    ['DE*PNX*E12345*1', 'pile/DE*PNX*E12345*1/1'],
  ];
  for (const [text, connectorId] of good) {
    it(`reads ${text} as ${connectorId}`, () => {
      assert.equal(parseConnectorId(text, 'pile'), connectorId);
    });
  }

  for (const text of [
    '',
    '/',
    '0',
    '-1',
    '1/0',
    '1/',
    '/1',
    'a/b/c/d',
    'a b',
    '1\n',
    '\u0000',
    'é',
    '#',
    '+/#',
    '..\\1',
    'x'.repeat(49),
  ]) {
    it(`refuses ${JSON.stringify(text)} with a hint`, () => {
      assert.throws(
        () => parseConnectorId(text, 'pile'),
        (error: unknown) =>
          error instanceof FirmwareError && error.code === 'invalid_argument' && error.hint.length > 0,
      );
    });
  }

  it('refuses a default station that is not an id, where it is needed', () => {
    assert.throws(() => parseConnectorId('1', 'my pile'), /"my pile" is not a station id/);
  });

  it('says what is wrong in few words, however long the text', () => {
    assert.throws(
      () => parseConnectorId('x'.repeat(1_000_000), 'pile'),
      (error: unknown) => error instanceof FirmwareError && error.message.length < 200,
    );
  });
});
