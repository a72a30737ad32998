/** The relay: where piles connect as if it were their CSMS, and where the agent reads along. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { WebSocketServer, type WebSocket } from 'ws';
import type { FirmwareClock } from '../../clock.ts';
import { FirmwareError } from '../../firmware-error.ts';
import type { OcppSubprotocol, TapCall, TapOutcome } from '../tap.ts';
import { AttemptLimit } from './attempt-limit.ts';
import { csmsChooser, type CsmsOfPile, type Reached } from './csms-of-pile.ts';
import type { PileHello, Refusal } from './dial-csms.ts';
import { handshakeFault } from './handshake-fault.ts';
import { CLOSE_MS_MAX } from './limits.ts';
import { offeredSubprotocols, pileAddressOf } from './pile-address.ts';
import { PileBook } from './pile-book.ts';
import { certificateFault } from './pile-certificate.ts';
import { RareLine } from './rare-line.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';
import type { RelayConfig } from './relay-config.ts';
import { RelayedPile } from './relayed-pile.ts';
import { SocketPeer } from './socket-peer.ts';
import { abilityFor } from './tap-call.ts';
import { TapServer } from './tap-server.ts';

export interface RelayOptions {
  readonly config: RelayConfig;
  readonly tapPath: string;
  readonly log: Logger;
  readonly clock: FirmwareClock;
}

interface Newcomer {
  readonly identity: string;
  readonly hello: PileHello;
  readonly csmsOfPile: CsmsOfPile;
}

interface Refused {
  readonly identity: string;
  readonly refusal: Refusal;
}

const CLOSE_GOING_AWAY = 1001;
const CLOSE_PROTOCOL_ERROR = 1002;
const HANDSHAKE_MS_MAX = 20_000;
const RETRY_AFTER_S = 5;

export class Relay {
  readonly #options: RelayOptions;
  readonly #csmsOf: (identity: string) => CsmsOfPile | undefined;
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  readonly #tap: TapServer;
  readonly #book: PileBook;
  readonly #piles = new Map<string, RelayedPile>();
  readonly #attempts = new AttemptLimit();
  readonly #refusals = new RareLine();
  /** Those who wait for the CSMS's word. */
  readonly #dialling = new Set<AbortController>();
  #isStopping = false;

  /** Reads the files that the configuration names; throws where one is not what it must be. */
  constructor(options: RelayOptions) {
    const { config, clock, log, tapPath } = options;
    this.#options = options;
    this.#csmsOf = csmsChooser(config, clock, log);
    this.#server = serverFor(config);
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: config.frameKib * 1024,
      // The one that the CSMS chose: `#handshake` leaves no other.
      handleProtocols: ([only]) => only ?? false,
    });
    this.#book = new PileBook(config.pilesMax, (line) => this.#tap.tell(line));
    this.#tap = new TapServer({
      path: tapPath,
      relayBootId: randomUUID(),
      allow: config.allow,
      log,
      recalled: () => this.#book.recalled(),
      call: (call) => this.#call(call),
    });
  }

  /** Resolves with the URL that piles connect to. Rejects with a `FirmwareError`. */
  async start(): Promise<string> {
    await this.#tap.start();
    const url = new URL(this.#options.config.listen);
    await listen(this.#server, url);
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href.replace(/\/$/, '');
  }

  /** Says 1001 to both sides of each pile, and waits for their answers. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const gone of this.#dialling) gone.abort();
    for (const pile of [...this.#piles.values()]) pile.stop(CLOSE_GOING_AWAY, 'the relay stops');
    const cancel = this.#options.clock.setTimer(CLOSE_MS_MAX, () => this.#server.closeAllConnections());
    await closed;
    cancel();
    await this.#tap.stop();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const checked = this.#newcomer(request);
    if ('refusal' in checked) return this.#refuse(request, socket, head, checked);
    const gone = new AbortController();
    const onGone = (): void => gone.abort();
    socket.once('close', onGone);
    this.#dialling.add(gone);
    void checked.csmsOfPile.reach(checked.hello, gone.signal).then((reached) => {
      this.#dialling.delete(gone);
      socket.removeListener('close', onGone);
      if (!reached.ok) this.#refuse(request, socket, head, { ...checked, ...reached });
      else this.#accept(request, socket, head, checked, reached);
    });
  }

  /** Who wants in, or why not: all that can be said before the CSMS is asked. */
  #newcomer(request: IncomingMessage): Newcomer | Refused {
    const fault = handshakeFault(request);
    if (fault !== undefined) return { identity: '', refusal: fault };
    const address = pileAddressOf(request.url ?? '');
    if (address === undefined) return refusal(404, 'the URL must end in the identity of the pile');
    const { identity, ...url } = address;
    const key = `${identity} ${request.socket.remoteAddress ?? ''}`;
    const waitMs = this.#attempts.waitMs(key, this.#options.clock.nowMonoMs());
    if (waitMs > 0) return refusal(429, 'the pile connects too often', identity, Math.ceil(waitMs / 1000));
    const subprotocols = offeredSubprotocols(request.headers['sec-websocket-protocol']);
    if (subprotocols.length === 0)
      return { identity, refusal: { kind: 'noVersion', why: 'the pile offers no OCPP version from 1.6 on' } };
    const csmsOfPile = this.#csmsOf(identity);
    if (csmsOfPile === undefined) return refusal(404, 'this pile is not listed', identity);
    const certificate = certificateFault(this.#options.config, identity, request.socket);
    if (certificate !== undefined) return { identity, refusal: certificate };
    const isFull = this.#piles.size >= this.#options.config.pilesMax && !this.#piles.has(identity);
    if (isFull || this.#dialling.size >= this.#options.config.pilesMax || this.#isStopping)
      return refusal(503, 'too many piles at once', identity, RETRY_AFTER_S);
    const { authorization } = request.headers;
    return { identity, csmsOfPile, hello: { ...url, subprotocols, authorization } };
  }

  #refuse(request: IncomingMessage, socket: Duplex, head: Buffer, { identity, refusal }: Refused): void {
    const { why } = refusal;
    if (refusal.kind === 'http') refuseUpgrade(socket, refusal);
    else this.#handshake(request, socket, head, '')?.close(CLOSE_PROTOCOL_ERROR, why);
    const about = refusal.kind === 'http' ? { status: refusal.status, detail: refusal.detail } : {};
    this.#refusals.tell(this.#options.clock.nowMonoMs(), (leftOut) =>
      this.#options.log.warn(
        { pile: identity, ...about, why, ...(leftOut > 0 ? { leftOut } : {}) },
        'a pile was refused',
      ),
    );
  }

  /**
   * `subprotocol` is the one that is chosen, or none. Absent: the pile left meanwhile, or ws sees a fault that handshake-fault.ts
   * does not; it answers by itself, and at once.
   */
  #handshake(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    subprotocol: OcppSubprotocol | '',
  ): WebSocket | undefined {
    if (subprotocol === '') delete request.headers['sec-websocket-protocol'];
    else request.headers['sec-websocket-protocol'] = subprotocol;
    const opened: WebSocket[] = [];
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => opened.push(webSocket));
    return opened[0];
  }

  #accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    newcomer: Newcomer,
    reached: Reached & { readonly ok: true },
  ): void {
    const webSocket = this.#handshake(request, socket, head, reached.subprotocol);
    if (webSocket === undefined) return reached.csms.cut();
    this.#replace(newcomer.identity);
    this.#relay(webSocket, newcomer, reached);
  }

  /** The newer connection of a pile counts: the CSMS took it, and the older one is most often a line that is dead already. */
  #replace(identity: string): void {
    const before = this.#piles.get(identity);
    if (before === undefined) return;
    this.#options.log.warn({ pile: identity }, 'a newer connection replaces the one that is there');
    before.stop(CLOSE_GOING_AWAY, 'a newer connection has this identity');
  }

  #relay(
    webSocket: WebSocket,
    { identity, hello, csmsOfPile }: Newcomer,
    { csms, subprotocol }: Reached & { readonly ok: true },
  ): void {
    const { config, clock, log } = this.#options;
    const state = (link: 'up' | 'down', upstream: 'up' | 'down'): void =>
      this.#book.state(
        identity,
        { link, subprotocol, ...(csmsOfPile.isDialled ? { upstream } : {}) },
        clock.nowWallMs(),
      );
    const pile = new RelayedPile({
      identity,
      subprotocol,
      pile: new SocketPeer(webSocket, config.pingEveryS * 1000),
      csms,
      awayCloseMs: config.upstreamAwayCloseS * 1000,
      redial: (signal) => csmsOfPile.reach({ ...hello, subprotocols: [subprotocol] }, signal),
      clock,
      onFrame: (from, text, head) => this.#book.frame(identity, from, text, head, clock.nowWallMs()),
      onUpstream: (upstream, why) => {
        state('up', upstream);
        log.info({ pile: identity, upstream, why }, 'the line to the CSMS changed');
      },
      onOver: (why) => {
        if (this.#piles.get(identity) === pile) this.#piles.delete(identity);
        state('down', 'down');
        log.info({ pile: identity, why }, 'a pile left');
      },
    });
    this.#piles.set(identity, pile);
    state('up', 'up');
    log.info({ pile: identity, subprotocol: subprotocol satisfies OcppSubprotocol }, 'a pile came');
    pile.start();
  }

  async #call(call: TapCall): Promise<TapOutcome> {
    const ability = abilityFor(call);
    if (ability === undefined || !this.#options.config.allow.includes(ability)) {
      const message = `the relay's configuration does not allow ${call.action} to the ${call.to}`;
      return { ok: false, code: 'not_enabled', message };
    }
    const pile = this.#piles.get(call.pile);
    if (pile !== undefined) return pile.call(call);
    if (this.#book.has(call.pile))
      return { ok: false, code: 'link_lost', message: 'the pile is not connected' };
    return { ok: false, code: 'unknown_pile', message: 'no pile of this identity was here' };
  }
}

function refusal(status: number, why: string, identity = '', retryAfterS?: number): Refused {
  const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) };
  return { identity, refusal: { kind: 'http', status, headers, why } };
}

function serverFor({ tls, pilesMax }: RelayConfig): Server {
  const server =
    tls === undefined
      ? createHttpServer()
      : createHttpsServer({
          cert: readFileSync(tls.certFile),
          key: readFileSync(tls.keyFile),
          minVersion: 'TLSv1.2',
          handshakeTimeout: HANDSHAKE_MS_MAX,
          ...(tls.clientCaFile === undefined
            ? {}
            : { ca: readFileSync(tls.clientCaFile), requestCert: true, rejectUnauthorized: true }),
        });
  server.headersTimeout = HANDSHAKE_MS_MAX;
  server.requestTimeout = HANDSHAKE_MS_MAX;
  // Those that are there, and as many that wait for the CSMS's word: after a power cut all come at once.
  server.maxConnections = 2 * pilesMax;
  server.on('request', (_request, response) => {
    response.writeHead(426, { upgrade: 'websocket', connection: 'close' });
    response.end('This is an OCPP-J relay: connect with a WebSocket.\n');
  });
  return server;
}

async function listen(server: Server, url: URL): Promise<void> {
  const port = url.port === '' ? (url.protocol === 'wss:' ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(url, error)));
    server.listen({ host, port }, resolve);
  });
  server.removeAllListeners('error');
  // Accepting can fail (no descriptors left); the server goes on listening.
  server.on('error', () => undefined);
}

function cannotListen(url: URL, cause: Error): FirmwareError {
  const message = `cannot listen on ${url.href}: ${cause.message}`;
  const hint = 'another program may have the port, or the address is none of this machine; change listen';
  return new FirmwareError('invalid_argument', message, hint, { cause });
}
