/** The relay between piles and a CSMS of an independent library: it passes on what both say, and is not noticed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import test from 'node:test';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import {
  connectPile,
  pileOf,
  RawPile,
  refusedWith,
  startCsms,
  startPlainCsms,
  startRelay,
} from './ocpp-relay-scene.ts';

for (const protocol of ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1']) {
  test(`${protocol}: calls and answers pass in both directions, errors included`, async (t) => {
    const csms = await startCsms(t, {
      protocols: [protocol],
      answer: (method, params) => {
        if (method === 'Boom') throw new Error('boom');
        return { echoed: params };
      },
    });
    const { url } = await startRelay(t, csms);
    const pile = await connectPile(t, url, 'P1', { protocols: [protocol] });
    assert.equal(pile.protocol, protocol);
    assert.deepEqual(await pile.call('Heartbeat', { a: 'ä€𝄞' }), { echoed: { a: 'ä€𝄞' } });
    await assert.rejects(pile.call('Boom', {}), /boom/);
    assert.deepEqual(await csms.peers[0]?.call('Reset', { type: 'Soft' }), { status: 'Accepted' });
    assert.equal(csms.peers[0]?.identity, 'P1');
  });
}

test('a frame arrives as it was sent, whatever it is, and in order', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url } = await startRelay(t, csms);
  const pile = await new RawPile(t, url, 'P1').open();
  const texts = [
    '[2, "1" ,"Heartbeat",{ }]',
    ' [2,"\\u0061-2","StatusNotification", {"connectorId":1,"status":"Charging","x":1.50,"x":2}]',
    'no JSON at all',
    '{"not":"an array"}',
    '[]',
    '[2,"3"]',
    '[9,"4","Unknown",{}]',
    '\ufeff[3,"nobody asked",{}]',
    '[4,"5","GenericError","",{}]',
    JSON.stringify([2, 'long', 'DataTransfer', { data: 'x'.repeat(300_000) }]),
  ];
  for (const text of texts) pile.send(text);
  await csms.until('all of them', () => csms.heard.length === texts.length);
  assert.deepEqual(csms.heard, texts);
});

test('the version that the CSMS chooses is the one that the pile gets', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url } = await startRelay(t, csms);
  const pile = await connectPile(t, url, 'P1', { protocols: ['ocpp2.1', 'ocpp2.0.1', 'ocpp1.6'] });
  assert.equal(pile.protocol, 'ocpp1.6');
  assert.deepEqual([...(csms.handshakes[0]?.protocols ?? [])], ['ocpp2.1', 'ocpp2.0.1', 'ocpp1.6']);
});

test('identity and Basic credentials reach the CSMS as the pile wrote them', async (t) => {
  const csms = await startCsms(t);
  const { url } = await startRelay(t, csms);
  await connectPile(t, url, 'DE*ABC*E 1', { password: 'p:w ö' });
  assert.equal(csms.handshakes[0]?.identity, 'DE*ABC*E 1');
  assert.equal(csms.handshakes[0].password?.toString(), 'p:w ö');
});

test('what the CSMS refuses is refused with the same status', async (t) => {
  const statuses: Readonly<Record<string, number>> = { bad: 401, unknown: 404, later: 503 };
  const csms = await startCsms(t, { refuse: ({ identity }) => statuses[identity] });
  const { url } = await startRelay(t, csms);
  for (const [identity, status] of Object.entries(statuses))
    assert.equal((await refusedWith(url, identity)).status, status);
});

test('without a version in common the pile gets a connection without one, closed at once, as from the CSMS', async (t) => {
  const csms = await startPlainCsms(t);
  const { url } = await startRelay(t, { url: csms.url });
  for (const protocol of ['ocpp2.0.1', 'ocpp1.5']) {
    const socket = new WebSocket(`${url}/P1`, [protocol]);
    const [error] = (await once(socket, 'error')) as [Error];
    assert.equal(error.message, 'Server sent no subprotocol');
  }
  assert.deepEqual(csms.paths, ['/ocpp/P1'], 'the second was not even asked for');
});

test('a CSMS whose address has no path is asked for the path that the pile used', async (t) => {
  const csms = await startPlainCsms(t);
  const { url } = await startRelay(t, { url: csms.origin });
  await new RawPile(t, `${url}/any%20where`, 'P1', { protocols: ['ocpp1.6'] }).open();
  assert.deepEqual(csms.paths, ['/any%20where/P1']);
});

test('a CSMS that cannot be reached is a 503 that says when to try again', async (t) => {
  const { url } = await startRelay(t, { url: 'ws://127.0.0.1:9/ocpp' });
  const { status, headers } = await refusedWith(url, 'P1');
  assert.equal(status, 503);
  assert.ok(Number(headers['retry-after']) > 0);
});

test('a URL without an identity is no pile', async (t) => {
  const { url } = await startRelay(t, { url: 'ws://127.0.0.1:9/ocpp' });
  for (const identity of ['', '%00', '..%2f', '%ff', 'x'.repeat(256)])
    assert.equal((await refusedWith(url, identity)).status, 404, identity);
});

test('a close passes with its code, from either side', async (t) => {
  const csms = await startCsms(t);
  const { url } = await startRelay(t, csms);
  const first = await new RawPile(t, url, 'P1').open();
  await csms.peers[0]?.close({ code: 4003, reason: 'go away' });
  await first.until('the close', () => first.closed !== undefined);
  assert.deepEqual(first.closed, { code: 4003, reason: 'go away' });

  const second = await new RawPile(t, url, 'P2').open();
  const peer = csms.peers[1];
  assert.ok(peer);
  const closed = once(peer as never, 'close');
  second.socket.close(1000, 'done');
  assert.equal(((await closed) as [{ code: number }])[0].code, 1000);
});

test('a frame beyond the bound closes the connection with 1009, and one of binary with 1003', async (t) => {
  const csms = await startCsms(t);
  const { url } = await startRelay(t, csms, { frameKib: 64 });
  const pile = await new RawPile(t, url, 'P1').open();
  pile.send('x'.repeat(10 * 1024 * 1024));
  await pile.until('the close', () => pile.closed !== undefined);
  assert.equal(pile.closed?.code, 1009);

  const binary = await new RawPile(t, url, 'P2').open();
  binary.socket.send(Buffer.from([1, 2, 3]));
  await binary.until('the close', () => binary.closed !== undefined);
  assert.equal(binary.closed?.code, 1003);
  assert.deepEqual(csms.heard, []);
});

test('a pile that connects again and again is told to wait, and the others are not', async (t) => {
  const csms = await startCsms(t);
  const { url } = await startRelay(t, csms);
  const steady = await connectPile(t, url, 'P2');
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const pile = new RawPile(t, url, 'P1');
    const refused = once(pile.socket, 'unexpected-response').then(
      ([, response]) => (response as { statusCode: number }).statusCode,
    );
    statuses.push(await Promise.race([once(pile.socket, 'open').then(() => 101), refused]));
    pile.socket.terminate();
  }
  assert.deepEqual(statuses.slice(0, 5), Array(5).fill(101));
  assert.deepEqual(statuses.slice(5), Array(5).fill(429));
  assert.ok(Number((await refusedWith(url, 'P1')).headers['retry-after']) > 0);
  assert.deepEqual(await steady.call('Heartbeat', {}), {});
  await connectPile(t, url, 'P3');
});

test('of two connections with one identity the newer counts, once the CSMS took it', async (t) => {
  let isRefusing = false;
  const csms = await startCsms(t, { refuse: () => (isRefusing ? 401 : undefined) });
  const { url } = await startRelay(t, csms);
  const older = await new RawPile(t, url, 'P1').open();
  isRefusing = true;
  assert.equal((await refusedWith(url, 'P1')).status, 401);
  assert.equal(older.heardClose(), undefined, 'a stranger with a wrong password drives nobody out');
  isRefusing = false;
  const newer = await new RawPile(t, url, 'P1').open();
  await older.until('the older one to be closed', () => older.heardClose() !== undefined);
  assert.deepEqual(older.heardClose(), { code: 1001, reason: 'a newer connection has this identity' });
  newer.send('[2,"1","Heartbeat",{}]');
  await newer.until('an answer', () => newer.heard.length === 1);
});

test('what is no handshake gets an answer, and the CSMS hears nothing of it', async (t) => {
  const csms = await startCsms(t);
  const { url } = await startRelay(t, csms);
  const there = await new RawPile(t, url, 'P1').open();
  const handshake = (changed: Readonly<Record<string, string>>, method = 'GET'): string => {
    const headers = {
      Host: 'x',
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Protocol': 'ocpp1.6',
      ...changed,
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return `${method} /P1 HTTP/1.1\r\n${lines.join('')}\r\n`;
  };
  const requests = {
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n': /^HTTP\/1\.1 426 /,
    'no HTTP at all\r\n\r\n': /^HTTP\/1\.1 400 /,
    [handshake({}, 'POST')]: /^HTTP\/1\.1 405 .*allow: GET/s,
    [handshake({ Upgrade: 'h2c' })]: /^HTTP\/1\.1 400 /,
    [handshake({ 'Sec-WebSocket-Key': '' })]: /^HTTP\/1\.1 400 /,
    [handshake({ 'Sec-WebSocket-Key': 'short' })]: /^HTTP\/1\.1 400 /,
    [handshake({ 'Sec-WebSocket-Version': '12' })]: /^HTTP\/1\.1 426 .*sec-websocket-version: 13/s,
  };
  for (const [request, expected] of Object.entries(requests)) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(request));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), expected);
    socket.destroy();
  }
  assert.equal(csms.handshakes.length, 1, 'it was dialled for the pile that is there, and for none of these');
  assert.equal(there.heardClose(), undefined);
  const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(handshake({})));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 101 /, 'the rest of it was right');
  socket.destroy();
});

test('a side that answers no ping is gone, whichever it is; one that says something is there', async (t) => {
  const csms = await startPlainCsms(t, { autoPong: false });
  const { url } = await startRelay(t, { url: csms.url }, { pingEveryS: 0.1 });
  const pile = await new RawPile(t, url, 'P1').open();
  await pile.until('the line to the CSMS to be given up', () => pile.closed !== undefined);

  const answering = await startCsms(t);
  const other = await startRelay(t, answering, { pingEveryS: 0.1 });
  const silent = await new RawPile(t, other.url, 'P1', { autoPong: false }).open();
  const talking = await new RawPile(t, other.url, 'P2', { autoPong: false }).open();
  talking.socket.on('ping', () => talking.send('[2,"1","Heartbeat",{}]'));
  await silent.until('it to be cut', () => silent.closed !== undefined);
  assert.equal(silent.closed?.code, 1006);
  await talking.until('three more answers', () => talking.heard.length >= 3);
  assert.equal(talking.closed, undefined);
});

test('no log, however talkative, holds a password, a card or a frame', async (t) => {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
  const csms = await startCsms(t, { refuse: ({ identity }) => (identity === 'P2' ? 401 : undefined) });
  const { url } = await startRelay(t, csms, { allow: ['cap'] }, log);
  const pile = await connectPile(t, url, 'P1', { password: 'secret-password' });
  await pile.call('Authorize', { idToken: { idToken: 'CARD0001', type: 'ISO14443' } });
  pile.sendRaw('secret-frame');
  await refusedWith(url, 'P2', { auth: 'P2:secret-password' });
  await csms.vanish();
  await refusedWith(url, 'P3', { auth: 'P3:secret-password' });
  const text = lines.join('');
  assert.match(text, /a pile came.*a pile was refused/s);
  const basic = Buffer.from('P2:secret-password').toString('base64').slice(4, 20);
  for (const secret of ['secret', 'CARD0001', basic, 'Basic']) assert.ok(!text.includes(secret), secret);
});

test('a stop does not wait for a CSMS that does not answer', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const { url, relay } = await startRelay(t, {
    url: `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`,
  });
  const pile = new RawPile(t, url, 'P1');
  const [dialled] = (await once(silent, 'connection')) as [Socket];
  const ended = once(pile.socket, 'unexpected-response');
  await relay.stop();
  assert.equal(((await ended) as [unknown, { statusCode: number }])[1].statusCode, 503);
  dialled.destroy();
});

test('a stop closes both sides with 1001', async (t) => {
  const csms = await startCsms(t);
  const { url, relay } = await startRelay(t, csms);
  const pile = await new RawPile(t, url, 'P1').open();
  const closed = once(csms.peers[0] as never, 'close');
  await relay.stop();
  assert.equal(((await closed) as [{ code: number }])[0].code, 1001);
  await pile.until('the close', () => pile.closed !== undefined);
  assert.equal(pile.closed?.code, 1001);
});

test('a pile that is not listed is refused where only those listed may come', async (t) => {
  const csms = await startCsms(t);
  const { url } = await startRelay(t, csms, { unlistedPiles: 'refuse', piles: { P1: {} } });
  assert.equal((await refusedWith(url, 'P2')).status, 404);
  assert.ok(await connectPile(t, url, 'P1'));
  await pileOf(t, url, 'P1').close();
});
