/** How sure it is who is plugged in: the order of the assurances, and which of them each credential brings. */
import type { CredentialKind, IdentityAssurance } from '@plugpool/firmware-bridge';

/** Weakest first. */
export const ASSURANCES = [
  'claimed',
  'presence',
  'mac',
  'vin',
  'code',
  'token',
  'operator',
  'certificate',
] as const satisfies readonly IdentityAssurance[];

/** Of a credential that was bound to a vehicle. */
export const ASSURANCE_OF: Readonly<Record<CredentialKind, IdentityAssurance>> = {
  evccid: 'mac',
  vin: 'vin',
  idToken: 'token',
  emaid: 'certificate',
};

export function isWeaker(one: IdentityAssurance, other: IdentityAssurance): boolean {
  return ASSURANCES.indexOf(one) < ASSURANCES.indexOf(other);
}
