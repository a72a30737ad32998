/** What the broker is started with, and what it tells of itself. */
import type { Duplex } from 'node:stream';
import type { Broker } from '../../ports.ts';
import type { BrokerLog } from './limited-log.ts';

export interface AedesBrokerOptions {
  /** `mqtt://host:port`; port 0 takes any. */
  readonly listen: string;
  /** Admitted connections, all vehicles together; a quarter of them is kept from vehicles of which nothing is known. */
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
