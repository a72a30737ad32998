/** What the pile sends: one PUBLISH to one connection, the PUBACK that leaves with it, and who reads too slowly for it. */
import type { TopicKind } from '@plugpool/proto';
import type { Connection } from './connection.ts';
import { writePublish } from './publish-packet.ts';

/** Half of the message ids: a client that acknowledges nothing is closed before an id could be in flight twice. */
const UNACKNOWLEDGED_MAX = 32_768;
const MESSAGE_ID_MAX = 65_535;
/** How long a PUBACK waits for a message to leave with: about a commit, and far below what a client waits for it. */
const ACK_DELAY_MS = 5;

export interface OutgoingOptions {
  readonly queuedBytesMax: number;
  readonly stalledMsMax: number;
  /** It does not read what it is sent. */
  tooSlow(connection: Connection): void;
}

export class Outgoing {
  readonly #options: OutgoingOptions;
  /** Some of them have let it go since. */
  readonly #acksHeld: Connection[] = [];
  #ackTimer: NodeJS.Timeout | undefined;

  constructor(options: OutgoingOptions) {
    this.#options = options;
  }

  send(connection: Connection, kind: TopicKind, payload: Uint8Array): boolean {
    if (connection.state !== 'subscribed' || connection.peer === undefined) return false;
    const queuedBytes = connection.stream.writableLength + payload.length;
    if (queuedBytes > this.#options.queuedBytesMax || connection.unacknowledged >= UNACKNOWLEDGED_MAX) {
      this.#options.tooSlow(connection);
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
      if (connection.progress === progress) this.#options.tooSlow(connection);
      else this.#watchReader(connection);
    }, this.#options.stalledMsMax);
  }

  /** Alone it would wake the client for nothing: it leaves with what answers the message, or a moment later. */
  holdAck(connection: Connection): void {
    if (connection.isAckHeld) return;
    connection.isAckHeld = true;
    connection.stream.cork();
    this.#acksHeld.push(connection);
    this.#ackTimer ??= setTimeout(() => {
      this.#ackTimer = undefined;
      for (const each of this.#acksHeld.splice(0)) letAckGo(each);
    }, ACK_DELAY_MS);
  }
}

function letAckGo(connection: Connection): void {
  if (!connection.isAckHeld) return;
  connection.isAckHeld = false;
  connection.stream.uncork();
}
