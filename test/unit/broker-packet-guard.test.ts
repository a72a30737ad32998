/** The packet guard: what passes, whatever pieces it comes in, and what never does. */
import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { guardPackets } from '../../agent/adapters/broker-aedes/packet-guard.ts';
import type { GuardOptions, PacketGuard } from '../../agent/adapters/broker-aedes/packet-guard.ts';

const CONNECT = Buffer.from([0x10, 2, 1, 1]);

interface Guarded {
  readonly client: Duplex;
  readonly guard: PacketGuard;
  readonly violations: string[];
  readonly passed: () => Buffer;
}

function guarded(options: Partial<GuardOptions> = {}): Guarded {
  const [client, served] = duplexPair();
  client.on('error', () => undefined);
  const violations: string[] = [];
  const chunks: Buffer[] = [];
  const guard = guardPackets(served, {
    connectBytesMax: 100,
    messageBytesMax: 1000,
    packetsPerSecondMax: 1000,
    slowedMsMax: 1000,
    monoMs: () => 0,
    violated: (violation) => violations.push(violation),
    acknowledged: () => true,
    ...options,
  });
  served.on('readable', () => {
    for (let chunk = served.read() as Buffer | null; chunk !== null; chunk = served.read() as Buffer | null) {
      chunks.push(chunk);
    }
  });
  return { client, guard, violations, passed: () => Buffer.concat(chunks) };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise(setImmediate);
}

/** One write after another; the last may never be taken. */
async function feed(client: Duplex, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) client.write(piece);
  for (let i = 0; i < pieces.length; i++) await settled();
}

const sessionPacket = fc
  .record({
    first: fc.constantFrom(0x30, 0x32, 0x40, 0x82, 0xa2, 0xc0, 0xe0),
    body: fc.uint8Array({ maxLength: 90 }),
  })
  .map(({ first, body }) => Buffer.from([first, body.length, ...body]));
const longPublish = fc
  .integer({ min: 128, max: 1000 })
  .map((length) =>
    Buffer.concat([Buffer.from([0x32, (length & 127) | 128, length >> 7]), Buffer.alloc(length, 0x10)]),
  );

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((at) => at % bytes.length))].sort((a, b) => a - b);
  return [...places, bytes.length].map((end, i) => bytes.subarray(places[i - 1] ?? 0, end));
}

const property = fc.asyncProperty;

test('what a session may send passes unchanged, in whatever pieces it comes', async () => {
  await fc.assert(
    property(
      fc.array(fc.oneof(sessionPacket, longPublish), { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      async (packets, cuts) => {
        const { client, guard, passed, violations } = guarded();
        const bytes = Buffer.concat([CONNECT, ...packets]);
        client.write(CONNECT);
        await settled();
        guard.admit();
        if (packets.length > 0) await feed(client, cut(bytes.subarray(CONNECT.length), cuts));
        assert.deepEqual(violations, []);
        assert.ok(passed().equals(bytes));
      },
    ),
    { numRuns: 60 },
  );
});

test('nothing of a packet that is too large passes, in whatever pieces it comes', async () => {
  await fc.assert(
    property(
      fc.array(sessionPacket, { maxLength: 5 }),
      fc.integer({ min: 1001, max: 268_435_455 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      async (packets, length, cuts) => {
        const { client, guard, passed, violations } = guarded();
        const honest = Buffer.concat(packets);
        const lengthBytes = [];
        for (let left = length; left > 0; left >>>= 7)
          lengthBytes.push((left & 127) | (left > 127 ? 128 : 0));
        const bytes = Buffer.concat([honest, Buffer.from([0x32, ...lengthBytes]), Buffer.alloc(50, 0xc0)]);
        client.write(CONNECT);
        await settled();
        guard.admit();
        await feed(client, cut(bytes, cuts));
        assert.deepEqual(violations, ['packet_too_large']);
        // The header's own first bytes may have passed in an earlier piece, its last one and its body never.
        assert.ok(passed().length < CONNECT.length + honest.length + 1 + lengthBytes.length);
      },
    ),
    { numRuns: 60 },
  );
});

test('any bytes whatever are passed or refused, and nothing is thrown', async () => {
  await fc.assert(
    property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 10 }), async (pieces) => {
      const { client, guard, violations } = guarded();
      client.write(CONNECT);
      await settled();
      guard.admit();
      await feed(
        client,
        pieces.map((piece) => Buffer.from(piece)),
      );
      assert.ok(violations.length <= 1);
    }),
    { numRuns: 100 },
  );
});

test('what comes behind the CONNECT waits for the admission, and comes after it', async () => {
  const { client, guard, passed } = guarded();
  client.write(Buffer.concat([CONNECT, Buffer.from([0xc0, 0, 0xc0])]));
  await settled();
  assert.ok(passed().equals(CONNECT));
  guard.admit();
  client.end(Buffer.from([0]));
  await settled();
  assert.deepEqual([...passed().subarray(CONNECT.length)], [0xc0, 0, 0xc0, 0]);
});

test('the end of the stream waits behind what is kept, and comes after it', async () => {
  const [client, served] = duplexPair();
  const guard = guardPackets(served, {
    connectBytesMax: 100,
    messageBytesMax: 1000,
    packetsPerSecondMax: 1000,
    slowedMsMax: 1000,
    monoMs: () => 0,
    violated: assert.fail,
    acknowledged: () => true,
  });
  let hasEnded = false;
  served.on('end', () => (hasEnded = true));
  served.resume();
  client.end(Buffer.concat([CONNECT, Buffer.from([0xc0, 0])]));
  await settled();
  assert.equal(hasEnded, false);
  guard.admit();
  await settled();
  assert.equal(hasEnded, true);
});

const violations: readonly (readonly [what: string, bytes: readonly number[], violation: string])[] = [
  ['a CONNECT above its limit', [0x10, 101], 'packet_too_large'],
  ['a CONNECT whose length has a fifth byte', [0x10, 0x80, 0x80, 0x80, 0x80], 'malformed_length'],
  ['something else first', [0xc0, 0], 'not_a_connect'],
  ['a CONNECT with flags', [0x12, 0], 'not_a_connect'],
];

for (const [what, bytes, violation] of violations) {
  test(`${what} is refused as ${violation}, byte by byte as well`, async () => {
    for (const pieces of [[Buffer.from(bytes)], bytes.map((byte) => Buffer.from([byte]))]) {
      const guardedPair = guarded();
      await feed(guardedPair.client, pieces);
      assert.deepEqual(guardedPair.violations, [violation]);
    }
  });
}

test('a held client is not read, and is released only by as many releases as holds', async () => {
  const { client, guard, passed } = guarded();
  client.write(CONNECT);
  await settled();
  guard.admit();
  guard.hold();
  guard.hold();
  client.write(Buffer.from([0xc0, 0]));
  let isSecondRead = false;
  client.write(Buffer.from([0xc0, 0]), () => (isSecondRead = true));
  await settled();
  guard.release();
  await settled();
  assert.deepEqual([passed().length, isSecondRead], [CONNECT.length, false]);
  guard.release();
  await settled();
  assert.deepEqual([passed().length, isSecondRead], [CONNECT.length + 4, true]);
});

test('a slowed client is heard in order, however often it is slowed and whatever arrives meanwhile', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  const { client, guard, passed } = guarded({ packetsPerSecondMax: 10, monoMs: () => nowMs });
  client.write(CONNECT);
  await settled();
  guard.admit();
  const packets = Array.from({ length: 35 }, (_, i) => Buffer.from([0x32, 1, i]));
  client.write(Buffer.concat(packets.slice(0, 30)));
  client.write(Buffer.concat(packets.slice(30)));
  for (const packetsPassed of [10, 20, 30, 35]) {
    await settled();
    const bytes = Buffer.concat([CONNECT, ...packets.slice(0, packetsPassed)]);
    assert.ok(passed().equals(bytes), `${packetsPassed} packets`);
    nowMs += 1000;
    t.mock.timers.tick(10);
  }
});

test('a closed guard passes nothing and keeps nothing', async () => {
  const { client, guard, passed } = guarded();
  client.write(Buffer.concat([CONNECT, Buffer.from([0xc0, 0])]));
  await settled();
  guard.close();
  guard.admit();
  guard.hold();
  guard.release();
  await settled();
  assert.ok(passed().equals(CONNECT));
});
