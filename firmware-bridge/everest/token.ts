/** Who was shown to EVerest: its token, with how it came, becomes a credential or nothing. */
import { z } from 'zod';
import type { Credential, CredentialKind, Pseudonymize } from '../port.ts';

const CERTIFICATE_CHARS_MAX = 5_500;

export const providedToken = z.object({
  id_token: z.object({
    value: z.string().max(36),
    type: z.enum([
      'Central',
      'eMAID',
      'MacAddress',
      'ISO14443',
      'ISO15693',
      'KeyCode',
      'Local',
      'NoAuthorization',
    ]),
  }),
  authorization_type: z.enum(['OCPP', 'RFID', 'Autocharge', 'PlugAndCharge', 'BankCard']),
  connectors: z.array(z.int().min(1)).max(128).optional(),
  // Checked by EVerest; here it counts as a length alone.
  certificate: z.string().max(CERTIFICATE_CHARS_MAX).optional(),
});

export function credentialOf(
  { id_token: token, authorization_type: by }: z.output<typeof providedToken>,
  pseudonymize: Pseudonymize,
): Credential | undefined {
  if (token.type === 'NoAuthorization' || token.value.trim() === '') return undefined;
  const kind = kindOf(token.type, by);
  return { kind, pseudonym: pseudonymize(kind, token.value) };
}

/**
 * A contract is one only where the vehicle proved it by Plug & Charge: a card or a back office can carry the same text. A MAC
 * address stays one, whatever it is used for.
 */
function kindOf(type: string, by: string): CredentialKind {
  if (by === 'Autocharge' || type === 'MacAddress') return 'evccid';
  return by === 'PlugAndCharge' && type === 'eMAID' ? 'emaid' : 'idToken';
}
