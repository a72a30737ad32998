/** Turns what names a person or a car (token, VIN, MAC, contract) into a pseudonym that only this pile can make again. */
import { createHmac } from 'node:crypto';
import { FirmwareError } from './firmware-error.ts';
import type { Pseudonymize } from './port.ts';

const SALT_BYTES_MIN = 16;
const PSEUDONYM_HEX_CHARS = 32;

/** HMAC-SHA-256 under `salt`, which stays on the pile; 32 hexadecimal digits. Case and surrounding blanks do not count. */
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
      .update(`${kind}\0${value.trim().toUpperCase()}`)
      .digest('hex')
      .slice(0, PSEUDONYM_HEX_CHARS);
}
