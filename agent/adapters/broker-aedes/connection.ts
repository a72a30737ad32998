/**
 * What the broker keeps of one connection: greeting → authenticating → admitted → subscribed → closed. `connected` is called
 * on entering `subscribed`, `disconnected` on leaving it, once each and in that order.
 */
import type { Duplex } from 'node:stream';
import type { PublishPacket } from 'aedes';
import { downFilter, downTopic } from '@plugpool/proto';
import type { ClientName, TopicKind } from '@plugpool/proto';
import type { Standing } from '../../core/clients/standing.ts';
import type { PacketGuard } from './packet-guard.ts';
import { encodeTopic } from './publish-packet.ts';

export interface Connection {
  readonly stream: Duplex;
  readonly guard: PacketGuard;
  state: 'greeting' | 'authenticating' | 'admitted' | 'subscribed' | 'closed';
  /** From `admitted` on. */
  peer: Peer | undefined;
  /** Of its vehicle, when it was last looked at. */
  standing: Standing;
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

export interface WaitingPublish {
  readonly packet: PublishPacket;
  readonly taken: () => void;
}

/** Who is at the other end, and its topics as they are compared and sent. */
export interface Peer {
  readonly name: ClientName;
  readonly filter: string;
  readonly topics: Readonly<Record<TopicKind, Buffer>>;
}

export function newConnection(parts: Pick<Connection, 'stream' | 'guard' | 'connectTimer'>): Connection {
  return {
    ...parts,
    state: 'greeting',
    peer: undefined,
    standing: 'stranger',
    stalledTimer: undefined,
    unacknowledged: 0,
    messageId: 0,
    progress: 0,
    isHandling: false,
    isAckHeld: false,
    waiting: [],
  };
}

export function describePeer(name: ClientName): Peer {
  return {
    name,
    filter: downFilter(name),
    topics: { frame: encodeTopic(downTopic(name, 'frame')), blob: encodeTopic(downTopic(name, 'blob')) },
  };
}

/** A PUBACK came in; false where none was owed. */
export function acknowledge(connection: Connection): boolean {
  connection.progress += 1;
  if (connection.unacknowledged === 0) return false;
  connection.unacknowledged -= 1;
  return true;
}
