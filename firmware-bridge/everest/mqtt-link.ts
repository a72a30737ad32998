/**
 * The link to EVerest's broker over MQTT 3.1.1, kept up by our own back-off. Each connection is a client of its own with a clean
 * session, so that nothing of an old one is heard or sent in the next.
 */
import { createConnection, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import MqttClientModule from 'mqtt/lib/client';
import { retryDelaysMs } from './backoff.ts';
import { parseBrokerUrl, type BrokerAddress } from './broker-url.ts';
import type { EverestLink, EverestLinkHandlers, MqttLinkOptions } from './everest-link.ts';

// The package is CommonJS with a default export of its own: which of the two an import yields depends on the loader.
type MqttClient = InstanceType<typeof MqttClientModule.default>;
const MqttClient = MqttClientModule.default;

const KEEPALIVE_S = 4;
const CONNECT_TIMEOUT_MS = 5_000;
const ACKNOWLEDGED_WITHIN_MS = 2_000;
const STOP_WITHIN_MS = 1_000;
const QOS_1 = { qos: 1 } as const;
const REFUSED = 128;

export class MqttLink implements EverestLink {
  readonly #options: MqttLinkOptions;
  readonly #address: BrokerAddress;
  #filters: readonly string[] = [];
  #handlers: EverestLinkHandlers | undefined;
  #delays: Iterator<number, never>;
  #client: MqttClient | undefined;
  #isUp = false;
  #cancelRetry: (() => void) | undefined;

  constructor(options: MqttLinkOptions) {
    this.#options = options;
    this.#address = parseBrokerUrl(options.broker);
    this.#delays = retryDelaysMs(options.random ?? Math.random);
  }

  start(filters: readonly string[], handlers: EverestLinkHandlers): void {
    this.#filters = filters;
    this.#handlers = handlers;
    this.#connect();
  }

  publish(topic: string, payload: string): Promise<boolean> {
    const client = this.#client;
    if (!this.#isUp || client === undefined) return Promise.resolve(false);
    return new Promise((resolve) => {
      const cancel = this.#options.clock.setTimer(ACKNOWLEDGED_WITHIN_MS, () => resolve(false));
      client.publish(topic, payload, QOS_1, (error) => {
        cancel();
        resolve(!(error instanceof Error));
      });
    });
  }

  async stop(): Promise<void> {
    this.#handlers = undefined;
    this.#cancelRetry?.();
    const client = this.#client;
    this.#client = undefined;
    this.#isUp = false;
    if (client === undefined) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.setTimer(STOP_WITHIN_MS, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      client.once('close', done);
      client.end(!client.connected, done);
    });
    client.stream.destroy();
  }

  #connect(): void {
    const { username, password } = this.#options;
    const client = new MqttClient(() => openSocket(this.#address), {
      // Two clients with one id would throw each other out for ever.
      clientId: `plugpool-${crypto.randomUUID().slice(0, 8)}`,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
    });
    this.#client = client;
    let reason = `${this.#options.broker} closed the connection`;
    client.on('error', (error) => {
      reason = error.message;
      this.#lost(client, reason);
    });
    client.on('close', () => this.#lost(client, reason));
    client.on('message', (topic, payload, { retain }) => {
      if (this.#client === client) this.#handlers?.message(topic, payload, retain);
    });
    client.on('connect', () => this.#subscribe(client));
  }

  #subscribe(client: MqttClient): void {
    client.subscribe([...this.#filters], QOS_1, (error, granted) => {
      if (this.#client !== client) return;
      const isRefused = granted?.some(({ qos }) => qos === REFUSED) === true;
      if (error !== null || isRefused || granted === undefined) {
        this.#lost(client, `${this.#options.broker} refused the subscription`);
        return;
      }
      this.#isUp = true;
      this.#delays = retryDelaysMs(this.#options.random ?? Math.random);
      this.#handlers?.up();
    });
  }

  #lost(client: MqttClient, reason: string): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#isUp = false;
    client.on('error', () => undefined);
    client.end(true);
    client.stream.destroy();
    this.#handlers?.down(reason);
    this.#cancelRetry = this.#options.clock.setTimer(this.#delays.next().value, () => {
      if (this.#handlers !== undefined) this.#connect();
    });
  }
}

function openSocket({ isSecure, host, port }: BrokerAddress): Socket {
  if (isSecure) return connectTls({ host, port, servername: host });
  const socket = createConnection({ host, port });
  // A QoS 1 message and its acknowledgement would wait for each other.
  socket.setNoDelay(true);
  return socket;
}
