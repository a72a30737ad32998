/** What the pile sends, and how the broker waits: for the handler of a message, and for a client to read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { connectAsync } from 'mqtt';
import {
  RawClient,
  connectPacket,
  hears,
  named,
  publishPacket,
  startBroker,
  subscribePacket,
} from './broker-raw-client.ts';

const UP = 'plugpool/v1/car/lend/up';
const car = named('car.lend').clientId;

test('an MQTT client receives at QoS 1 what the pile sends, of every size, in order and unchanged', async (t) => {
  const started = await startBroker(t);
  const client = await connectAsync(`mqtt://127.0.0.1:${started.port}`, {
    clientId: car,
    protocolVersion: 4,
    reconnectPeriod: 0,
  });
  t.after(() => client.endAsync());
  const received: { topic: string; payload: Buffer; qos: number }[] = [];
  client.on('message', (topic, payload, packet) => received.push({ topic, payload, qos: packet.qos }));
  await client.subscribeAsync('plugpool/v1/car/lend/down/+', { qos: 1 });
  const sizes = [0, 1, 90, 91, 127, 128, 4096, 4097, 16_383, 16_384, 100_000, 262_000];
  for (const [i, size] of sizes.entries()) {
    assert.ok(started.broker.send(car, i % 2 === 0 ? 'frame' : 'blob', Buffer.alloc(size, i + 1)));
  }
  while (received.length < sizes.length) {
    await new Promise<void>((resolve) => client.once('message', () => resolve()));
  }
  assert.deepEqual(
    received.map(({ topic, payload, qos }) => [topic, payload.length, qos]),
    sizes.map((size, i) => [`plugpool/v1/car/lend/down/${i % 2 === 0 ? 'frame' : 'blob'}`, size, 1]),
  );
  assert.ok(received.every(({ payload }, i) => payload.equals(Buffer.alloc(sizes[i] ?? 0, i + 1))));
});

test('what was sent before a client is disconnected, or the broker stops, still arrives', async (t) => {
  const started = await startBroker(t);
  for (const end of [() => started.broker.disconnect(car), () => void started.broker.stop()]) {
    const client = await new RawClient(started.port).ready();
    const payload = Buffer.alloc(200_000, 7);
    started.broker.send(car, 'frame', payload);
    end();
    assert.equal(started.broker.send(car, 'frame', payload), false, 'nothing more is sent');
    assert((await client.next()).body.subarray(-payload.length).equals(payload));
    await client.closed;
  }
});

test('the message id of the 65,536th message is 1 again, and never 0', async (t) => {
  const { broker, port } = await startBroker(t);
  const client = await new RawClient(port).ready();
  for (let i = 1; i <= 65_536; i++) {
    assert.ok(broker.send(car, 'frame', Buffer.alloc(0)));
    if (i % 4096 === 0) {
      const acks: Buffer[] = [];
      for (let j = 0; j < 4096; j++) {
        const id = (await client.next()).body.subarray(-2);
        assert.equal(id.readUInt16BE(), ((i - 4096 + j) % 65_535) + 1);
        acks.push(Buffer.from([0x40, 2]), id);
      }
      client.send(...acks);
    }
  }
});

test('nothing is sent to a client that is not there, or has not subscribed', async (t) => {
  const started = await startBroker(t);
  assert.equal(started.broker.send(car, 'frame', Buffer.from('x')), false);
  const client = await new RawClient(started.port).connected();
  assert.equal(started.broker.send(car, 'frame', Buffer.from('x')), false);
  client.send(subscribePacket('plugpool/v1/car/lend/down/+'));
  assert.equal((await client.next()).type, 9);
  assert.equal(started.broker.send(car, 'frame', Buffer.from('x')), true);
  assert.equal((await client.next()).type, 3);
  started.broker.disconnect(car);
  assert.equal(started.broker.send(car, 'frame', Buffer.from('x')), false);
  await client.closed;
  assert.deepEqual(started.heard, ['connected car.lend', 'disconnected car.lend']);
});

test('a handler may answer inside `connected`, and the SUBACK comes before the answer', async (t) => {
  const started = await startBroker(
    t,
    {},
    { connected: (name) => assert.ok(started.broker.send(name.clientId, 'frame', Buffer.from('hello'))) },
  );
  const client = await new RawClient(started.port).ready();
  assert.equal((await client.next()).type, 3);
});

test('while a message is being taken nothing more is read, nothing acknowledged, and the rest comes in order', async (t) => {
  const taken: string[] = [];
  const waiting: (() => void)[] = [];
  const started = await startBroker(
    t,
    {},
    {
      message: (_name, _kind, payload) => {
        taken.push(Buffer.from(payload).toString());
        return payload.length === 1 ? new Promise((resolve) => waiting.push(resolve)) : undefined;
      },
    },
  );
  const [client, served] = duplexPair();
  started.broker.accept(served);
  const packets: number[] = [];
  client.on('data', (chunk: Buffer) => packets.push(...chunk));
  client.write(Buffer.concat([connectPacket(), subscribePacket('plugpool/v1/car/lend/down/+')]));
  await hears(started, 'connected car.lend');
  while (packets.length < 9) await once(client, 'data');
  const publish = (payload: string, id: number): Buffer => publishPacket(`${UP}/frame`, payload, id);
  client.write(Buffer.concat([publish('a', 1), publish('bb', 2), publish('c', 3)]));
  client.write(publish('dd', 4));
  let isNextRead = false;
  client.write(publish('ee', 5), () => (isNextRead = true));
  while (waiting.length === 0) await new Promise(setImmediate);
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
  assert.deepEqual([taken, packets.length, isNextRead], [['a'], 9, false]);
  waiting.shift()?.();
  while (waiting.length === 0) await new Promise(setImmediate);
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
  assert.deepEqual([taken, isNextRead], [['a', 'bb', 'c'], false]);
  while (packets.length < 9 + 2 * 4) await once(client, 'data');
  assert.deepEqual(packets.slice(9), [0x40, 2, 0, 1, 0x40, 2, 0, 2]);
  waiting.shift()?.();
  while (packets.length < 9 + 5 * 4) await once(client, 'data');
  assert.deepEqual(taken, ['a', 'bb', 'c', 'dd', 'ee']);
  assert.deepEqual(packets.slice(17), [0x40, 2, 0, 3, 0x40, 2, 0, 4, 0x40, 2, 0, 5]);
});

test('an acknowledgement leaves in one piece with what answers its message', async (t) => {
  const started = await startBroker(
    t,
    {},
    {
      message: () => {
        setImmediate(() => started.broker.send(car, 'frame', Buffer.from('answer')));
        return undefined;
      },
    },
  );
  const client = await new RawClient(started.port).ready();
  client.send(publishPacket(`${UP}/frame`, 'question', 7));
  const [chunk] = (await once(client.socket, 'data')) as [Buffer];
  assert.deepEqual([...chunk.subarray(0, 4)], [0x40, 2, 0, 7]);
  assert.ok(chunk.includes('answer'));
});

test('an acknowledgement that nothing answers leaves by itself', async (t) => {
  const started = await startBroker(t);
  const client = await new RawClient(started.port).ready();
  for (const id of [7, 8]) {
    client.send(publishPacket(`${UP}/frame`, 'a statement', id));
    const { type, body } = await client.next();
    assert.deepEqual([type, ...body], [4, 0, id]);
  }
});

test('a message that cannot be taken is not acknowledged, and its client is closed to send it again', async (t) => {
  const started = await startBroker(t, {}, { message: () => Promise.reject(new Error('the disk is full')) });
  const client = await new RawClient(started.port).ready();
  client.send(publishPacket(`${UP}/frame`, 'x', 1), publishPacket(`${UP}/frame`, 'y', 2));
  await client.closed;
  await assert.rejects(client.next());
  assert.deepEqual(started.heard, ['connected car.lend', 'disconnected car.lend']);
});

test('a client that leaves while its message is being taken is gone at once, and nothing fails later', async (t) => {
  let take = (): void => undefined;
  const started = await startBroker(
    t,
    {},
    { message: () => new Promise<void>((resolve) => (take = resolve)) },
  );
  const client = await new RawClient(started.port).ready();
  client.send(publishPacket(`${UP}/frame`, 'x', 1));
  client.send(publishPacket(`${UP}/frame`, 'y', 2));
  client.socket.resetAndDestroy();
  await hears(started, 'disconnected car.lend');
  take();
  await new RawClient(started.port).ready();
});

test('a client that does not read is closed when too much waits for it, and delays nobody', async (t) => {
  const started = await startBroker(t);
  const slow = await new RawClient(started.port).ready();
  const quick = await new RawClient(started.port).ready('truck.lend');
  slow.socket.pause();
  const truck = named('truck.lend').clientId;
  let sent = 0;
  while (started.broker.send(car, 'blob', Buffer.alloc(64 * 1024)) && sent < 1000) {
    sent += 1;
    assert.ok(started.broker.send(truck, 'frame', Buffer.from([1])));
    assert.equal((await quick.next()).type, 3);
  }
  assert.ok(sent < 1000);
  assert.ok(started.heard.includes('disconnected car.lend'));
  assert.ok(started.logged.some((line) => line.kind === 'slow_reader'));
  assert.ok(started.broker.send(truck, 'frame', Buffer.from([2])));
  assert.equal((await quick.next()).type, 3);
});

test('a client that neither reads nor acknowledges is closed after a while; one that acknowledges is only slow', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const started = await startBroker(t, { stalledMsMax: 2000 });
  const [client, served] = duplexPair();
  started.broker.accept(served);
  client.write(Buffer.concat([connectPacket(), subscribePacket('plugpool/v1/car/lend/down/+')]));
  await hears(started, 'connected car.lend');
  assert.ok(started.broker.send(car, 'blob', Buffer.alloc(100 * 1024)));
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => client.write(Buffer.from([0x40, 2, 0, 1]), resolve));
    t.mock.timers.tick(2000);
    assert.deepEqual(started.heard, ['connected car.lend']);
  }
  t.mock.timers.tick(2000);
  assert.deepEqual(started.heard, ['connected car.lend', 'disconnected car.lend']);
  assert.deepEqual(
    started.logged.map((line) => line.kind),
    ['slow_reader'],
  );
});
