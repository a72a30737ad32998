/**
 * The connection to the pile's broker over MQTT 3.1.1, kept up by our own full-jitter backoff.
 *
 * Each connection is a client of its own: mqtt.js keeps what was in flight for a reconnection and can lose what is
 * published while it replays that (mqtt.js issue 2015); here nothing in flight outlives its connection, and what is owed
 * is said again after hello.
 */
import { createConnection, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import MqttClientModule from 'mqtt/lib/client';
import {
  downFilter,
  downTopic,
  upTopic,
  clientIdOf,
  type Slot,
  type TopicKind,
  type VehicleId,
} from '@plugpool/proto';
import { backoffDelaysMs, type BackoffBounds } from '../core/backoff.ts';
import { PlugpoolError } from '../errors.ts';
import type { Clock, Link, LinkDown, LinkHandlers } from '../ports.ts';
import { withoutNumberCache } from './packet-writer.ts';

// The package is CommonJS with a default export of its own: which of the two an import yields depends on the loader.
type MqttClient = InstanceType<typeof MqttClientModule.default>;
const MqttClient = MqttClientModule.default;
type Store = NonNullable<ConstructorParameters<typeof MqttClient>[1]['outgoingStore']>;

export const KEEPALIVE_S = 15;
const CONNECT_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 2_000;
/** Far below what anybody waits for an acknowledgement of MQTT, and above the time in which an answer is mostly due. */
const ACK_DELAY_MS = 5;
const DEFAULT_PORT = { 'mqtt:': 1883, 'mqtts:': 8883 } as const;

export interface MqttLinkOptions {
  /** `mqtt://host[:port]` or `mqtts://host[:port]`. */
  readonly agentUrl: string;
  readonly vehicleId: VehicleId;
  readonly slot: Slot;
  readonly token?: string | undefined;
  readonly clock: Clock;
  readonly random?: () => number;
  readonly backoff?: BackoffBounds;
}

interface Target {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
}

export function parseAgentUrl(text: string): Target {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw badUrl(text);
  }
  if (url.protocol !== 'mqtt:' && url.protocol !== 'mqtts:') throw badUrl(text);
  if (url.hostname === '') throw badUrl(text);
  const port = url.port === '' ? DEFAULT_PORT[url.protocol] : Number(url.port);
  return { secure: url.protocol === 'mqtts:', host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port };
}

function badUrl(text: string): PlugpoolError {
  return new PlugpoolError({
    code: 'agent_url_invalid',
    message: `"${text}" is not the address of a pile`,
    hint: 'give it as mqtt://host:port (or mqtts://host:port)',
    retryable: false,
  });
}

export class MqttLink implements Link {
  readonly #options: MqttLinkOptions;
  readonly #topics: Readonly<Record<TopicKind, { readonly up: string; readonly down: string }>>;
  #delays: Iterator<number, never>;
  #handlers: LinkHandlers | undefined;
  #client: MqttClient | undefined;
  #cancelRetry: (() => void) | undefined;
  #isUp = false;
  #isCorked = false;
  #hasSpoken = false;
  #cancelAckDelay: (() => void) | undefined;
  #stopped = false;

  constructor(options: MqttLinkOptions) {
    this.#options = options;
    this.#topics = {
      frame: { up: upTopic(options, 'frame'), down: downTopic(options, 'frame') },
      blob: { up: upTopic(options, 'blob'), down: downTopic(options, 'blob') },
    };
    this.#delays = this.#newDelays();
  }

  start(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.#connect(parseAgentUrl(this.#options.agentUrl));
  }

  send(kind: TopicKind, payload: Uint8Array): void {
    if (!this.#isUp) return;
    const client = this.#client;
    client?.publish(this.#topics[kind].up, asBuffer(payload), QOS_1);
    this.#hasSpoken = true;
    if (client !== undefined && this.#cancelAckDelay !== undefined) this.#uncork(client);
  }

  reconnect(cause: LinkDown): void {
    const client = this.#client;
    if (client !== undefined) this.#lost(client, cause);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRetry?.();
    const client = this.#client;
    this.#client = undefined;
    this.#isUp = false;
    if (client === undefined) return;
    this.#uncork(client);
    await new Promise<void>((resolve) => {
      const cancelTimeout = this.#options.clock.setTimer(STOP_TIMEOUT_MS, resolve);
      const done = (): void => {
        cancelTimeout();
        resolve();
      };
      // A connection that breaks while it says goodbye is gone just as well.
      client.once('close', done);
      client.end(!client.connected, done);
    });
    client.stream.destroy();
  }

  #newDelays(): Iterator<number, never> {
    return backoffDelaysMs(this.#options.random ?? Math.random, this.#options.backoff);
  }

  #connect(target: Target): void {
    withoutNumberCache();
    const { vehicleId, slot, token } = this.#options;
    const client = new MqttClient(() => openSocket(target), {
      clientId: clientIdOf(vehicleId, slot),
      username: vehicleId,
      ...(token === undefined ? {} : { password: token }),
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      outgoingStore: noStore(),
      incomingStore: noStore(),
    });
    this.#client = client;
    let cause: LinkDown = {
      code: 'unreachable',
      detail: `${target.host}:${target.port} closed the connection`,
    };
    client.on('error', (error) => {
      cause = downCause(error, target);
      this.#lost(client, cause);
    });
    client.on('close', () => this.#lost(client, cause));
    client.on('message', (topic, payload) => this.#received(client, topic, payload));
    client.on('connect', () => this.#subscribe(client));
  }

  #subscribe(client: MqttClient): void {
    client.subscribe(downFilter(this.#options), QOS_1, (error, granted) => {
      if (this.#client !== client) return;
      if (error !== null || granted?.[0]?.qos === 128) {
        this.#lost(client, { code: 'not_welcomed', detail: 'the pile refused the subscription' });
        return;
      }
      this.#isUp = true;
      this.#handlers?.up();
    });
  }

  /** The conversation works: the next loss begins with short delays again. */
  settled(): void {
    this.#delays = this.#newDelays();
  }

  #received(client: MqttClient, topic: string, payload: Buffer): void {
    if (this.#client !== client) return;
    const isFirst = !this.#isCorked;
    if (isFirst) this.#cork(client);
    if (topic === this.#topics.frame.down) this.#handlers?.message('frame', payload);
    else if (topic === this.#topics.blob.down) this.#handlers?.message('blob', payload);
    // Behind what the handler planned for the end of this turn.
    if (isFirst) setImmediate(() => this.#turnEnded(client));
  }

  /** The PUBACKs that mqtt.js writes, and what the messages of a turn make us say, leave together and wake the pile once. */
  #cork(client: MqttClient): void {
    this.#isCorked = true;
    this.#hasSpoken = false;
    client.stream.cork();
  }

  /** PUBACKs alone are in no hurry: they wait a moment for something to leave with. */
  #turnEnded(client: MqttClient): void {
    if (this.#client !== client || !this.#isCorked) return;
    if (this.#hasSpoken) this.#uncork(client);
    else this.#cancelAckDelay = this.#options.clock.setTimer(ACK_DELAY_MS, () => this.#uncork(client));
  }

  #uncork(client: MqttClient): void {
    this.#cancelAckDelay?.();
    this.#cancelAckDelay = undefined;
    this.#isCorked = false;
    client.stream.uncork();
  }

  #lost(client: MqttClient, cause: LinkDown): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#isUp = false;
    this.#uncork(client);
    client.removeAllListeners('message');
    // Errors may still follow from a socket that is being torn down; they are news of a connection already given up.
    client.removeAllListeners('error');
    client.on('error', () => undefined);
    client.end(true);
    client.stream.destroy();
    if (this.#stopped) return;
    const delayMs = this.#delays.next().value;
    this.#cancelRetry = this.#options.clock.setTimer(delayMs, () => {
      this.#connect(parseAgentUrl(this.#options.agentUrl));
    });
    this.#handlers?.down(cause);
  }
}

const QOS_1 = { qos: 1 } as const;

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function openSocket(target: Target): Socket {
  // Nagle's algorithm against delayed acknowledgement would cost 40 ms an exchange.
  if (!target.secure) return createConnection({ host: target.host, port: target.port, noDelay: true });
  return openTlsSocket(target);
}

function openTlsSocket(target: Target): Socket {
  // Loaded only where it is used: it costs five megabytes.
  const tls = process.getBuiltinModule('node:tls');
  const socket = tls.connect({ host: target.host, port: target.port, servername: target.host });
  socket.setNoDelay(true);
  return socket;
}

function downCause(error: Error & { code?: unknown }, target: Target): LinkDown {
  // MQTT-3.2.2.3, table 3.1: the CONNACK return codes.
  if (error.code === 4 || error.code === 5) {
    return { code: 'token_refused', detail: 'the pile refused the token of this vehicle id' };
  }
  if (error.code === 2) return { code: 'id_refused', detail: 'the pile refused this vehicle id' };
  return {
    code: 'unreachable',
    detail: `${target.host}:${target.port}: ${error.message || String(error.code)}`,
  };
}

/** Keeps nothing: a connection's packets die with it. */
function noStore(): Store {
  const store = {
    put(_packet: unknown, done?: () => void) {
      done?.();
      return store;
    },
    del(packet: unknown, done?: (error?: Error, packet?: unknown) => void) {
      done?.(undefined, packet);
      return store;
    },
    get(_packet: unknown, done?: (error?: Error) => void) {
      done?.(new Error('not kept'));
      return store;
    },
    createStream: () => Readable.from([]),
    close(done?: () => void) {
      done?.();
    },
  };
  return store as unknown as Store;
}
