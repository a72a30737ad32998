/** Whether a certificate is the one of the pile that shows it, where the operator wants that: the authority vouches only that it is a pile's. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Refusal } from './dial-csms.ts';
import type { RelayConfig } from './relay-config.ts';

const SHOWN_CHARS_MAX = 80;

/** Undefined where it is, or where nobody asks. */
export function certificateFault(
  { piles, tls }: Pick<RelayConfig, 'piles' | 'tls'>,
  identity: string,
  socket: Socket,
): Refusal | undefined {
  const listed = Object.hasOwn(piles, identity) ? piles[identity]?.certCn : undefined;
  const expected = listed ?? (tls?.certNamesPile === true ? identity : undefined);
  const shown = commonNameOf(socket);
  if (expected === undefined || shown === expected) return undefined;
  const detail = `its common name is ${JSON.stringify(shown?.slice(0, SHOWN_CHARS_MAX) ?? null)}`;
  const why = 'the certificate is not the one of this pile';
  return { kind: 'http', status: 403, headers: {}, why, detail };
}

/** Undefined where there is none, or more than one. */
function commonNameOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  // Node gives an empty object where there is no certificate, and an array where a name is there twice.
  const { subject } = socket.getPeerCertificate() as { readonly subject?: { readonly CN?: unknown } };
  return typeof subject?.CN === 'string' ? subject.CN : undefined;
}
