/**
 * The Broker port on an embedded Aedes. Aedes parses, answers CONNECT, PINGREQ and SUBSCRIBE, acknowledges, and keeps
 * time; nothing is routed, retained or queued: what a vehicle publishes goes to the handlers, and what the pile sends is
 * written to that one vehicle's connection.
 *
 *   socket ─► packet guard ─► Aedes: CONNECT ─► judgeConnect, handlers.authenticate ─► admitted
 *                                  SUBSCRIBE its down/+ ─► handlers.connected
 *                                  PUBLISH under its up/ ─► handlers.message ─► PUBACK
 *
 * The states of a connection are in connection.ts; a client that takes its own id over makes its older connection leave before
 * the newer one is admitted. Who is let in: admission.ts; what it publishes: incoming.ts; what it is sent: outgoing.ts.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client, PublishPacket, Subscription } from 'aedes';
import { CONNECT_BYTES_MAX } from '@plugpool/proto';
import type { ClientId, ClientName, TopicKind } from '@plugpool/proto';
import { ListenError } from '../../listen-error.ts';
import type { BrokerHandlers } from '../../ports.ts';
import { Admission } from './admission.ts';
import type { AedesBroker, AedesBrokerOptions, BrokerCounts } from './broker-options.ts';
import { connectReturnCodes, encodeConnack, judgeConnect } from './connect-rules.ts';
import type { ConnectReturnCode } from './connect-rules.ts';
import { acknowledge, describePeer, newConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import { Incoming } from './incoming.ts';
import { limitLog } from './limited-log.ts';
import type { LimitedLog } from './limited-log.ts';
import { parseListenUrl } from './listen-url.ts';
import { Outgoing } from './outgoing.ts';
import { guardPackets } from './packet-guard.ts';
import { withoutNumberCache } from './packet-writer.ts';
import { UnroutedAedes } from './unrouted-aedes.ts';
import { withoutPersistence } from './without-persistence.ts';

export function createAedesBroker(options: AedesBrokerOptions): AedesBroker {
  return new EmbeddedAedes(options);
}

class EmbeddedAedes implements AedesBroker {
  readonly #options: Required<AedesBrokerOptions>;
  readonly #log: LimitedLog;
  readonly #connections = new Map<Duplex, Connection>();
  readonly #admission: Admission;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
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
    this.#admission = new Admission({
      ...this.#options,
      standing: (vehicleId) => this.#handlers?.standing(vehicleId) ?? 'stranger',
    });
    const { queuedBytesMax, stalledMsMax } = this.#options;
    const tooSlow = (connection: Connection): void => this.#drop(connection, 'slow_reader');
    this.#outgoing = new Outgoing({ queuedBytesMax, stalledMsMax, tooSlow });
    this.#incoming = new Incoming({
      log: this.#log,
      message: (name, kind, payload) => this.#handlers?.message(name, kind, payload),
      holdAck: (connection) => this.#outgoing.holdAck(connection),
      drop: (connection, reason, topic) => this.#drop(connection, reason, topic),
    });
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
    const oldest = this.#admission.greet(connection);
    if (oldest !== undefined) this.#drop(oldest, 'too_many_greetings');
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
    const connection: Connection = newConnection({
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
      connectTimer: setTimeout(
        () => this.#drop(connection, 'connect_timeout'),
        this.#options.connectTimeoutMs,
      ),
    });
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
    const older = this.#admission.of(name.clientId);
    if (older !== undefined) this.#drop(older, 'taken_over');
    const full = this.#admission.whyFull(name);
    if (full !== undefined) {
      this.#refuse(connection, connectReturnCodes.serverUnavailable, full, name);
      return false;
    }
    this.#admission.admit(connection, name);
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

  #published(client: Client | null, packet: PublishPacket, taken: () => void): void {
    const connection = client === null ? undefined : this.#connections.get(client.conn);
    if (connection === undefined || connection.state === 'closed') return;
    this.#incoming.take(connection, { packet, taken });
  }

  send(clientId: ClientId, kind: TopicKind, payload: Uint8Array): boolean {
    const connection = this.#admission.of(clientId);
    return connection !== undefined && this.#outgoing.send(connection, kind, payload);
  }

  // --- Ending ---

  disconnect(clientId: ClientId): void {
    const connection = this.#admission.of(clientId);
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
    clearTimeout(connection.connectTimer);
    clearTimeout(connection.stalledTimer);
    connection.guard.close();
    connection.waiting = [];
    const wasSubscribed = connection.state === 'subscribed';
    connection.state = 'closed';
    this.#admission.leave(connection);
    if (wasSubscribed && connection.peer !== undefined) this.#handlers?.disconnected(connection.peer.name);
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
      ...this.#admission.counts(),
      aedesClients: this.#aedes?.connectedClients ?? 0,
    };
  }
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
