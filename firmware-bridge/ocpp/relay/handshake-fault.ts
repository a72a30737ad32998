/** What a request lacks to be a WebSocket's handshake: told before the CSMS is asked, where it would drive the real pile out. */
import type { IncomingMessage } from 'node:http';
import type { Refusal } from './dial-csms.ts';

const VERSION = '13';
/** RFC 6455 4.2.1: 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** By RFC 6455 4.2.1; undefined where it is one. */
export function handshakeFault({ method, headers }: IncomingMessage): Refusal | undefined {
  if (method !== 'GET') return fault(405, 'a WebSocket begins with GET', { allow: 'GET' });
  if (headers.upgrade?.toLowerCase() !== 'websocket') return fault(400, 'the Upgrade is not to websocket');
  if (headers['sec-websocket-version'] !== VERSION)
    return fault(426, `the Sec-WebSocket-Version is not ${VERSION}`, {
      upgrade: 'websocket',
      'sec-websocket-version': VERSION,
    });
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) return fault(400, 'the Sec-WebSocket-Key is none');
  return undefined;
}

function fault(status: number, why: string, headers: Readonly<Record<string, string>> = {}): Refusal {
  return { kind: 'http', status, headers, why };
}
