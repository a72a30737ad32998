/**
 * The Broker port on an embedded Aedes. Aedes parses, answers CONNECT, PINGREQ and SUBSCRIBE, acknowledges, and keeps
 * time; nothing is routed, retained or queued: what a vehicle publishes goes to the handlers, and what the pile sends is
 * written to that one vehicle's connection.
 *
 *   socket ─► packet guard ─► Aedes: CONNECT ─► judgeConnect, handlers.authenticate ─► admitted
 *                                  SUBSCRIBE its down/+ ─► handlers.connected
 *                                  PUBLISH under its up/ ─► handlers.message ─► PUBACK
 *
 * A connection: greeting → authenticating → admitted → subscribed → closed. `connected` is called on entering
 * `subscribed`, `disconnected` on leaving it, once each and in that order; a client that takes its own id over makes its
 * older connection leave before the newer one is admitted.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { Aedes } from 'aedes';
import type { Client, PublishPacket, Subscription } from 'aedes';
import { CONNECT_BYTES_MAX, downFilter, downTopic, upKind } from '@plugpool/proto';
import type { ClientId, ClientName, TopicKind, VehicleId } from '@plugpool/proto';
import { ListenError } from '../../listen-error.ts';
import type { Broker, BrokerHandlers } from '../../ports.ts';
import { connectReturnCodes, encodeConnack, judgeConnect } from './connect-rules.ts';
import type { ConnectReturnCode } from './connect-rules.ts';
import { limitLog } from './limited-log.ts';
import type { BrokerLog, LimitedLog } from './limited-log.ts';
import { parseListenUrl } from './listen-url.ts';
import { guardPackets } from './packet-guard.ts';
import type { PacketGuard } from './packet-guard.ts';
import { withoutNumberCache } from './packet-writer.ts';
import { encodeTopic, writePublish } from './publish-packet.ts';
import { withoutPersistence } from './without-persistence.ts';

export interface AedesBrokerOptions {
  /** `mqtt://host:port`; port 0 takes any. */
  readonly listen: string;
  /** Admitted connections, all vehicles together. */
  readonly connectionsMax: number;
  readonly connectionsPerVehicleMax: number;
  /** One MQTT packet of an admitted client. */
  readonly messageBytesMax: number;
  /** Packets a second of one client, acknowledgements that it owes not counted; as many may come at once. */
  readonly messagesPerSecondMax: number;
  readonly log: BrokerLog;
  /** From the accepted socket to an admitted client. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** Sockets that are not admitted yet; one more closes the oldest. Default 64. */
  readonly greetingsMax?: number;
  /** Bytes that may wait for one client to read them. Default thirty-two messages: what one commit owes may be many results at once. */
  readonly queuedBytesMax?: number;
  /** How long a client with bytes waiting may neither read nor acknowledge. Default 2 s. */
  readonly stalledMsMax?: number;
  /** How long a client may be slowed down to its rate without a break. Default 60 s. */
  readonly slowedMsMax?: number;
  /** A clock that never jumps. */
  readonly monoMs?: () => number;
}

export interface BrokerCounts {
  /** Sockets, admitted or not. */
  readonly sockets: number;
  readonly greeting: number;
  readonly admitted: number;
  readonly vehicles: number;
  /** What Aedes itself keeps. */
  readonly aedesClients: number;
}

export interface AedesBroker extends Broker {
  /** Takes a connection that did not come by the port: one side of a `duplexPair`, or another listener's socket. */
  accept(stream: Duplex): void;
  counts(): BrokerCounts;
}

/** Half of the message ids: a client that acknowledges nothing is closed before an id could be in flight twice. */
const UNACKNOWLEDGED_MAX = 32_768;
const MESSAGE_ID_MAX = 65_535;
/** How long a PUBACK waits for a message to leave with: about a commit, and far below what a client waits for it. */
const ACK_DELAY_MS = 5;

export function createAedesBroker(options: AedesBrokerOptions): AedesBroker {
  return new EmbeddedAedes(options);
}

/** Aedes, with its routing taken out: no client ever receives what another one, or Aedes itself, publishes. */
class UnroutedAedes extends Aedes {
  override publish(packet: PublishPacket, ...rest: unknown[]): void {
    const done = rest.at(-1) as () => void;
    // At QoS 0 Aedes calls from inside its parser, which must not be entered again.
    if (packet.qos === 1) done();
    else setImmediate(done);
  }

  override subscribe(_topic: string, _deliver: unknown, done: () => void): void {
    done();
  }

  override unsubscribe(_topic: string, _deliver: unknown, done?: () => void): void {
    done?.();
  }
}

interface WaitingPublish {
  readonly packet: PublishPacket;
  readonly taken: () => void;
}

interface Connection {
  readonly stream: Duplex;
  readonly guard: PacketGuard;
  state: 'greeting' | 'authenticating' | 'admitted' | 'subscribed' | 'closed';
  /** From `admitted` on. */
  peer: Peer | undefined;
  connectTimer: NodeJS.Timeout | undefined;
  stalledTimer: NodeJS.Timeout | undefined;
  unacknowledged: number;
  messageId: number;
  /** Grows with each acknowledgement and each emptied write buffer. */
  progress: number;
  isHandling: boolean;
  /** A PUBACK was written that has not left yet. */
  isAckHeld: boolean;
  /** Came in one chunk with a message that the handler has not taken yet. */
  waiting: WaitingPublish[];
}

/** Who is at the other end, and its topics as they are compared and sent. */
interface Peer {
  readonly name: ClientName;
  readonly filter: string;
  readonly topics: Readonly<Record<TopicKind, Buffer>>;
}

class EmbeddedAedes implements AedesBroker {
  readonly #options: Required<AedesBrokerOptions>;
  readonly #log: LimitedLog;
  readonly #connections = new Map<Duplex, Connection>();
  /** In the order they came. */
  readonly #greetings = new Set<Connection>();
  readonly #admitted = new Map<ClientId, Connection>();
  readonly #perVehicle = new Map<VehicleId, number>();
  /** Some of them have let it go since. */
  readonly #acksHeld: Connection[] = [];
  #ackTimer: NodeJS.Timeout | undefined;
  #handlers: BrokerHandlers | undefined;
  #aedes: UnroutedAedes | undefined;
  #server: Server | undefined;

  constructor(options: AedesBrokerOptions) {
    this.#options = {
      connectTimeoutMs: 5_000,
      greetingsMax: 64,
      queuedBytesMax: 32 * options.messageBytesMax,
      stalledMsMax: 2_000,
      slowedMsMax: 60_000,
      monoMs: () => performance.now(),
      ...options,
    };
    this.#log = limitLog(options.log, this.#options.monoMs);
  }

  async start(handlers: BrokerHandlers): Promise<{ readonly host: string; readonly port: number }> {
    const listen = parseListenUrl(this.#options.listen);
    if (!listen.ok)
      throw new ListenError(listen.reason, 'correct --listen, or `listen` in the configuration');
    this.#handlers = handlers;
    this.#aedes = this.#createAedes();
    await this.#aedes.listen();
    // Without noDelay a QoS 1 answer waits 40 ms for the delayed acknowledgement of its PUBACK.
    const server = createServer({ noDelay: true }, (socket) => this.accept(socket));
    this.#server = server;
    await listening(server, listen.address.host, listen.address.port).catch(async (cause: unknown) => {
      await this.stop();
      throw new ListenError(
        `cannot listen on ${this.#options.listen}: ${String(cause)}`,
        'stop the other agent, or listen on another address of this machine (--listen)',
        cause,
      );
    });
    server.on('error', (error) => this.#options.log.error({ error }, 'the listening socket failed'));
    const address = server.address() as AddressInfo;
    return { host: address.address, port: address.port };
  }

  #createAedes(): UnroutedAedes {
    withoutNumberCache();
    const aedes = new UnroutedAedes({
      persistence: withoutPersistence,
      // Ours, below, counts the whole way to admission and ends first.
      connectTimeout: 2 * this.#options.connectTimeoutMs,
      drainTimeout: this.#options.stalledMsMax,
      preConnect: (client, packet, callback) => this.#greeted(client.conn, packet, callback),
      authorizePublish: (client, packet, callback) => this.#published(client, packet, callback),
      authorizeSubscribe: (client, subscription, callback) =>
        callback(null, this.#maySubscribe(client.conn, subscription) ? subscription : null),
    });
    aedes.on('clientReady', (client) => this.#ready(client.conn));
    aedes.on('subscribe', (subscriptions, client) => this.#subscribed(client.conn, subscriptions));
    aedes.on('unsubscribe', (filters, client) => {
      // Aedes unsubscribes a client that it closes, too.
      if (!client.closed) this.#unsubscribed(client.conn, filters);
    });
    const failed = (client: Client, error: Error): void => this.#failed(client.conn, error);
    aedes.on('clientError', failed);
    aedes.on('connectionError', failed);
    return aedes;
  }

  accept(stream: Duplex): void {
    const aedes = this.#aedes;
    if (aedes === undefined || aedes.closed) {
      stream.destroy();
      return;
    }
    const connection = this.#createConnection(stream);
    this.#connections.set(stream, connection);
    this.#greetings.add(connection);
    if (this.#greetings.size > this.#options.greetingsMax) {
      const [oldest] = this.#greetings;
      if (oldest !== undefined) this.#drop(oldest, 'too_many_greetings');
    }
    const client = aedes.handle(stream);
    client.prependListener('error', (error: Error) => {
      // Levels that the parser does not know at all still get their return code [MQTT-3.1.2-2].
      if (error.message !== 'Invalid protocol version' || connection.state !== 'greeting') return;
      stream.write(encodeConnack(connectReturnCodes.protocolUnacceptable));
    });
    stream.once('close', () => this.#close(connection));
    stream.on('drain', () => {
      connection.progress += 1;
    });
  }

  #createConnection(stream: Duplex): Connection {
    const connection: Connection = {
      stream,
      guard: guardPackets(stream, {
        connectBytesMax: CONNECT_BYTES_MAX,
        messageBytesMax: this.#options.messageBytesMax,
        packetsPerSecondMax: this.#options.messagesPerSecondMax,
        slowedMsMax: this.#options.slowedMsMax,
        monoMs: this.#options.monoMs,
        violated: (violation) => this.#drop(connection, violation),
        acknowledged: () => acknowledge(connection),
      }),
      state: 'greeting',
      peer: undefined,
      connectTimer: setTimeout(
        () => this.#drop(connection, 'connect_timeout'),
        this.#options.connectTimeoutMs,
      ),
      stalledTimer: undefined,
      unacknowledged: 0,
      messageId: 0,
      progress: 0,
      isHandling: false,
      isAckHeld: false,
      waiting: [],
    };
    return connection;
  }

  // --- CONNECT ---

  #greeted(
    stream: Duplex,
    packet: Parameters<typeof judgeConnect>[0],
    proceed: (error: Error | null, ok: boolean) => void,
  ): void {
    const connection = this.#connections.get(stream);
    if (connection === undefined || connection.state !== 'greeting') return;
    const verdict = judgeConnect(packet);
    if (!verdict.ok) {
      this.#refuse(connection, verdict.code, verdict.reason);
      return;
    }
    connection.state = 'authenticating';
    void this.#authenticate(connection, verdict.name, verdict.token).then((isAdmitted) => {
      if (isAdmitted) proceed(null, true);
    });
  }

  async #authenticate(connection: Connection, name: ClientName, token: string | undefined): Promise<boolean> {
    const handlers = this.#handlers as BrokerHandlers;
    const verdict = await handlers.authenticate(name, token).catch((error: unknown) => {
      this.#log.warn('authenticate', { error, vehicleId: name.vehicleId }, 'a token could not be checked');
      return 'unavailable' as const;
    });
    if (connection.state !== 'authenticating') return false;
    if (verdict === 'refused') {
      this.#refuse(connection, connectReturnCodes.notAuthorized, 'wrong or missing token', name);
      return false;
    }
    if (verdict === 'unavailable') {
      this.#refuse(connection, connectReturnCodes.serverUnavailable, 'tokens cannot be checked now', name);
      return false;
    }
    return this.#admit(connection, name);
  }

  #admit(connection: Connection, name: ClientName): boolean {
    const older = this.#admitted.get(name.clientId);
    if (older !== undefined) this.#drop(older, 'taken_over');
    const ofVehicle = this.#perVehicle.get(name.vehicleId) ?? 0;
    if (ofVehicle >= this.#options.connectionsPerVehicleMax) {
      this.#refuse(
        connection,
        connectReturnCodes.serverUnavailable,
        'the vehicle has too many connections',
        name,
      );
      return false;
    }
    if (this.#admitted.size >= this.#options.connectionsMax) {
      this.#refuse(
        connection,
        connectReturnCodes.serverUnavailable,
        'the pile has too many connections',
        name,
      );
      return false;
    }
    this.#greetings.delete(connection);
    this.#perVehicle.set(name.vehicleId, ofVehicle + 1);
    this.#admitted.set(name.clientId, connection);
    connection.peer = describePeer(name);
    connection.state = 'admitted';
    return true;
  }

  /** The socket stays bounded by the connect timer until the client has closed its side or its bytes are out. */
  #refuse(connection: Connection, code: ConnectReturnCode, reason: string, name?: ClientName): void {
    this.#log.warn(
      'refused',
      { code, reason, ...(name === undefined ? {} : { clientId: name.clientId }) },
      'a connection was refused',
    );
    connection.state = 'closed';
    connection.guard.close();
    connection.stream.end(encodeConnack(code), () => connection.stream.destroy());
  }

  /** CONNACK is written. */
  #ready(stream: Duplex): void {
    const connection = this.#connections.get(stream);
    if (connection === undefined) return;
    clearTimeout(connection.connectTimer);
    connection.guard.admit();
  }

  // --- SUBSCRIBE ---

  #maySubscribe(stream: Duplex, subscription: Subscription): boolean {
    const peer = this.#connections.get(stream)?.peer;
    // A subscription at QoS 0 would have to be served at QoS 0 [MQTT-3.8.4-6].
    if (peer !== undefined && subscription.topic === peer.filter && subscription.qos >= 1) return true;
    this.#log.warn(
      'subscription',
      { clientId: peer?.name.clientId, filter: subscription.topic.slice(0, 128) },
      'a subscription was refused',
    );
    return false;
  }

  /** Aedes says so right after it wrote the SUBACK; refused ones carry 128. */
  #subscribed(stream: Duplex, subscriptions: readonly Subscription[]): void {
    const connection = this.#connections.get(stream);
    if (connection?.state !== 'admitted' || connection.peer === undefined) return;
    const { filter, name } = connection.peer;
    if (!subscriptions.some((one) => one.topic === filter && (one.qos as number) !== 128)) return;
    connection.state = 'subscribed';
    this.#handlers?.connected(name);
  }

  #unsubscribed(stream: Duplex, filters: readonly string[]): void {
    const connection = this.#connections.get(stream);
    if (connection?.state !== 'subscribed' || connection.peer === undefined) return;
    // Nothing could be said to it any more, and a second `connected` of one connection would say a lie.
    if (filters.includes(connection.peer.filter)) this.#drop(connection, 'unsubscribed');
  }

  // --- PUBLISH ---

  /** Aedes writes the PUBACK when `callback` is called, and nothing but that. */
  #published(client: Client | null, packet: PublishPacket, callback: () => void): void {
    const connection = client === null ? undefined : this.#connections.get(client.conn);
    if (connection === undefined || connection.state === 'closed') return;
    const publish: WaitingPublish = { packet, taken: callback };
    if (connection.isHandling) connection.waiting.push(publish);
    else this.#handOn(connection, publish);
  }

  #handOn(connection: Connection, { packet, taken }: WaitingPublish): void {
    const checked = this.#checkPublish(connection, packet);
    if (checked === undefined) return;
    const pending = this.#handlers?.message(checked.name, checked.kind, packet.payload as Buffer);
    if (pending === undefined) {
      this.#holdAck(connection);
      taken();
      return;
    }
    connection.isHandling = true;
    connection.guard.hold();
    pending.then(
      () => this.#handled(connection, taken),
      (error: unknown) => {
        // Not acknowledged: the client sends it again when it is back.
        this.#log.warn('message', { error, clientId: checked.name.clientId }, 'a message could not be taken');
        this.#drop(connection, 'message_not_taken');
      },
    );
  }

  /** Alone it would wake the client for nothing: it leaves with what answers the message, or a moment later. */
  #holdAck(connection: Connection): void {
    if (connection.isAckHeld) return;
    connection.isAckHeld = true;
    connection.stream.cork();
    this.#acksHeld.push(connection);
    this.#ackTimer ??= setTimeout(() => {
      this.#ackTimer = undefined;
      for (const each of this.#acksHeld.splice(0)) letAckGo(each);
    }, ACK_DELAY_MS);
  }

  #handled(connection: Connection, taken: () => void): void {
    connection.isHandling = false;
    if (connection.state === 'closed') return;
    taken();
    this.#handOnWaiting(connection);
    connection.guard.release();
  }

  /** Closing the connection empties what waits. */
  #handOnWaiting(connection: Connection): void {
    while (!connection.isHandling) {
      const next = connection.waiting.shift();
      if (next === undefined) return;
      this.#handOn(connection, next);
    }
  }

  #checkPublish(
    connection: Connection,
    packet: PublishPacket,
  ): { readonly name: ClientName; readonly kind: TopicKind } | undefined {
    const name = connection.peer?.name;
    const kind = name === undefined ? undefined : upKind(name, packet.topic);
    if (name === undefined || kind === undefined) this.#drop(connection, 'foreign_topic', packet.topic);
    else if (packet.qos === 2) this.#drop(connection, 'qos_2');
    else if (packet.retain) this.#drop(connection, 'retained');
    // The daemon never hears a message of a client that it does not know yet.
    else if (connection.state !== 'subscribed') this.#drop(connection, 'publish_before_subscribe');
    else return { name, kind };
    return undefined;
  }

  // --- Sending ---

  send(clientId: ClientId, kind: TopicKind, payload: Uint8Array): boolean {
    const connection = this.#admitted.get(clientId);
    if (connection?.state !== 'subscribed' || connection.peer === undefined) return false;
    const queuedBytes = connection.stream.writableLength + payload.length;
    if (queuedBytes > this.#options.queuedBytesMax || connection.unacknowledged >= UNACKNOWLEDGED_MAX) {
      this.#drop(connection, 'slow_reader');
      return false;
    }
    connection.messageId = connection.messageId >= MESSAGE_ID_MAX ? 1 : connection.messageId + 1;
    connection.unacknowledged += 1;
    writePublish(connection.stream, connection.peer.topics[kind], connection.messageId, payload);
    letAckGo(connection);
    if (connection.stream.writableNeedDrain) this.#watchReader(connection);
    return true;
  }

  /** Looks again after a while: a link that moves some bytes or acknowledges is slow, not stalled. */
  #watchReader(connection: Connection): void {
    if (connection.stalledTimer !== undefined) return;
    const { progress } = connection;
    connection.stalledTimer = setTimeout(() => {
      connection.stalledTimer = undefined;
      if (connection.state !== 'subscribed' || !connection.stream.writableNeedDrain) return;
      if (connection.progress === progress) this.#drop(connection, 'slow_reader');
      else this.#watchReader(connection);
    }, this.#options.stalledMsMax);
  }

  // --- Ending ---

  disconnect(clientId: ClientId): void {
    const connection = this.#admitted.get(clientId);
    if (connection !== undefined) this.#part(connection);
  }

  /** Closes a connection once what was sent to it has left; one that does not read is closed all the same. */
  #part(connection: Connection): void {
    this.#close(connection);
    const { stream } = connection;
    const destroy = (): void => void stream.destroy();
    const timer = setTimeout(destroy, this.#options.stalledMsMax);
    stream.once('close', () => clearTimeout(timer));
    stream.end(destroy);
  }

  /** Closes a connection for what it did. */
  #drop(connection: Connection, reason: string, topic?: string): void {
    if (connection.state === 'closed' && connection.stream.destroyed) return;
    this.#log.warn(
      reason,
      {
        clientId: connection.peer?.name.clientId,
        state: connection.state,
        ...(topic === undefined ? {} : { topic: topic.slice(0, 128) }),
      },
      'a connection was closed',
    );
    this.#leave(connection);
  }

  #leave(connection: Connection): void {
    this.#close(connection);
    connection.stream.destroy();
  }

  /** Everything that is kept of a connection goes here, whoever ended it; twice is as once. */
  #close(connection: Connection): void {
    if (!this.#connections.delete(connection.stream)) return;
    this.#greetings.delete(connection);
    clearTimeout(connection.connectTimer);
    clearTimeout(connection.stalledTimer);
    connection.guard.close();
    connection.waiting = [];
    const wasSubscribed = connection.state === 'subscribed';
    connection.state = 'closed';
    if (connection.peer === undefined) return;
    const { name } = connection.peer;
    this.#admitted.delete(name.clientId);
    const ofVehicle = (this.#perVehicle.get(name.vehicleId) ?? 0) - 1;
    if (ofVehicle > 0) this.#perVehicle.set(name.vehicleId, ofVehicle);
    else this.#perVehicle.delete(name.vehicleId);
    if (wasSubscribed) this.#handlers?.disconnected(name);
  }

  /** The parser's and the socket's errors; Aedes has destroyed the stream already. */
  #failed(stream: Duplex, error: Error): void {
    const connection = this.#connections.get(stream);
    if (connection === undefined) return;
    this.#log.warn(
      'connection_error',
      { clientId: connection.peer?.name.clientId, state: connection.state, reason: error.message },
      'a connection failed',
    );
    this.#leave(connection);
  }

  async stop(): Promise<void> {
    const server = this.#server;
    const aedes = this.#aedes;
    this.#server = undefined;
    this.#aedes = undefined;
    const closed = server === undefined ? undefined : serverClosed(server);
    for (const connection of [...this.#connections.values()]) this.#part(connection);
    if (aedes !== undefined) await new Promise<void>((resolve) => aedes.close(resolve));
    await closed;
  }

  counts(): BrokerCounts {
    return {
      sockets: this.#connections.size,
      greeting: this.#greetings.size,
      admitted: this.#admitted.size,
      vehicles: this.#perVehicle.size,
      aedesClients: this.#aedes?.connectedClients ?? 0,
    };
  }
}

function describePeer(name: ClientName): Peer {
  return {
    name,
    filter: downFilter(name),
    topics: { frame: encodeTopic(downTopic(name, 'frame')), blob: encodeTopic(downTopic(name, 'blob')) },
  };
}

function letAckGo(connection: Connection): void {
  if (!connection.isAckHeld) return;
  connection.isAckHeld = false;
  connection.stream.uncork();
}

function acknowledge(connection: Connection): boolean {
  connection.progress += 1;
  if (connection.unacknowledged === 0) return false;
  connection.unacknowledged -= 1;
  return true;
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function serverClosed(server: Server): Promise<void> {
  // `close` reports an error only for a server that never listened.
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
