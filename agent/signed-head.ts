/** The head of the ledger as a document that can be kept elsewhere: whoever has it can tell later whether anything before it was changed. */
import { createPublicKey, verify } from 'node:crypto';
import { z } from 'zod';
import type { LedgerKey } from './adapters/ledger-key.ts';
import type { LedgerHead } from './ports.ts';

export const signedHeadSchema = z.strictObject({
  station: z.string().min(1).max(256),
  bookings: z.int().min(0),
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'is no sha256'),
  /** When it was signed. */
  wallMs: z.int().min(0),
  /** Ed25519: DER (SPKI), and the signature of `signedText`, in base64. */
  publicKey: z.base64().max(200),
  signature: z.base64().max(200),
});

export type SignedHead = z.output<typeof signedHeadSchema>;

export function signHead(head: LedgerHead, station: string, wallMs: number, key: LedgerKey): SignedHead {
  const { bookings, hash } = head;
  const about = { station, bookings, hash, wallMs };
  return { ...about, publicKey: key.publicKey, signature: key.sign(signedText(about)) };
}

/** Nothing in a line can hold a line break. */
function signedText(head: Omit<SignedHead, 'publicKey' | 'signature'>): Buffer {
  const { station, bookings, hash, wallMs } = head;
  return Buffer.from(`plugpool ledger head 1\n${JSON.stringify(station)}\n${bookings}\n${hash}\n${wallMs}`);
}

/** Signed with the key that it names; whose key that is, is another question. */
export function isSigned(head: SignedHead): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(head.publicKey, 'base64'), format: 'der', type: 'spki' });
    return verify(null, signedText(head), key, Buffer.from(head.signature, 'base64'));
  } catch {
    return false;
  }
}
