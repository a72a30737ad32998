/** Which clients the broker lets in, and what it answers to the others. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connectAsync } from 'mqtt';
import { RawClient, connectPacket, hears, startBroker } from './broker-raw-client.ts';
import type { ConnectFields } from './broker-raw-client.ts';

const refusals: readonly (readonly [what: string, fields: ConnectFields, code: number])[] = [
  ['MQTT 3.1', { protocol: 'MQIsdp', level: 3 }, 1],
  ['MQTT 5', { level: 5 }, 1],
  ['a protocol level that nobody knows', { level: 9 }, 1],
  ['the bridge bit', { level: 132 }, 1],
  ['no client id', { clientId: '' }, 2],
  ['a client id without a slot', { clientId: 'car' }, 2],
  ['a wildcard as client id', { clientId: '#' }, 2],
  ['a prototype as client id', { clientId: '__proto__' }, 2],
  ['a prototype as slot', { clientId: 'car.__proto__' }, 2],
  ['a NUL in the client id', { clientId: 'a\0b.lend' }, 2],
  ['a slash in the client id', { clientId: 'a/b.lend' }, 2],
  ['a vehicle id of 65 characters', { clientId: `${'v'.repeat(65)}.lend` }, 2],
  ['a session that is to be kept', { clean: false }, 5],
  ['no keep-alive', { keepaliveS: 0 }, 5],
  ['a keep-alive of over five minutes', { keepaliveS: 301 }, 5],
  ['a will', { will: true }, 5],
  ["another vehicle's id as user name", { username: 'truck' }, 4],
  ['a password that is not UTF-8', { username: 'car', password: Buffer.from([0xff, 0xfe]) }, 4],
];

for (const [what, fields, code] of refusals) {
  test(`${what} is refused with return code ${code}`, async (t) => {
    const { broker, port, heard } = await startBroker(t);
    const client = new RawClient(port);
    client.send(connectPacket(fields));
    const connack = await client.next();
    assert.deepEqual([connack.type, ...connack.body], [2, 0, code]);
    await client.closed;
    assert.deepEqual(heard, []);
    assert.equal(broker.counts().admitted, 0);
  });
}

test('a client id of 65,535 bytes does not fit a CONNECT and closes the connection', async (t) => {
  const { port, logged } = await startBroker(t);
  const client = new RawClient(port);
  client.send(connectPacket({ clientId: 'v'.repeat(65_535) }));
  await client.closed;
  assert.ok(logged.some((line) => line.kind === 'packet_too_large'));
});

test('the token is the password, and its verdict decides the return code', async (t) => {
  const asked: unknown[] = [];
  const { port, heard } = await startBroker(
    t,
    {},
    {
      authenticate: (name, token) => {
        asked.push([name.clientId, token]);
        if (token === 'right') return Promise.resolve('accepted');
        if (token === 'broken') return Promise.reject(new Error('the disk is gone'));
        return Promise.resolve(token === 'later' ? 'unavailable' : 'refused');
      },
    },
  );
  const codeFor = async (fields: ConnectFields): Promise<number | undefined> => {
    const client = new RawClient(port);
    client.send(connectPacket(fields));
    const { body } = await client.next();
    client.socket.end();
    await client.closed;
    return body[1];
  };
  assert.equal(await codeFor({ username: 'car', password: 'wrong' }), 5);
  assert.equal(await codeFor({}), 5);
  assert.equal(await codeFor({ username: 'car', password: 'later' }), 3);
  assert.equal(await codeFor({ username: 'car', password: 'broken' }), 3);
  assert.equal(await codeFor({ username: 'car', password: 'right' }), 0);
  assert.deepEqual(asked.at(1), ['car.lend', undefined]);
  assert.deepEqual(heard, []);
});

test('an ordinary MQTT client connects, subscribes and is told of once', async (t) => {
  const started = await startBroker(t);
  const client = await connectAsync(`mqtt://127.0.0.1:${started.port}`, {
    clientId: 'car.ask-1',
    protocolVersion: 4,
    reconnectPeriod: 0,
    username: 'car',
    password: 'any',
  });
  await client.subscribeAsync('plugpool/v1/car/ask-1/down/+', { qos: 1 });
  await client.subscribeAsync('plugpool/v1/car/ask-1/down/+', { qos: 1 });
  await client.endAsync();
  await hears(started, 'disconnected car.ask-1');
  assert.deepEqual(started.heard, ['connected car.ask-1', 'disconnected car.ask-1']);
});

test('a client that takes its id over makes the older connection leave first', async (t) => {
  const started = await startBroker(t);
  const older = await new RawClient(started.port).ready();
  const newer = await new RawClient(started.port).ready();
  await older.closed;
  assert.deepEqual(started.heard, ['connected car.lend', 'disconnected car.lend', 'connected car.lend']);
  newer.socket.end();
  await newer.closed;
  assert.deepEqual(started.heard.slice(3), ['disconnected car.lend']);
  assert.deepEqual(started.broker.counts(), {
    sockets: 0,
    greeting: 0,
    admitted: 0,
    vehicles: 0,
    aedesClients: 0,
  });
});

test('two clients of one id that authenticate at once leave one, and in order', async (t) => {
  const gates: (() => void)[] = [];
  const started = await startBroker(
    t,
    {},
    { authenticate: () => new Promise((resolve) => gates.push(() => resolve('accepted'))) },
  );
  const clients = [new RawClient(started.port), new RawClient(started.port)];
  const ready = clients.map((client) => client.ready().catch(() => undefined));
  while (gates.length < 2) await new Promise(setImmediate);
  for (const open of gates) open();
  const survivors = (await Promise.all(ready)).filter((client) => client !== undefined);
  assert.equal(survivors.length, 1);
  assert.equal(started.broker.counts().aedesClients, 1);
  assert.deepEqual(started.heard, ['connected car.lend']);
});

test('a client that leaves while its token is checked is not admitted afterwards', async (t) => {
  let accept: (() => void) | undefined;
  const started = await startBroker(
    t,
    {},
    { authenticate: () => new Promise((resolve) => (accept = () => resolve('accepted'))) },
  );
  const client = new RawClient(started.port);
  client.send(connectPacket());
  while (accept === undefined) await new Promise(setImmediate);
  client.socket.resetAndDestroy();
  while (started.broker.counts().sockets > 0) await new Promise(setImmediate);
  accept();
  await new Promise(setImmediate);
  assert.deepEqual(started.broker.counts(), {
    sockets: 0,
    greeting: 0,
    admitted: 0,
    vehicles: 0,
    aedesClients: 0,
  });
  assert.deepEqual(started.heard, []);
});

test('one vehicle cannot have more connections than it may, and leaves the others theirs', async (t) => {
  const { port } = await startBroker(t, { connectionsPerVehicleMax: 2, connectionsMax: 3 });
  await new RawClient(port).ready('car.lend');
  await new RawClient(port).ready('car.ask-1');
  await assert.rejects(new RawClient(port).connected({ clientId: 'car.ask-2' }), /refused with 3/);
  await new RawClient(port).ready('car.ask-1');
  await new RawClient(port).ready('truck.lend');
  await assert.rejects(new RawClient(port).connected({ clientId: 'bus.lend' }), /refused with 3/);
});

test('those of whom nothing is known leave connections to who is owed something, and both to who is plugged in', async (t) => {
  let nowMs = 0;
  const isGuest = (vehicleId: string): boolean => vehicleId.startsWith('guest');
  const residents = new Set(['resident']);
  const { port, broker } = await startBroker(
    t,
    { connectionsPerVehicleMax: 2, connectionsMax: 8, monoMs: () => nowMs },
    {
      standing: (vehicleId) =>
        residents.has(vehicleId) ? 'resident' : isGuest(vehicleId) ? 'guest' : 'stranger',
    },
  );
  const comes = (clientId: string) => new RawClient(port).connected({ clientId });
  const refused = /refused with 3/;
  for (let i = 0; i < 6; i++) await comes(`made-up-${i}.ask-1`);
  await assert.rejects(comes('made-up-6.ask-1'), refused);
  await comes('guest-1.ask-1');
  await assert.rejects(comes('guest-2.ask-1'), refused);
  await comes('made-up-5.ask-1');
  assert.equal(broker.counts().admitted, 7, 'who comes again takes its own place');
  residents.add('made-up-1');
  await assert.rejects(comes('guest-2.ask-1'), refused, 'they were looked at a moment ago');
  nowMs += 1_000;
  await comes('guest-2.ask-1');
  await assert.rejects(comes('resident.lend'), refused, 'all are taken now');
});

test('a socket that says nothing is closed after the connect time-out, and so is one whose token is never checked', async (t) => {
  const started = await startBroker(
    t,
    { connectTimeoutMs: 50 },
    { authenticate: () => new Promise(() => undefined) },
  );
  const silent = new RawClient(started.port);
  const waiting = new RawClient(started.port);
  waiting.send(connectPacket());
  await Promise.all([silent.closed, waiting.closed]);
  assert.equal(started.broker.counts().sockets, 0);
  assert.deepEqual(
    started.logged.map((line) => line.kind),
    ['connect_timeout', 'connect_timeout'],
  );
});

test('sockets that say nothing make room, oldest first, and never keep an honest client out', async (t) => {
  const { broker, port } = await startBroker(t, { greetingsMax: 8 });
  const silent = Array.from({ length: 20 }, () => new RawClient(port));
  await Promise.all(silent.map((client) => once(client.socket, 'connect')));
  await new RawClient(port).ready();
  assert.ok(broker.counts().greeting <= 8);
  await silent[0]?.closed;
});

test('a keep-alive that is missed ends the connection', async (t) => {
  const started = await startBroker(t);
  const client = await new RawClient(started.port).ready('car.lend', { keepaliveS: 1 });
  await client.closed;
  assert.deepEqual(started.heard, ['connected car.lend', 'disconnected car.lend']);
});

test('stopping closes every connection and the port', async (t) => {
  const started = await startBroker(t);
  const greeting = new RawClient(started.port);
  const client = await new RawClient(started.port).ready();
  await started.broker.stop();
  await Promise.all([client.closed, greeting.closed]);
  assert.deepEqual(started.heard, ['connected car.lend', 'disconnected car.lend']);
  const late = new RawClient(started.port);
  await late.closed;
  await started.broker.stop();
});

test('a port that is taken is said so', async (t) => {
  const { port } = await startBroker(t);
  await assert.rejects(startBroker(t, { listen: `mqtt://127.0.0.1:${port}` }), {
    name: 'ListenError',
    hint: /the other agent/,
  });
});
