/** What the tests of the OCPP relay share: a CSMS and piles of an independent library, a relay, and readers of its tap. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { RPCClient, RPCServer } from 'ocpp-rpc';
import { pino, type Logger } from 'pino';
import { WebSocket, WebSocketServer } from 'ws';
import { systemClock } from '../../firmware-bridge/clock.ts';
import { relayConfigSchema } from '../../firmware-bridge/ocpp/relay/relay-config.ts';
import { Relay } from '../../firmware-bridge/ocpp/relay/relay.ts';
import { BoundedLines } from '../../firmware-bridge/bounded-lines.ts';
import { LINE_CHARS_MAX } from '../../firmware-bridge/ocpp/frame.ts';
import type { TapCall, TapLine, TapOutcome } from '../../firmware-bridge/ocpp/tap.ts';

/** Of the library, as its types should say it. */
export interface RpcPeer {
  readonly identity: string;
  readonly protocol: string;
  call(method: string, params?: unknown): Promise<unknown>;
  handle(
    method: string,
    handler: (call: { readonly params: Fields; readonly method: string }) => unknown,
  ): void;
  handle(handler: (call: { readonly params: Fields; readonly method: string }) => unknown): void;
  on(event: string, listener: (argument: never) => void): void;
  once(event: string, listener: (argument: never) => void): void;
  connect(): Promise<unknown>;
  sendRaw(text: string): void;
  close(options?: {
    readonly code?: number;
    readonly reason?: string;
    readonly force?: boolean;
  }): Promise<unknown>;
}

export type Fields = Readonly<Record<string, unknown>>;

export interface Handshake {
  readonly identity: string;
  readonly password?: Buffer;
  readonly protocols: ReadonlySet<string>;
  readonly headers: Readonly<Record<string, string>>;
}

export interface CsmsOptions {
  readonly protocols?: readonly string[];
  /** The status to refuse with; undefined lets in. */
  readonly refuse?: (handshake: Handshake) => number | undefined;
  readonly port?: number;
  /** Answers a call; the default is an empty object. */
  readonly answer?: (method: string, params: Fields, peer: RpcPeer) => unknown;
}

export class TestCsms {
  readonly peers: RpcPeer[] = [];
  readonly handshakes: Handshake[] = [];
  /** Texts as they came from piles, in order, of all connections. */
  readonly heard: string[] = [];
  /** Connections that ended. */
  gone = 0;
  readonly #waiting = new Set<() => void>();
  #server: RPCServer;
  #port = 0;

  constructor(options: CsmsOptions = {}) {
    const { protocols = ['ocpp2.0.1', 'ocpp1.6'], refuse, answer } = options;
    this.#server = new RPCServer({ protocols: [...protocols], callTimeoutMs: 5_000, pingIntervalMs: 0 });
    this.#server.auth((accept, reject, handshake) => {
      this.handshakes.push(handshake as unknown as Handshake);
      const status = refuse?.(handshake as unknown as Handshake);
      if (status === undefined) accept({});
      else reject(status, 'refused');
    });
    this.#server.on('client', (client: unknown) => this.#connected(client as RpcPeer, answer));
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/ocpp`;
  }

  async listen(port = 0): Promise<number> {
    const http = await this.#server.listen(port, '127.0.0.1');
    this.#port = (http.address() as AddressInfo).port;
    return this.#port;
  }

  async close(): Promise<void> {
    await this.#server.close({ code: 1001, reason: 'the CSMS stops', awaitPending: false, force: false });
  }

  /** As if the line were cut, and nobody listens any more. */
  async vanish(): Promise<void> {
    await this.#server.close({ code: 1006, reason: '', awaitPending: false, force: true });
  }

  until(what: string, isTrue: () => boolean): Promise<void> {
    return untilTrue(what, isTrue, this.#waiting);
  }

  #connected(peer: RpcPeer, answer: CsmsOptions['answer']): void {
    this.peers.push(peer);
    peer.handle(({ method, params }) => answer?.(method, params, peer) ?? {});
    peer.on('message', ({ message, outbound }: { message: Buffer | string; outbound: boolean }) => {
      if (!outbound) this.heard.push(message.toString());
      for (const look of this.#waiting) look();
    });
    peer.on('disconnect', () => {
      this.gone += 1;
      for (const look of this.#waiting) look();
    });
    for (const look of this.#waiting) look();
  }
}

export async function startCsms(t: TestContext, options: CsmsOptions = {}): Promise<TestCsms> {
  const csms = new TestCsms(options);
  await csms.listen(options.port);
  t.after(() => csms.vanish());
  return csms;
}

/** One that does what OCPP says of versions, which the library does otherwise; it speaks 1.6 alone. */
export async function startPlainCsms(t: TestContext, options: { readonly autoPong?: boolean } = {}) {
  const paths: string[] = [];
  const server = new WebSocketServer({
    ...options,
    host: '127.0.0.1',
    port: 0,
    handleProtocols: (protocols) => protocols.has('ocpp1.6') && 'ocpp1.6',
  });
  server.on('connection', (socket, request) => {
    paths.push(request.url ?? '');
    if (socket.protocol === '') socket.close();
  });
  await once(server, 'listening');
  t.after(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  const origin = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, url: `${origin}/ocpp`, paths };
}

export interface RunningRelay {
  readonly url: string;
  readonly tapPath: string;
  readonly relay: Relay;
}

export async function startRelay(
  t: TestContext,
  upstream: 'none' | TestCsms | { readonly url: string; readonly [key: string]: unknown },
  more: Fields = {},
  log: Logger = pino({ level: 'silent' }),
): Promise<RunningRelay> {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-relay-'));
  const tapPath = join(folder, 'tap.sock');
  const config = relayConfigSchema.parse({
    listen: 'ws://127.0.0.1:0',
    upstream: upstream instanceof TestCsms ? { url: upstream.url } : upstream,
    ...more,
  });
  const relay = new Relay({ config, tapPath, log, clock: systemClock });
  const url = await relay.start();
  t.after(async () => {
    await relay.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return { url, tapPath, relay };
}

/** A pile of the independent library. It does not come again by itself unless told so. */
export function pileOf(t: TestContext, url: string, identity: string, options: Fields = {}): RpcPeer {
  const settings = {
    endpoint: `${url}/any/path`,
    identity,
    protocols: ['ocpp2.0.1', 'ocpp1.6'],
    reconnect: false,
    callTimeoutMs: 5_000,
    pingIntervalMs: 0,
    ...options,
  };
  const pile = new RPCClient(settings as never) as unknown as RpcPeer;
  pile.handle(() => ({ status: 'Accepted' }));
  t.after(() => pile.close({ force: true }).catch(() => undefined));
  return pile;
}

export async function connectPile(
  t: TestContext,
  url: string,
  identity: string,
  options: Fields = {},
): Promise<RpcPeer> {
  const pile = pileOf(t, url, identity, options);
  await pile.connect();
  return pile;
}

/** A pile that says what it is told to, byte for byte. */
export class RawPile {
  readonly socket: WebSocket;
  readonly heard: string[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(t: TestContext, url: string, identity: string, options: Fields = {}) {
    const { protocols = ['ocpp1.6'], ...others } = options;
    this.socket = new WebSocket(`${url}/${identity}`, protocols as string[], {
      perMessageDeflate: false,
      ...others,
    });
    this.socket.on('error', () => undefined);
    this.socket.on('message', (data: Buffer) => {
      this.heard.push(data.toString());
      for (const look of this.#waiting) look();
    });
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      for (const look of this.#waiting) look();
    });
    t.after(() => this.socket.terminate());
  }

  async open(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  heardClose(): RawPile['closed'] {
    return this.closed;
  }

  send(text: string): void {
    this.socket.send(text);
  }

  until(what: string, isTrue: () => boolean): Promise<void> {
    return untilTrue(what, isTrue, this.#waiting);
  }
}

/** What a pile that is refused is told. */
export async function refusedWith(
  url: string,
  identity: string,
  options: Fields = {},
): Promise<{ readonly status: number; readonly headers: Fields }> {
  const { protocols = ['ocpp1.6'], ...others } = options;
  const socket = new WebSocket(`${url}/${identity}`, protocols as string[], others);
  socket.on('error', () => undefined);
  const [request, response] = (await once(socket, 'unexpected-response')) as [
    { destroy(): void },
    { statusCode: number; headers: Fields },
  ];
  request.destroy();
  return { status: response.statusCode, headers: response.headers };
}

/** A reader of the tap, as the agent is one. */
export class TapReader {
  readonly lines: TapLine[] = [];
  isClosed = false;
  readonly #socket: Socket;
  readonly #waiting = new Set<() => void>();
  #calls = 0;

  constructor(t: TestContext, path: string) {
    if (!existsSync(path)) throw new Error(`there is no tap at ${path}`);
    this.#socket = createConnection(path);
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.isClosed = true;
      for (const look of this.#waiting) look();
    });
    const lines = new BoundedLines(LINE_CHARS_MAX);
    this.#socket.on('data', (chunk) => {
      for (const line of lines.push(chunk)) this.lines.push(JSON.parse(line ?? 'null') as TapLine);
      for (const look of this.#waiting) look();
    });
    t.after(() => this.#socket.destroy());
  }

  async ready(): Promise<this> {
    await this.until('all that is remembered', () => this.lines.some(({ t }) => t === 'recalledAll'));
    return this;
  }

  frames(): (TapLine & { readonly t: 'frame' })[] {
    return this.lines.filter((line) => line.t === 'frame');
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  /** Reads nothing more, until `wake`. */
  sleep(): void {
    this.#socket.pause();
  }

  wake(): void {
    this.#socket.resume();
  }

  async call(call: Omit<TapCall, 't' | 'call'>): Promise<TapOutcome> {
    this.#calls += 1;
    const id = `c${this.#calls}`;
    this.write(`${JSON.stringify({ t: 'call', call: id, ...call })}\n`);
    const find = () => this.lines.find((line) => line.t === 'answer' && line.call === id);
    await this.until(`an answer to ${call.action}`, () => find() !== undefined);
    return (find() as TapLine & { readonly t: 'answer' }).outcome;
  }

  until(what: string, isTrue: () => boolean): Promise<void> {
    return untilTrue(what, isTrue, this.#waiting);
  }
}

/** Resolves once it is true; looked at whenever something happened. */
function untilTrue(what: string, isTrue: () => boolean, waiting: Set<() => void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const bound = setTimeout(() => {
      waiting.delete(look);
      reject(new Error(`waited 10 s for ${what}`));
    }, 10_000);
    const look = (): void => {
      if (!isTrue()) return;
      waiting.delete(look);
      clearTimeout(bound);
      resolve();
    };
    waiting.add(look);
    look();
  });
}
