/** A sha256 as text, which is how the domain keeps it, and as the 32 bytes that travel. */
import type { Digest } from './domain.ts';
import { DIGEST_BYTES } from './limits.ts';

const DIGEST_PATTERN = /^[0-9a-f]{64}$/;

/** The digest that a text names, or undefined where it is not 64 lower-case hex digits. */
export function parseDigest(text: string): Digest | undefined {
  return DIGEST_PATTERN.test(text) ? (text as Digest) : undefined;
}

/** The digest of 32 bytes, or undefined where it is another number of bytes. */
export function digestFromBytes(bytes: Uint8Array): Digest | undefined {
  if (bytes.length !== DIGEST_BYTES) return undefined;
  const view = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.toString('hex') as Digest;
}

export function digestToBytes(digest: Digest): Uint8Array {
  const bytes = Buffer.from(digest, 'hex');
  if (bytes.length !== DIGEST_BYTES) throw new RangeError(`not a sha256 in hex: ${digest}`);
  return bytes;
}
