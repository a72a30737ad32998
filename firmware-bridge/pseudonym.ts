/** Turns what names a person or a car (token, VIN, MAC, contract) into a pseudonym that only this pile can make again. */
import { createHmac } from 'node:crypto';
import { FirmwareError } from './firmware-error.ts';
import type { CredentialKind, Pseudonymize } from './port.ts';

const SALT_BYTES_MIN = 16;
const PSEUDONYM_HEX_CHARS = 32;

/** HMAC-SHA-256 under `salt`, which stays on the pile; 32 hexadecimal digits. How a value is written does not count. */
export function createPseudonymizer(salt: Uint8Array): Pseudonymize {
  if (salt.byteLength < SALT_BYTES_MIN) {
    throw new FirmwareError(
      'invalid_argument',
      `a salt of ${salt.byteLength} bytes can be guessed`,
      `Use at least ${SALT_BYTES_MIN} random bytes`,
    );
  }
  return (kind, value) =>
    createHmac('sha256', salt)
      .update(`${kind}\0${canonical(kind, value)}`)
      .digest('hex')
      .slice(0, PSEUDONYM_HEX_CHARS);
}

/** The same value is written differently by an authorisation, a charger, a back office and the person who binds it. */
export function canonical(kind: CredentialKind, value: string): string {
  const text = value.trim().toUpperCase();
  // Autocharge puts VID: before the address, and leaves its colons out.
  if (kind === 'evccid') return text.replace(/^VID:/, '').replaceAll(/[:-]/g, '');
  // ISO 15118-2 annex H: the separators of a contract's id may be left out.
  return kind === 'emaid' ? text.replaceAll('-', '') : text;
}
