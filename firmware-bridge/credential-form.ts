/** What a credential that a person wrote down must look like, where its kind has a form: a slip of the hand would be bound, and never shown. */
import type { CredentialKind } from './port.ts';
import { canonical } from './pseudonym.ts';

/** ISO 3779: no I, O, Q, which look like digits; what is not of this form is no VIN and names nothing. */
export const VIN_PATTERN = /^[A-HJ-NPR-Z0-9]{17}$/i;
const MAC_PATTERN = /^[0-9A-F]{12}$/;

/** What `value` must be; undefined: it may be one. */
export function credentialFault(kind: CredentialKind, value: string): string | undefined {
  switch (kind) {
    case 'vin':
      return VIN_PATTERN.test(value.trim())
        ? undefined
        : 'a VIN has 17 letters and digits, none of them I, O or Q';
    case 'evccid':
      return MAC_PATTERN.test(canonical(kind, value))
        ? undefined
        : 'an EVCCID is a MAC address of 12 hexadecimal digits, as 00:1A:2B:3C:4D:5E';
    case 'idToken':
    case 'emaid':
      return undefined;
  }
}
