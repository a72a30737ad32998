/** Clients that mean harm, or are broken: what they cost, and that others do not notice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  RawClient,
  connectPacket,
  hears,
  packet,
  publishPacket,
  startBroker,
  subscribePacket,
} from './broker-raw-client.ts';

const UP = 'plugpool/v1/car/lend/up/frame';

test('ten sockets that declare a CONNECT of 256 MiB are closed before anything is kept for them', async (t) => {
  const { port, broker } = await startBroker(t);
  const block = Buffer.alloc(256 * 1024);
  const before = process.memoryUsage().arrayBuffers;
  const clients = Array.from({ length: 10 }, () => new RawClient(port));
  for (const client of clients) {
    client.send(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
    for (let i = 0; i < 16; i++) client.socket.write(block);
  }
  await Promise.all(clients.map((client) => client.closed));
  assert.equal(broker.counts().sockets, 0);
  const grownMib = (process.memoryUsage().arrayBuffers - before) / 2 ** 20;
  assert.ok(grownMib < 16, `${grownMib.toFixed(1)} MiB of buffers`);
});

const garbage: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: pile\r\n\r\n')],
  ['a TLS hello', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
  ['zeros', Buffer.alloc(100)],
  ['a remaining length of five bytes', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 1])],
  ['a CONNECT with reserved flags', Buffer.concat([Buffer.from([0x11]), connectPacket().subarray(1)])],
  ['a PUBLISH first', publishPacket(UP, 'x')],
  ['a CONNECT of nothing', packet(0x10)],
  ['a CONNECT that ends inside its client id', packet(0x10, connectPacket().subarray(2, -4))],
];

for (const [what, bytes] of garbage) {
  test(`${what} closes the connection`, async (t) => {
    const { port, broker, heard } = await startBroker(t);
    const client = new RawClient(port);
    client.send(bytes);
    await client.closed;
    assert.deepEqual(heard, []);
    assert.equal(broker.counts().admitted, 0);
  });
}

test('a client that breaks off inside a packet leaves nothing behind', async (t) => {
  const started = await startBroker(t);
  const client = await new RawClient(started.port).ready();
  client.socket.end(publishPacket(UP, 'a message cut short').subarray(0, 40));
  await client.closed;
  await hears(started, 'disconnected car.lend');
  assert.deepEqual(started.heard, ['connected car.lend', 'disconnected car.lend']);
  assert.deepEqual(started.broker.counts(), {
    sockets: 0,
    greeting: 0,
    admitted: 0,
    vehicles: 0,
    aedesClients: 0,
  });
});

test('what follows a refused CONNECT in the same segment is never looked at', async (t) => {
  const started = await startBroker(t, {}, { authenticate: () => Promise.resolve('refused') });
  const client = new RawClient(started.port);
  client.send(connectPacket(), subscribePacket('plugpool/v1/car/lend/down/+'), publishPacket(UP, 'x'));
  assert.deepEqual((await client.next()).body, Buffer.from([0, 5]));
  await client.closed;
  assert.deepEqual(started.heard, []);
});

test('what follows a CONNECT in the same segment waits until the client is accepted, and is then heard', async (t) => {
  let accept: (() => void) | undefined;
  const started = await startBroker(
    t,
    {},
    { authenticate: () => new Promise((resolve) => (accept = () => resolve('accepted'))) },
  );
  const client = new RawClient(started.port);
  client.send(connectPacket(), subscribePacket('plugpool/v1/car/lend/down/+'), publishPacket(UP, 'x'));
  while (accept === undefined) await new Promise(setImmediate);
  assert.deepEqual(started.heard, []);
  accept();
  await hears(started, 'message car.lend frame x');
});

test('a packet in pieces of one byte is closed long before its pieces cost more than it', async (t) => {
  const started = await startBroker(t);
  const client = await new RawClient(started.port).ready();
  const message = publishPacket(UP, Buffer.alloc(10_000));
  for (const byte of message.subarray(0, 400)) {
    if (client.socket.destroyed) break;
    client.send(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  await client.closed;
  assert.ok(started.logged.some((line) => line.kind === 'fragmented'));
});

test('a client above its rate is slowed down, then heard as its tokens come back, and nobody else waits', async (t) => {
  let nowMs = 0;
  const started = await startBroker(t, { messagesPerSecondMax: 10, monoMs: () => nowMs });
  const client = await new RawClient(started.port).ready();
  const other = await new RawClient(started.port).ready('truck.lend');
  client.send(...Array.from({ length: 25 }, (_, i) => publishPacket(UP, `${i + 1}`, i + 1)));
  await hears(started, 'message car.lend frame 10');
  other.send(publishPacket('plugpool/v1/truck/lend/up/frame', 'x'));
  await hears(started, 'message truck.lend frame x');
  assert.ok(!started.heard.includes('message car.lend frame 11'));
  nowMs += 1000;
  await hears(started, 'message car.lend frame 20');
  assert.ok(!started.heard.includes('message car.lend frame 21'));
  nowMs += 1000;
  await hears(started, 'message car.lend frame 25');
});

test('a client that floods for longer than it may be slowed down is closed', async (t) => {
  let nowMs = 0;
  const started = await startBroker(t, { messagesPerSecondMax: 10, slowedMsMax: 1000, monoMs: () => nowMs });
  const client = await new RawClient(started.port).ready();
  client.send(...Array.from({ length: 100 }, (_, i) => publishPacket(UP, `${i + 1}`, i + 1)));
  await hears(started, 'message car.lend frame 9');
  for (const last of [13, 17]) {
    nowMs += 400;
    await hears(started, `message car.lend frame ${last}`);
  }
  nowMs += 400;
  await client.closed;
  assert.ok(started.logged.some((line) => line.kind === 'flooding'));
});

const CONTROL: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['pings', packet(0xc0)],
  ['subscriptions', subscribePacket('plugpool/v1/other/lend/down/+')],
];

for (const [what, bytes] of CONTROL) {
  test(`a client that sends ${what} without end is answered a few times, and is closed when it goes on`, async (t) => {
    let nowMs = 0;
    const started = await startBroker(t, { slowedMsMax: 1_000, monoMs: () => nowMs });
    const client = await new RawClient(started.port).ready();
    client.send(...Array.from({ length: 1_000 }, () => bytes));
    // One of 64 went to its own subscription.
    for (let i = 0; i < 63; i++) await client.next();
    const other = await new RawClient(started.port).ready('truck.lend');
    other.send(publishPacket('plugpool/v1/truck/lend/up/frame', 'x'));
    await hears(started, 'message truck.lend frame x');
    nowMs += 500;
    for (let i = 0; i < 8; i++) await client.next();
    nowMs += 600;
    await client.closed;
    assert.ok(started.logged.some((line) => line.kind === 'flooding'));
  });
}

test('a subscription for more than a client could want is closed before it is looked at', async (t) => {
  const started = await startBroker(t);
  const client = await new RawClient(started.port).ready();
  client.send(subscribePacket('x'.repeat(600)));
  await client.closed;
  assert.ok(started.logged.some((line) => line.kind === 'packet_too_large'));
});

test('a client that sends a thousand messages in one piece lets another be heard between them', async (t) => {
  const started = await startBroker(t);
  const [loud, other] = [
    await new RawClient(started.port).ready(),
    await new RawClient(started.port).ready('truck.lend'),
  ];
  loud.send(...Array.from({ length: 1_000 }, (_, i) => publishPacket(UP, `${i}`, i + 1, 0)));
  await hears(started, 'message car.lend frame 0');
  other.send(publishPacket('plugpool/v1/truck/lend/up/frame', 'x', 1, 0));
  await hears(started, 'message truck.lend frame x');
  assert.ok(!started.heard.includes('message car.lend frame 999'), 'it was heard out first');
  await hears(started, 'message car.lend frame 999');
});

test('acknowledgements that are owed cost no token, and others do', async (t) => {
  const started = await startBroker(t, { messagesPerSecondMax: 10, monoMs: () => 0 });
  const client = await new RawClient(started.port).ready();
  for (let i = 0; i < 50; i++) started.broker.send('car.lend' as never, 'frame', Buffer.from([i]));
  for (let i = 0; i < 50; i++) {
    const { body } = await client.next();
    client.send(packet(0x40, body.subarray(-3, -1)));
  }
  client.send(...Array.from({ length: 5 }, (_, i) => publishPacket(UP, `${i}`, i + 1)));
  await hears(started, 'message car.lend frame 4');
  client.send(...Array.from({ length: 100 }, () => packet(0x40, Buffer.from([0, 1]))));
  client.send(publishPacket(UP, 'after'));
  const other = await new RawClient(started.port).ready('truck.lend');
  other.send(packet(0xc0));
  await other.next();
  assert.ok(!started.heard.includes('message car.lend frame after'));
});

test('a thousand connections that come and go leave no memory of them', async (t) => {
  const started = await startBroker(t);
  for (let round = 0; round < 10; round++) {
    const ids = Array.from({ length: 100 }, (_, i) => `car-${round}-${i}.lend`);
    const clients = await Promise.all(ids.map((id) => new RawClient(started.port).ready(id)));
    clients.forEach((client, i) => {
      if (i % 2 === 0) client.socket.end(packet(0xe0));
      else client.socket.resetAndDestroy();
    });
    await Promise.all(ids.map((id) => hears(started, `disconnected ${id}`)));
  }
  assert.equal(started.heard.length, 2000);
  assert.deepEqual(started.broker.counts(), {
    sockets: 0,
    greeting: 0,
    admitted: 0,
    vehicles: 0,
    aedesClients: 0,
  });
});

test('what strangers can have logged is a few lines, however often they come', async (t) => {
  const { port, logged } = await startBroker(t);
  for (let i = 0; i < 50; i++) {
    const client = new RawClient(port);
    client.send(connectPacket({ clientId: '#' }));
    await client.closed;
  }
  assert.equal(logged.length, 5);
});
