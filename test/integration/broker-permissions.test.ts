/** What an admitted client may publish and subscribe to, and what happens to one that does anything else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  RawClient,
  hears,
  packet,
  publishPacket,
  startBroker,
  subscribePacket,
  text,
} from './broker-raw-client.ts';

const UP = 'plugpool/v1/car/lend/up';
/** A charging session, in the words of the pile's own firmware. */
const EVEREST = 'everest_api/1/evse_manager_consumer/evse_1_api/e2m/session_info';

test('a client publishes under its own up/, at QoS 1 with an acknowledgement and at QoS 0 without', async (t) => {
  const started = await startBroker(t);
  const client = await new RawClient(started.port).ready();
  client.send(publishPacket(`${UP}/frame`, 'one', 258), publishPacket(`${UP}/blob`, 'two', 0, 0));
  client.send(publishPacket(`${UP}/frame`, 'three', 259));
  assert.deepEqual(await client.next(), { type: 4, body: Buffer.from([1, 2]) });
  assert.deepEqual(await client.next(), { type: 4, body: Buffer.from([1, 3]) });
  assert.deepEqual(started.heard, [
    'connected car.lend',
    'message car.lend frame one',
    'message car.lend blob two',
    'message car.lend frame three',
  ]);
});

const forbidden: readonly (readonly [what: string, bytes: Buffer, logged: string])[] = [
  ["another vehicle's topic", publishPacket('plugpool/v1/truck/lend/up/frame', 'x'), 'foreign_topic'],
  ["another slot's topic", publishPacket('plugpool/v1/car/ask-1/up/frame', 'x'), 'foreign_topic'],
  ['its own down topic', publishPacket('plugpool/v1/car/lend/down/frame', 'x'), 'foreign_topic'],
  ['an unknown kind', publishPacket(`${UP}/other`, 'x'), 'foreign_topic'],
  ['a level below its topic', publishPacket(`${UP}/frame/x`, 'x'), 'foreign_topic'],
  ['a session of EVerest', publishPacket(EVEREST, '{"state":"Charging"}'), 'foreign_topic'],
  ['a request to EVerest', publishPacket(EVEREST.replace('e2m', 'm2e'), 'true'), 'foreign_topic'],
  ['the root of EVerest', publishPacket('everest_api', 'x'), 'foreign_topic'],
  ['EVerest behind a slash', publishPacket(`/${EVEREST}`, 'x'), 'foreign_topic'],
  ['EVerest with other letters', publishPacket(EVEREST.toUpperCase(), 'x'), 'foreign_topic'],
  ['EVerest below its own topic', publishPacket(`${UP}/${EVEREST}`, 'x'), 'foreign_topic'],
  ['EVerest beside its own topic', publishPacket(`plugpool/v1/car/lend/${EVEREST}`, 'x'), 'foreign_topic'],
  ['EVerest with a null byte', publishPacket(`${EVEREST}\0`, 'x'), 'foreign_topic'],
  ['a $SYS topic', publishPacket('$SYS/x/new/clients', 'x'), 'foreign_topic'],
  ['a topic of 200 levels', publishPacket('/'.repeat(200), 'x'), 'connection_error'],
  ['a wildcard', publishPacket('plugpool/v1/car/lend/up/+', 'x'), 'connection_error'],
  ['a retained message', publishPacket(`${UP}/frame`, 'x', 1, 3), 'retained'],
  ['a message at QoS 2', publishPacket(`${UP}/frame`, 'x', 1, 4), 'qos_2'],
  ['a message at QoS 3', publishPacket(`${UP}/frame`, 'x', 1, 6), 'connection_error'],
  ['a second CONNECT', packet(0x10, text('MQTT')), 'not_a_connect'],
  ['a PUBREL', packet(0x62, Buffer.from([0, 1])), 'unexpected_packet'],
  ['a PUBREC', packet(0x50, Buffer.from([0, 1])), 'unexpected_packet'],
  ["a server's CONNACK", packet(0x20, Buffer.from([0, 0])), 'unexpected_packet'],
  ["MQTT 5's AUTH", packet(0xf0), 'unexpected_packet'],
  ['a SUBSCRIBE of 5 KiB', subscribePacket('x'.repeat(5 * 1024)), 'packet_too_large'],
  ['a message above the limit', publishPacket(`${UP}/frame`, Buffer.alloc(64 * 1024)), 'packet_too_large'],
];

for (const [what, bytes, logged] of forbidden) {
  test(`a client that sends ${what} is closed, and nothing of it is heard`, async (t) => {
    const started = await startBroker(t, { messageBytesMax: 64 * 1024 });
    const client = await new RawClient(started.port).ready();
    const other = await new RawClient(started.port).ready('truck.lend');
    client.send(bytes);
    await client.closed;
    await hears(started, 'disconnected car.lend');
    assert.deepEqual(started.heard, ['connected car.lend', 'connected truck.lend', 'disconnected car.lend']);
    assert.ok(
      started.logged.some((line) => line.kind === logged),
      JSON.stringify(started.logged),
    );
    other.send(publishPacket('plugpool/v1/truck/lend/up/frame', 'still here'));
    assert.equal((await other.next()).type, 4);
  });
}

test('a message of exactly the limit is taken', async (t) => {
  const sizes: number[] = [];
  const { port } = await startBroker(
    t,
    { messageBytesMax: 64 * 1024 },
    {
      message: (_name, _kind, payload) => {
        sizes.push(payload.length);
        return undefined;
      },
    },
  );
  const client = await new RawClient(port).ready();
  const overhead = 2 + `${UP}/frame`.length + 2;
  client.send(publishPacket(`${UP}/frame`, Buffer.alloc(64 * 1024 - overhead)));
  await client.next();
  assert.deepEqual(sizes, [64 * 1024 - overhead]);
});

const refusedFilters: readonly (readonly [filter: string, qos: number])[] = [
  ['#', 1],
  ['+', 1],
  ['$SYS/#', 1],
  ['plugpool/v1/car/lend/down/#', 1],
  ['plugpool/v1/car/lend/down/frame', 1],
  ['plugpool/v1/+/lend/down/+', 1],
  ['plugpool/v1/truck/lend/down/+', 1],
  ['plugpool/v1/car/ask-1/down/+', 1],
  ['plugpool/v1/car/lend/down/+', 0],
  ['everest_api/#', 1],
  ['everest_api/1/+/+/e2m/#', 1],
  ['everest_api', 1],
  ['everest/#', 1],
  ['+/1/#', 1],
  ['+/+/evse_manager_consumer/#', 1],
  ['/everest_api/#', 1],
  ['$share/all/everest_api/#', 1],
  ['EVEREST_API/#', 1],
  [EVEREST, 1],
];

for (const [filter, qos] of refusedFilters) {
  test(`a subscription to ${filter} at QoS ${qos} is refused with 0x80`, async (t) => {
    const { port, heard, broker } = await startBroker(t);
    const client = await new RawClient(port).connected();
    client.send(subscribePacket(filter, qos));
    assert.deepEqual(await client.next(), { type: 9, body: Buffer.from([0, 7, 0x80]) });
    assert.deepEqual(heard, []);
    assert.equal(broker.send('car.lend' as never, 'frame', Buffer.from('x')), false);
  });
}

test('of several subscriptions at once only its own is granted', async (t) => {
  const started = await startBroker(t);
  const client = await new RawClient(started.port).connected();
  const own = 'plugpool/v1/car/lend/down/+';
  client.send(packet(0x82, Buffer.from([0, 9]), text('#'), Buffer.from([1]), text(own), Buffer.from([1])));
  assert.deepEqual((await client.next()).body, Buffer.from([0, 9, 0x80, 1]));
  assert.deepEqual(started.heard, ['connected car.lend']);
});

test('a message before the subscription closes the connection; right behind it, in one segment, it is heard', async (t) => {
  const started = await startBroker(t);
  const early = await new RawClient(started.port).connected();
  early.send(publishPacket(`${UP}/frame`, 'early'));
  await early.closed;
  const client = await new RawClient(started.port).connected();
  client.send(subscribePacket('plugpool/v1/car/lend/down/+'), publishPacket(`${UP}/frame`, 'now'));
  await hears(started, 'message car.lend frame now');
  assert.deepEqual(started.heard, ['connected car.lend', 'message car.lend frame now']);
});

test('a client that gives its subscription up is closed', async (t) => {
  const started = await startBroker(t);
  const client = await new RawClient(started.port).ready();
  client.send(packet(0xa2, Buffer.from([0, 8]), text('plugpool/v1/car/lend/down/+')));
  await client.closed;
  assert.deepEqual(started.heard, ['connected car.lend', 'disconnected car.lend']);
});

test('no client receives what another one publishes', async (t) => {
  const started = await startBroker(t);
  const car = await new RawClient(started.port).ready('car.lend');
  const truck = await new RawClient(started.port).ready('truck.lend');
  car.send(publishPacket(`${UP}/frame`, 'mine'));
  await car.next();
  truck.send(packet(0xc0));
  assert.equal((await truck.next()).type, 13);
});
