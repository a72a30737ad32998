/** What a pile says of itself when it connects: its identity at the end of the URL, the OCPP versions it speaks. */
import type { OcppSubprotocol } from '../tap.ts';
import { IDENTITY_CHARS_MAX } from './limits.ts';

const SUBPROTOCOLS: Readonly<Record<OcppSubprotocol, true>> = {
  'ocpp1.6': true,
  'ocpp2.0.1': true,
  'ocpp2.1': true,
};

export interface PileAddress {
  readonly identity: string;
  /** As it stood in the URL, begins with a slash and ends in `segment`. */
  readonly path: string;
  /** The identity as it stood in the URL: so it is passed on. */
  readonly segment: string;
}

/** Undefined where the path does not end in an identity. */
export function pileAddressOf(url: string): PileAddress | undefined {
  const path = url.split(/[?#]/, 1)[0] ?? '';
  if (!path.startsWith('/')) return undefined;
  const segment = path.slice(path.lastIndexOf('/') + 1);
  const identity = decoded(segment);
  if (identity === undefined || identity === '' || identity.length > IDENTITY_CHARS_MAX) return undefined;
  // A path of its own, or what no log should show.
  if (/[\p{Cc}\p{Cf}/\\]/u.test(identity) || identity === '.' || identity === '..') return undefined;
  return { identity, path, segment };
}

/** Those of the header `Sec-WebSocket-Protocol` that can be relayed, in the pile's order. */
export function offeredSubprotocols(header: string | undefined): readonly OcppSubprotocol[] {
  const offered = (header ?? '').split(',').map((name) => name.trim());
  return [...new Set(offered)].filter(isSubprotocol);
}

export function isSubprotocol(name: string): name is OcppSubprotocol {
  return Object.hasOwn(SUBPROTOCOLS, name);
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
