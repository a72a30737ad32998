/** Writes an MQTT 3.1.1 PUBLISH at QoS 1 (section 3.3) to a stream. */
import type { Duplex } from 'node:stream';

/** Below this, one copied buffer is cheaper than two buffers in one system call. */
const COPY_BYTES_MAX = 4096;
const PUBLISH_QOS_1 = 0x32;

/**
 * A topic as it stands in the packet: its length in two bytes, then itself. Kept as long as its client is there, so it has memory of its
 * own: a few bytes of Node's pool would hold all 64 KiB of it.
 */
export function encodeTopic(topic: string): Buffer {
  const encoded = Buffer.allocUnsafeSlow(2 + Buffer.byteLength(topic));
  encoded.writeUInt16BE(encoded.length - 2, 0);
  encoded.write(topic, 2);
  return encoded;
}

/**
 * Corked until the end of this turn of the event loop, so that all that one commit owes to a client, and the PUBACKs that
 * Aedes writes in the same turn, leave in one system call.
 */
export function writePublish(
  stream: Duplex,
  encodedTopic: Buffer,
  messageId: number,
  payload: Uint8Array,
): void {
  stream.cork();
  process.nextTick(uncork, stream);
  const remaining = encodedTopic.length + 2 + payload.length;
  const lengthBytes = remainingLengthBytes(remaining);
  const isCopied = payload.length <= COPY_BYTES_MAX;
  const head = Buffer.allocUnsafe(1 + lengthBytes + (isCopied ? remaining : remaining - payload.length));
  head[0] = PUBLISH_QOS_1;
  let at = writeRemainingLength(head, remaining);
  at += encodedTopic.copy(head, at);
  at = head.writeUInt16BE(messageId, at);
  if (isCopied) head.set(payload, at);
  stream.write(head);
  if (!isCopied) stream.write(payload);
}

function uncork(stream: Duplex): void {
  stream.uncork();
}

function remainingLengthBytes(remaining: number): number {
  if (remaining < 128) return 1;
  if (remaining < 16_384) return 2;
  return remaining < 2_097_152 ? 3 : 4;
}

/** Section 2.2.3: seven bits a byte, lowest first. Returns where the variable header begins. */
function writeRemainingLength(head: Buffer, remaining: number): number {
  let at = 1;
  let left = remaining;
  while (left >= 128) {
    head[at++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  head[at++] = left;
  return at;
}
