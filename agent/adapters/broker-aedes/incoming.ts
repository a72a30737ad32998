/** What a client publishes: checked, handed on one at a time, acknowledged when it was taken. */
import type { PublishPacket } from 'aedes';
import { upKind } from '@plugpool/proto';
import type { ClientName, TopicKind } from '@plugpool/proto';
import type { BrokerHandlers } from '../../ports.ts';
import type { Connection, WaitingPublish } from './connection.ts';
import type { LimitedLog } from './limited-log.ts';

export interface IncomingSurroundings {
  readonly log: LimitedLog;
  message: BrokerHandlers['message'];
  /** Its PUBACK is about to be written. */
  holdAck(connection: Connection): void;
  readonly drop: (connection: Connection, reason: string, topic?: string) => void;
}

export class Incoming {
  readonly #around: IncomingSurroundings;

  constructor(around: IncomingSurroundings) {
    this.#around = around;
  }

  /** Aedes writes the PUBACK when `publish.taken` is called, and nothing but that. */
  take(connection: Connection, publish: WaitingPublish): void {
    if (connection.isHandling) connection.waiting.push(publish);
    else this.#handOn(connection, publish);
  }

  #handOn(connection: Connection, { packet, taken }: WaitingPublish): void {
    const checked = this.#check(connection, packet);
    if (checked === undefined) return;
    const pending = this.#around.message(checked.name, checked.kind, packet.payload as Buffer);
    if (pending === undefined) {
      this.#around.holdAck(connection);
      taken();
      return;
    }
    connection.isHandling = true;
    connection.guard.hold();
    pending.then(
      () => this.#handled(connection, taken),
      (error: unknown) => {
        // Not acknowledged: the client sends it again when it is back.
        this.#around.log.warn(
          'message',
          { error, clientId: checked.name.clientId },
          'a message could not be taken',
        );
        this.#around.drop(connection, 'message_not_taken');
      },
    );
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

  #check(
    connection: Connection,
    packet: PublishPacket,
  ): { readonly name: ClientName; readonly kind: TopicKind } | undefined {
    const name = connection.peer?.name;
    const kind = name === undefined ? undefined : upKind(name, packet.topic);
    const { drop } = this.#around;
    if (name === undefined || kind === undefined) drop(connection, 'foreign_topic', packet.topic);
    else if (packet.qos === 2) drop(connection, 'qos_2');
    else if (packet.retain) drop(connection, 'retained');
    // The daemon never hears a message of a client that it does not know yet.
    else if (connection.state !== 'subscribed') drop(connection, 'publish_before_subscribe');
    else return { name, kind };
    return undefined;
  }
}
