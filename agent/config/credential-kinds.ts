/** The kinds of credential that an operator can name, and how long one may be. */
import type { CredentialKind } from '@plugpool/firmware-bridge';

export const CREDENTIAL_KINDS = [
  'idToken',
  'evccid',
  'vin',
  'emaid',
] as const satisfies readonly CredentialKind[];

/** OCPP's tokens have at most 255 characters in 2.1 and 36 in 2.0.1; contracts, VINs and MAC addresses have fewer. */
export const CREDENTIAL_CHARS_MAX = 255;
