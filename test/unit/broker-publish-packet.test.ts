/** What a PUBLISH is made of, and what is kept of it as long as its client is there. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { encodeTopic, writePublish } from '../../agent/adapters/broker-aedes/publish-packet.ts';

const TOPIC = 'plugpool/v1/vehicle-1.lend/down/frame';
/** A remaining length of one to four bytes; the third is the last that is copied, the others are written as they are. */
const PAYLOAD_BYTES = [0, 200, 4_096, 4_097, 20_000, 2_100_000];

function writtenFor(payload: Uint8Array): Buffer {
  const chunks: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  writePublish(stream, encodeTopic(TOPIC), 513, payload);
  stream.uncork();
  return Buffer.concat(chunks);
}

/** Section 2.2.3 read the other way round: the value, and how many bytes it has. */
function remainingLength(packet: Buffer): [value: number, bytes: number] {
  let value = 0;
  for (let at = 1; ; at += 1) {
    const byte = packet[at] ?? 0;
    value += (byte & 0x7f) * 128 ** (at - 1);
    if (byte < 128) return [value, at];
  }
}

describe('A PUBLISH', () => {
  for (const bytes of PAYLOAD_BYTES)
    it(`of ${bytes} bytes says its length, topic and message id, and carries them as they are`, () => {
      const payload = new Uint8Array(bytes).map((_, index) => index % 251);
      const packet = writtenFor(payload);
      const [length, lengthBytes] = remainingLength(packet);
      const rest = packet.subarray(1 + lengthBytes);
      assert.equal(packet[0], 0x32);
      assert.equal(length, rest.length);
      assert.equal(rest.readUInt16BE(0), TOPIC.length);
      assert.equal(rest.toString('utf8', 2, 2 + TOPIC.length), TOPIC);
      assert.equal(rest.readUInt16BE(2 + TOPIC.length), 513);
      assert.deepEqual(new Uint8Array(rest.subarray(4 + TOPIC.length)), payload);
    });

  it('keeps of a topic its own bytes, not the block of memory that short-lived ones are cut from', () => {
    const encoded = encodeTopic(TOPIC);
    assert.equal(encoded.buffer.byteLength, encoded.length);
  });
});
