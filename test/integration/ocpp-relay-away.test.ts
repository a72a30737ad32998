/** The CSMS goes away while piles are connected: what is kept, for how long, and how it ends. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { AWAY_FRAMES_MAX } from '../../firmware-bridge/ocpp/relay/limits.ts';
import { RawPile, startCsms, startRelay, TapReader } from './ocpp-relay-scene.ts';

function heartbeat(id: number): string {
  return `[2,"${id}","Heartbeat",{}]`;
}

test('a CSMS whose line is lost and that is back at once finds what the pile said meanwhile, in order', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url, tapPath } = await startRelay(t, csms, { upstreamAwayCloseS: 20 });
  const reader = await new TapReader(t, tapPath).ready();
  const pile = await new RawPile(t, url, 'P1', { headers: { authorization: 'Basic UDE6c2VjcmV0' } }).open();
  // A call of the lost connection: its answer has no addressee any more.
  void csms.peers[0]?.call('Reset', { type: 'Soft' }).catch(() => undefined);
  await pile.until('the reset', () => pile.heard.length === 1);
  const port = Number(new URL(csms.url).port);
  await csms.vanish();
  const upstream = () => reader.lines.flatMap((line) => (line.t === 'pile' ? [line.upstream] : []));
  await reader.until('the loss', () => upstream().includes('down'));
  const [, resetId] = JSON.parse(pile.heard[0] ?? '') as [number, string];
  pile.send(`[3,"${resetId}",{"status":"Accepted"}]`);
  pile.send(heartbeat(1));
  pile.send(heartbeat(2));
  const again = await startCsms(t, { protocols: ['ocpp1.6'], port });
  await again.until('both', () => again.heard.length === 2);
  assert.deepEqual(again.heard, [heartbeat(1), heartbeat(2)]);
  assert.equal(again.handshakes[0]?.password?.toString(), 'secret');
  assert.deepEqual(upstream(), ['up', 'down', 'up']);
  assert.equal(pile.closed, undefined);
});

test('a CSMS that stays away costs the pile its connection after the stated time', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url } = await startRelay(t, csms, { upstreamAwayCloseS: 0.3 });
  const pile = await new RawPile(t, url, 'P1').open();
  await csms.vanish();
  await pile.until('the close', () => pile.closed !== undefined);
  assert.equal(pile.closed?.code, 1001);
  assert.deepEqual(pile.heard, [], 'nothing is answered in the name of the CSMS');
});

test('a stated time of 0 closes at once, as OCPP 2.0.1 has it', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url } = await startRelay(t, csms, { upstreamAwayCloseS: 0 });
  const pile = await new RawPile(t, url, 'P1').open();
  await csms.vanish();
  await pile.until('the close', () => pile.closed !== undefined);
  assert.equal(pile.closed?.code, 1001);
});

test('a pile that says too much meanwhile is left to its own rules', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url, tapPath } = await startRelay(t, csms, { upstreamAwayCloseS: 60 });
  const reader = await new TapReader(t, tapPath).ready();
  const pile = await new RawPile(t, url, 'P1').open();
  await csms.vanish();
  await reader.until('the loss', () =>
    reader.lines.some((line) => line.t === 'pile' && line.upstream === 'down'),
  );
  for (let id = 0; id <= AWAY_FRAMES_MAX; id += 1) pile.send(heartbeat(id));
  await pile.until('the close', () => pile.closed !== undefined);
  assert.equal(pile.closed?.code, 1001);
});

test('a CSMS that is back with another version, or with a refusal, ends it', async (t) => {
  for (const back of [{ protocols: ['ocpp2.0.1'] }, { protocols: ['ocpp1.6'], refuse: () => 401 }]) {
    const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
    const { url } = await startRelay(t, csms, { upstreamAwayCloseS: 60 });
    const pile = await new RawPile(t, url, 'P1', { protocols: ['ocpp1.6', 'ocpp2.0.1'] }).open();
    const port = Number(new URL(csms.url).port);
    await csms.vanish();
    await startCsms(t, { ...back, port });
    await pile.until('the close', () => pile.closed !== undefined);
    assert.equal(pile.closed?.code, 1001);
  }
});

test('a CSMS that floods a pile is read as fast as the pile takes it, and nothing is lost', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url } = await startRelay(t, csms);
  const pile = await new RawPile(t, url, 'P1').open();
  const other = await new RawPile(t, url, 'P2').open();
  pile.socket.pause();
  const text = (index: number) =>
    JSON.stringify([2, `f${index}`, 'DataTransfer', { data: 'x'.repeat(100_000) }]);
  for (let index = 0; index < 200; index += 1) csms.peers[0]?.sendRaw(text(index));
  other.send(heartbeat(1));
  await other.until('an answer while the flood stands', () => other.heard.length === 1);
  pile.socket.resume();
  await pile.until('all of it', () => pile.heard.length === 200);
  assert.deepEqual(
    pile.heard.map((each) => (JSON.parse(each) as string[])[1]),
    Array.from({ length: 200 }, (_, index) => `f${index}`),
  );
});
