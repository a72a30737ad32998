/** Numbers that nobody foresees who does not know the key: the block function of ChaCha20 (RFC 8439, 2.3). Pure. */

/** Of a key of 8 words, with `text` in place of counter and nonce: 16 words, the same for the same text. */
export function keyedBlock(key: readonly number[], text: string): Uint32Array {
  const words = new Uint32Array(WORDS);
  words.set(SIGMA);
  words.set(key, SIGMA.length);
  const textAt = SIGMA.length + key.length;
  for (const [i, basis] of FNV_BASES.entries()) words[textAt + i] = fnv1a(text, basis);
  const block = words.slice();
  for (let round = 0; round < 10; round += 1) doubleRound(block);
  for (let i = 0; i < WORDS; i += 1) block[i] = (block[i] ?? 0) + (words[i] ?? 0);
  return block;
}

const WORDS = 16;
/** "expand 32-byte k". */
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];

/** Columns, then diagonals. Written out: over a table of them it took four times as long, and each grant draws a block. */
function doubleRound(block: Uint32Array): void {
  quarterRound(block, 0, 4, 8, 12);
  quarterRound(block, 1, 5, 9, 13);
  quarterRound(block, 2, 6, 10, 14);
  quarterRound(block, 3, 7, 11, 15);
  quarterRound(block, 0, 5, 10, 15);
  quarterRound(block, 1, 6, 11, 12);
  quarterRound(block, 2, 7, 8, 13);
  quarterRound(block, 3, 4, 9, 14);
}

function quarterRound(block: Uint32Array, a: number, b: number, c: number, d: number): void {
  mix(block, a, b, d, 16);
  mix(block, c, d, b, 12);
  mix(block, a, b, d, 8);
  mix(block, c, d, b, 7);
}

/** x += y; z = (z ⊕ x) rotated left. */
function mix(block: Uint32Array, x: number, y: number, z: number, bits: number): void {
  const sum = ((block[x] ?? 0) + (block[y] ?? 0)) | 0;
  const mixed = (block[z] ?? 0) ^ sum;
  block[x] = sum;
  block[z] = (mixed << bits) | (mixed >>> (32 - bits));
}

/** Nothing secret: they only tell tasks apart. */
const FNV_BASES = [0x811c9dc5, 0x01234567, 0x89abcdef, 0xfedcba98];

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
