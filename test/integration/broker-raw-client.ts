/** A broker with handlers that write down what they hear, and a client made of hand-written MQTT bytes, for the tests. */
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { createAedesBroker } from '../../agent/adapters/broker-aedes/aedes-broker.ts';
import type { AedesBroker, AedesBrokerOptions } from '../../agent/adapters/broker-aedes/broker-options.ts';
import type { BrokerHandlers } from '../../agent/ports.ts';
import { parseClientId } from '../../proto/index.ts';
import type { ClientName } from '../../proto/index.ts';

export interface StartedBroker {
  readonly broker: AedesBroker;
  readonly port: number;
  /** `connected car.lend`, `message car.lend frame hello`, … in the order in which they came. */
  readonly heard: string[];
  /** Emits each line of `heard`, and each log line as `log <kind>`. */
  readonly events: EventEmitter;
  readonly logged: { readonly kind?: string; readonly reason?: string }[];
}

export async function startBroker(
  t: TestContext,
  options: Partial<AedesBrokerOptions> = {},
  handlers: Partial<BrokerHandlers> = {},
): Promise<StartedBroker> {
  const events = new EventEmitter();
  events.setMaxListeners(0);
  const heard: string[] = [];
  const logged: StartedBroker['logged'] = [];
  const hear = (line: string): void => {
    heard.push(line);
    events.emit(line);
  };
  const write = (fields: object): void => {
    logged.push(fields);
    events.emit(`log ${(fields as { kind?: string }).kind ?? ''}`);
  };
  const broker = createAedesBroker({
    listen: 'mqtt://127.0.0.1:0',
    connectionsMax: 2000,
    connectionsPerVehicleMax: 4,
    messageBytesMax: 256 * 1024,
    messagesPerSecondMax: 100_000,
    log: { info: write, warn: write, error: write },
    ...options,
  });
  const { port } = await broker.start({
    authenticate: () => Promise.resolve('accepted'),
    standing: () => 'resident',
    connected: (name) => hear(`connected ${name.clientId}`),
    disconnected: (name) => hear(`disconnected ${name.clientId}`),
    message: (name, kind, payload) => {
      hear(`message ${name.clientId} ${kind} ${Buffer.from(payload).toString()}`);
      return undefined;
    },
    ...handlers,
  });
  t.after(() => broker.stop());
  return { broker, port, heard, events, logged };
}

export async function hears(started: StartedBroker, line: string): Promise<void> {
  if (!started.heard.includes(line)) await once(started.events, line);
}

export function named(clientId: string): ClientName {
  const name = parseClientId(clientId);
  if (name === undefined) throw new Error(`not a client id: ${clientId}`);
  return name;
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

export function packet(firstByte: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const head = [firstByte];
  let left = body.length;
  do {
    head.push((left & 127) | (left > 127 ? 128 : 0));
    left >>= 7;
  } while (left > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

export interface ConnectFields {
  readonly clientId?: string;
  readonly protocol?: string;
  readonly level?: number;
  readonly clean?: boolean;
  readonly keepaliveS?: number;
  readonly will?: boolean;
  readonly username?: string;
  readonly password?: string | Buffer;
}

export function connectPacket(fields: ConnectFields = {}): Buffer {
  const { clientId = 'car.lend', protocol = 'MQTT', level = 4, clean = true, keepaliveS = 60 } = fields;
  const flags =
    (clean ? 2 : 0) |
    (fields.will === true ? 4 : 0) |
    (fields.username === undefined ? 0 : 128) |
    (fields.password === undefined ? 0 : 64);
  const password = Buffer.from(fields.password ?? '');
  return packet(
    0x10,
    text(protocol),
    Buffer.from([level, flags, keepaliveS >> 8, keepaliveS & 255]),
    // MQTT 5 has properties here: none.
    Buffer.alloc(level === 5 ? 1 : 0),
    text(clientId),
    ...(fields.will === true ? [text('plugpool/v1/car/lend/up/frame'), text('gone')] : []),
    ...(fields.username === undefined ? [] : [text(fields.username)]),
    ...(fields.password === undefined
      ? []
      : [Buffer.from([password.length >> 8, password.length & 255]), password]),
  );
}

export function publishPacket(topic: string, payload: string | Buffer, messageId = 1, flags = 2): Buffer {
  const id = flags & 6 ? [Buffer.from([messageId >> 8, messageId & 255])] : [];
  return packet(0x30 | flags, text(topic), ...id, Buffer.from(payload));
}

export function subscribePacket(filter: string, qos = 1): Buffer {
  return packet(0x82, Buffer.from([0, 7]), text(filter), Buffer.from([qos]));
}

export interface ReceivedPacket {
  readonly type: number;
  readonly body: Buffer;
}

/** Sends bytes and splits what it gets into packets. */
export class RawClient {
  readonly socket: Socket;
  readonly #received: ReceivedPacket[] = [];
  readonly #arrivals = new EventEmitter();
  #rest = Buffer.alloc(0);
  /** Everything was received and the connection is gone. */
  readonly closed: Promise<void>;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk) => this.#split(chunk));
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    void this.closed.then(() => this.#arrivals.emit('packet'));
  }

  send(...packets: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(packets));
  }

  async next(): Promise<ReceivedPacket> {
    for (;;) {
      const first = this.#received.shift();
      if (first !== undefined) return first;
      if (this.socket.closed) throw new Error('the connection was closed and no packet is left');
      await once(this.#arrivals, 'packet');
    }
  }

  async connected(fields: ConnectFields = {}): Promise<this> {
    this.send(connectPacket(fields));
    const connack = await this.next();
    if (connack.type !== 2 || connack.body[1] !== 0) throw new Error(`refused with ${connack.body[1]}`);
    return this;
  }

  /** Connects and subscribes. */
  async ready(clientId = 'car.lend', fields: ConnectFields = {}): Promise<this> {
    await this.connected({ clientId, ...fields });
    const [vehicleId, slot] = clientId.split('.');
    this.send(subscribePacket(`plugpool/v1/${vehicleId}/${slot}/down/+`));
    const suback = await this.next();
    if (suback.type !== 9 || suback.body[2] !== 1) throw new Error('the subscription was refused');
    return this;
  }

  #split(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      let length = 0;
      let at = 1;
      let isWhole = false;
      while (at < bytes.length && !isWhole) {
        const byte = bytes[at] ?? 0;
        length += (byte & 127) * 128 ** (at - 1);
        isWhole = byte < 128;
        at += 1;
      }
      if (!isWhole || bytes.length < at + length) break;
      this.#received.push({ type: (bytes[0] ?? 0) >> 4, body: bytes.subarray(at, at + length) });
      bytes = bytes.subarray(at + length);
      this.#arrivals.emit('packet');
    }
    this.#rest = bytes;
  }
}
