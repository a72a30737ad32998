/** The block that seeds and codes are drawn from is that of ChaCha20, as OpenSSL has it. */
import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyedBlock } from '../../agent/core/keyed-block.ts';

const BLOCK_BYTES = 64;
const word = fc.integer({ min: 0, max: 0xffff_ffff });

/** FNV-1a of 32 bits, over a text of ASCII. */
function fnv1a(text: string, basis: number): number {
  return Buffer.from(text).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, basis);
}

/** OpenSSL's initialisation vector is the block counter and the nonce. */
function blockOfOpenssl(key: readonly number[], text: string): Buffer {
  const about = [0x811c9dc5, 0x01234567, 0x89abcdef, 0xfedcba98].map((basis) => fnv1a(text, basis));
  const bytes = (words: readonly number[]): Buffer => Buffer.from(Uint32Array.from(words).buffer);
  return createCipheriv('chacha20', bytes(key), bytes(about)).update(Buffer.alloc(BLOCK_BYTES));
}

test('a block is what ChaCha20 draws from the key, with the text in place of counter and nonce', () => {
  const keys = fc.array(word, { minLength: 8, maxLength: 8 });
  const texts = fc.string({ unit: 'grapheme-ascii', maxLength: 40 });
  fc.assert(
    fc.property(keys, texts, (key, text) => {
      assert.deepEqual(Buffer.from(keyedBlock(key, text).buffer), blockOfOpenssl(key, text));
    }),
  );
});

test('the blocks of two tasks of one pile have nothing in common', () => {
  const key = [1, 2, 3, 4, 5, 6, 7, 8];
  const [one, two] = [keyedBlock(key, 't1-a'), keyedBlock(key, 't1-b')];
  assert.equal(
    one.some((each, i) => each === two[i]),
    false,
  );
});
