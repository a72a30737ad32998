/** Connects to the CSMS in a pile's name: same identity, same subprotocols, same credentials. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { WebSocket, type ClientOptions } from 'ws';
import type { OcppSubprotocol } from '../tap.ts';
import { isSubprotocol, type PileAddress } from './pile-address.ts';

/** A refusal as the pile is to be told it. */
export type Refusal =
  | {
      readonly kind: 'http';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly why: string;
      /** For the log alone: addresses of the office are not the field's business. */
      readonly detail?: string;
    }
  /** No OCPP version in common: the connection is made without one and closed (OCPP 2.0.1 part 4, 3.2). */
  | { readonly kind: 'noVersion'; readonly why: string };

export type Dialled =
  | { readonly ok: true; readonly socket: WebSocket; readonly subprotocol: OcppSubprotocol }
  /** `isFinal`: trying again would be refused again; otherwise the CSMS is not there now. */
  | { readonly ok: false; readonly isFinal: boolean; readonly refusal: Refusal };

export interface CsmsAddress {
  /** Without the identity, and without a path where the pile's own is to be used. */
  readonly url: string;
  readonly connectWithinMs: number;
  readonly frameBytesMax: number;
  readonly tls: ClientTls;
}

interface ClientTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface PileHello extends Pick<PileAddress, 'path' | 'segment'> {
  readonly subprotocols: readonly OcppSubprotocol[];
  /** Passed on unchanged; never logged. */
  readonly authorization: string | undefined;
}

const RETRY_AFTER_S = 10;
const BAD_GATEWAY = 502;
/** What a refusal may carry on to the pile. */
const PASSED_HEADERS = ['www-authenticate', 'retry-after'] as const;

export function readClientTls(files: {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}): ClientTls {
  return {
    ...(files.caFile === undefined ? {} : { ca: readFileSync(files.caFile) }),
    ...(files.certFile === undefined ? {} : { cert: readFileSync(files.certFile) }),
    ...(files.keyFile === undefined ? {} : { key: readFileSync(files.keyFile) }),
  };
}

/** The socket comes paused, so that nothing which the CSMS says at once is lost before somebody listens. */
export function dialCsms(address: CsmsAddress, pile: PileHello, signal: AbortSignal): Promise<Dialled> {
  const socket = new WebSocket(urlOf(address, pile), [...pile.subprotocols], optionsOf(address, pile));
  return new Promise((resolve) => {
    const abandon = (): void => socket.terminate();
    const settle = (dialled: Dialled): void => {
      signal.removeEventListener('abort', abandon);
      resolve(dialled);
    };
    signal.addEventListener('abort', abandon);
    // ws gives up by itself when none of those offered was chosen; of its errors that one has no code of its own.
    let isVersionCommon = true;
    socket.once('upgrade', ({ headers }) => {
      isVersionCommon = isOffered(headers['sec-websocket-protocol'], pile.subprotocols);
    });
    socket.once('open', () => {
      socket.pause();
      if (isSubprotocol(socket.protocol)) settle({ ok: true, socket, subprotocol: socket.protocol });
    });
    socket.once('unexpected-response', (request, response) => {
      request.destroy();
      settle(refused(response));
    });
    socket.on('error', (error) => settle(isVersionCommon ? unreached(error) : noSubprotocol()));
    if (signal.aborted) abandon();
  });
}

/** OCPP 2.0.1 part 4, 6.2: the path that the pile used, unless the operator gives another one. */
function urlOf({ url }: CsmsAddress, { path, segment }: PileHello): string {
  const base = url.replace(/\/+$/, '');
  return new URL(url).pathname === '/' ? `${base}${path}` : `${base}/${segment}`;
}

function optionsOf(address: CsmsAddress, { authorization }: PileHello): ClientOptions {
  return {
    ...address.tls,
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: address.frameBytesMax,
    handshakeTimeout: address.connectWithinMs,
    headers: authorization === undefined ? {} : { authorization },
  };
}

function isOffered(chosen: string | undefined, offered: readonly OcppSubprotocol[]): boolean {
  return chosen !== undefined && isSubprotocol(chosen) && offered.includes(chosen);
}

function refused(response: IncomingMessage): Dialled {
  const told = response.statusCode ?? BAD_GATEWAY;
  const headers: Record<string, string> = {};
  for (const name of PASSED_HEADERS) {
    const value = response.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  // Anything but a refusal (a redirection, a page) is none that a pile could act upon.
  const status = told >= 400 && told <= 599 ? told : BAD_GATEWAY;
  return {
    ok: false,
    isFinal: status < 500,
    refusal: { kind: 'http', status, headers, why: `the CSMS answered ${told}` },
  };
}

function unreached(error: Error): Dialled {
  const headers = { 'retry-after': String(RETRY_AFTER_S) };
  const why = 'the CSMS cannot be reached';
  const refusal = { kind: 'http', status: 503, headers, why, detail: error.message } as const;
  return { ok: false, isFinal: false, refusal };
}

function noSubprotocol(): Dialled {
  const why = 'the CSMS speaks none of the OCPP versions that the pile offers';
  return { ok: false, isFinal: true, refusal: { kind: 'noVersion', why } };
}
