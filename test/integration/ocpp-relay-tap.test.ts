/** What the agent sees and does through the relay: it reads along, calls in turn, and nobody waits for it. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import test from 'node:test';
import { LINE_CHARS_MAX } from '../../firmware-bridge/ocpp/frame.ts';
import { TAP_UNREAD_BYTES_MAX } from '../../firmware-bridge/ocpp/relay/limits.ts';
import { RawPile, startCsms, startRelay, TapReader, type TestCsms } from './ocpp-relay-scene.ts';

const PROFILE = { connectorId: 1, csChargingProfiles: { chargingProfileId: 7 } };
const CAP = { to: 'pile', action: 'SetChargingProfile', payload: PROFILE, withinMs: 5_000 } as const;

function firstPeer(csms: TestCsms) {
  const [peer] = csms.peers;
  assert.ok(peer);
  return peer;
}

test('a reader is told what passes, as it was said', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url, tapPath } = await startRelay(t, csms, { allow: ['cap'] });
  assert.equal(statSync(tapPath).mode & 0o777, 0o600);
  const reader = await new TapReader(t, tapPath).ready();
  assert.deepEqual(
    reader.lines.map((line) => (line.t === 'hello' ? line.allow : line.t)),
    [['cap'], 'recalledAll'],
  );
  const pile = await new RawPile(t, url, 'P1').open();
  pile.send('[2, "1","Heartbeat",{}]');
  await reader.until('the answer', () => reader.frames().length === 2);
  const [up] = reader.lines.filter((line) => line.t === 'pile');
  assert.equal(up?.pile, 'P1');
  assert.deepEqual([up.link, up.subprotocol, up.upstream], ['up', 'ocpp1.6', 'up']);
  assert.deepEqual(
    reader.frames().map(({ from, text }) => [from, text]),
    [
      ['pile', '[2, "1","Heartbeat",{}]'],
      ['csms', '[3,"1",{}]'],
    ],
  );
  pile.socket.terminate();
  await reader.until('the pile to be down', () =>
    reader.lines.some((line) => line.t === 'pile' && line.link === 'down'),
  );
});

test('a reader that comes later is told the present state of each pile, oldest first', async (t) => {
  const csms = await startCsms(t, {
    protocols: ['ocpp1.6'],
    answer: (method) =>
      method === 'StartTransaction' ? { transactionId: 5, idTagInfo: { status: 'Accepted' } } : {},
  });
  const { url, tapPath } = await startRelay(t, csms);
  const pile = await new RawPile(t, url, 'P1').open();
  const said = [
    '[2,"1","StatusNotification",{"connectorId":1,"status":"Preparing","errorCode":"NoError"}]',
    '[2,"2","StartTransaction",{"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"2026-01-01T00:00:00Z"}]',
    '[2,"3","StatusNotification",{"connectorId":1,"status":"Charging","errorCode":"NoError"}]',
    '[2,"4","Heartbeat",{}]',
  ];
  for (const [index, text] of said.entries()) {
    pile.send(text);
    await pile.until('an answer', () => pile.heard.length === index + 1);
  }
  const reader = await new TapReader(t, tapPath).ready();
  assert.deepEqual(
    reader.frames().map(({ text, recalled }) => [text, recalled]),
    [said[1], pile.heard[1], said[2], pile.heard[2]].map((text) => [text, true]),
  );
});

test("the agent's call is answered to the agent alone, and its error too", async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url, tapPath } = await startRelay(t, csms, { allow: ['cap'] });
  const pile = await new RawPile(t, url, 'P1').open();
  const reader = await new TapReader(t, tapPath).ready();
  const outcome = reader.call({ pile: 'P1', ...CAP });
  await pile.until('the call', () => pile.heard.length === 1);
  const [type, id, action, payload] = JSON.parse(pile.heard[0] ?? '') as [number, string, string, unknown];
  assert.deepEqual([type, action, payload], [2, 'SetChargingProfile', PROFILE]);
  assert.ok(id.length <= 36);
  pile.send(`[3, "${id}", {"status":"Accepted"}]`);
  assert.deepEqual(await outcome, { ok: true, payload: { status: 'Accepted' } });

  const failing = reader.call({ pile: 'P1', ...CAP });
  await pile.until('the call', () => pile.heard.length === 2);
  const [, secondId] = JSON.parse(pile.heard[1] ?? '') as [number, string];
  assert.notEqual(secondId, id);
  pile.send(`[4,"${secondId}","NotSupported","no profiles",{}]`);
  assert.deepEqual(await failing, { ok: false, code: 'call_error', message: 'NotSupported: no profiles' });

  pile.send('[2,"last","Heartbeat",{}]');
  await csms.until('the heartbeat', () => csms.heard.length > 0);
  assert.deepEqual(csms.heard, ['[2,"last","Heartbeat",{}]']);
  assert.equal(reader.frames().filter(({ text }) => text.includes(id)).length, 0);
});

test("the agent's call waits for the CSMS's, and the CSMS's for the agent's", async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url, tapPath } = await startRelay(t, csms, { allow: ['cap'] });
  const pile = await new RawPile(t, url, 'P1').open();
  const reader = await new TapReader(t, tapPath).ready();
  const actions = () => pile.heard.map((text) => (JSON.parse(text) as string[])[2]);
  const answer = (index: number) =>
    pile.send(
      JSON.stringify([3, (JSON.parse(pile.heard[index] ?? '') as string[])[1], { status: 'Accepted' }]),
    );

  const reset = firstPeer(csms).call('Reset', { type: 'Soft' });
  await pile.until('the reset', () => pile.heard.length === 1);
  const cap = reader.call({ pile: 'P1', ...CAP });
  // Whatever the pile says in between goes on as ever.
  pile.send('[2,"1","Heartbeat",{}]');
  await pile.until('the heartbeat to be answered', () => pile.heard.length === 2);
  answer(0);
  assert.deepEqual(await reset, { status: 'Accepted' });
  await pile.until('the cap', () => pile.heard.length === 3);
  const clear = firstPeer(csms).call('ClearCache', {});
  pile.send('[2,"2","Heartbeat",{}]');
  await pile.until('the heartbeat to be answered', () => pile.heard.length === 4);
  assert.deepEqual(actions()[2], 'SetChargingProfile');
  answer(2);
  assert.equal((await cap).ok, true);
  await pile.until('what was held', () => pile.heard.length === 5);
  assert.equal(actions()[4], 'ClearCache');
  answer(4);
  assert.deepEqual(await clear, { status: 'Accepted' });
});

test('a call that the pile does not answer is given up, and a late answer reaches nobody', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url, tapPath } = await startRelay(t, csms, { allow: ['cap'] });
  const pile = await new RawPile(t, url, 'P1').open();
  const reader = await new TapReader(t, tapPath).ready();
  const outcome = await reader.call({ pile: 'P1', ...CAP, withinMs: 50 });
  assert.equal(!outcome.ok && outcome.code, 'no_answer');
  const [, id] = JSON.parse(pile.heard[0] ?? '') as [number, string];
  pile.send(`[3,"${id}",{"status":"Accepted"}]`);
  pile.send('[2,"last","Heartbeat",{}]');
  await csms.until('the heartbeat', () => csms.heard.length > 0);
  assert.deepEqual(csms.heard, ['[2,"last","Heartbeat",{}]']);
});

test('a call to the CSMS in the name of the pile is answered to the agent alone', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'], answer: () => ({ status: 'UnknownVendorId' }) });
  const { url, tapPath } = await startRelay(t, csms, { allow: ['credit'] });
  const pile = await new RawPile(t, url, 'P1').open();
  const reader = await new TapReader(t, tapPath).ready();
  const payload = { vendorId: 'plugpool', data: '{}' };
  assert.deepEqual(
    await reader.call({ pile: 'P1', to: 'csms', action: 'DataTransfer', payload, withinMs: 5_000 }),
    { ok: true, payload: { status: 'UnknownVendorId' } },
  );
  assert.deepEqual(pile.heard, []);
});

test('what was not switched on, whom nobody knows, and who is not there is said', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url, tapPath } = await startRelay(t, csms, { allow: ['cap'] });
  const pile = await new RawPile(t, url, 'P1').open();
  const reader = await new TapReader(t, tapPath).ready();
  const text = { pile: 'P1', to: 'pile', action: 'DataTransfer', payload: {}, withinMs: 100 } as const;
  const code = async (call: Parameters<TapReader['call']>[0]) => {
    const outcome = await reader.call(call);
    return outcome.ok || outcome.code;
  };
  assert.equal(await code(text), 'not_enabled');
  assert.equal(await code({ ...text, to: 'csms' }), 'not_enabled');
  assert.equal(await code({ ...CAP, pile: 'P2' }), 'unknown_pile');
  pile.socket.terminate();
  await reader.until('the pile to be down', () =>
    reader.lines.some((line) => line.t === 'pile' && line.link === 'down'),
  );
  assert.equal(await code({ ...CAP, pile: 'P1' }), 'link_lost');
  assert.deepEqual(pile.heard, []);
});

test('a reader that writes nonsense is dropped, and so is one that does not read; the piles do not notice', async (t) => {
  const csms = await startCsms(t, { protocols: ['ocpp1.6'] });
  const { url, tapPath } = await startRelay(t, csms);
  const pile = await new RawPile(t, url, 'P1').open();
  for (const nonsense of ['hello\n', '{"t":"call"}\n', 'x'.repeat(LINE_CHARS_MAX + 1) + '\n']) {
    const reader = await new TapReader(t, tapPath).ready();
    reader.write(nonsense);
    await reader.until('it to be dropped', () => reader.isClosed);
  }
  const sleeper = await new TapReader(t, tapPath).ready();
  sleeper.sleep();
  const text = JSON.stringify([2, 'big', 'DataTransfer', { data: 'x'.repeat(200 * 1024) }]);
  const frames = Math.ceil((2 * TAP_UNREAD_BYTES_MAX) / text.length);
  for (let index = 0; index < frames; index += 1) pile.send(text);
  await csms.until('every frame', () => csms.heard.length === frames);
  sleeper.wake();
  await sleeper.until('it to be dropped', () => sleeper.isClosed);
  assert.ok(sleeper.frames().length < frames);
});
