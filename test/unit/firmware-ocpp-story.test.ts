/** What of a pile that cannot be heard for a while, or says what is no OCPP-J, becomes; the same in both versions. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FRAME_CHARS_MAX } from '../../firmware-bridge/ocpp/frame.ts';
import { Pile16, Pile201, TOKEN_ACCEPTED, tells } from '../ocpp-pile.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('a link that is lost', () => {
  it('a pile whose connection broke says of each connector how it is, and until then nothing is known', () => {
    const pile = new Pile16().charging().link('down');
    tells(pile.link('up').call('Heartbeat', {}, {}), 'linkLost');
    tells(pile.status('SuspendedEV'), 'linkUp plugged suspended(EV)');
    tells(pile.later(1000).energy(1, 700), 'credential(idToken) transactionStarted(1) meter(700Wh)');
  });

  it('what was queued while it was cut off is history', () => {
    const pile = new Pile16().charging();
    pile.later(MINUTE_MS).energy(1, 100).take();
    pile.link('down').later(HOUR_MS).link('up').take();
    pile.energy(1, 300, 50 * MINUTE_MS).stop(1, { timestamp: pile.time(40 * MINUTE_MS) });
    pile.start(2, { timestamp: pile.time(30 * MINUTE_MS) });
    tells(pile, '');
    tells(pile.status('Available'), 'linkUp unplugged');
  });

  it('whoever began a transaction while it was cut off is not named beside the vehicle of now', () => {
    const pile = new Pile16()
      .status('Available')
      .link('down')
      .later(3 * HOUR_MS)
      .link('up');
    pile.status('Preparing').status('Charging').take();
    pile.start(1, { idTag: 'LEFT', timestamp: pile.time(2 * HOUR_MS) });
    tells(pile.stop(1, { timestamp: pile.time(HOUR_MS) }), '');
    pile.start(2, { idTag: undefined });
    tells(pile, 'meter(0Wh) transactionStarted(2)');
    const other = new Pile201()
      .status('Available')
      .link('down')
      .later(3 * HOUR_MS)
      .link('up');
    other.status('Occupied').take();
    const idToken = { idToken: 'LEFT', type: 'ISO14443' };
    other.event('Started', 'a', { idToken, offline: true, behindMs: 2 * HOUR_MS }, TOKEN_ACCEPTED);
    other.event('Updated', 'a', { idToken, offline: true, behindMs: 2 * HOUR_MS }, TOKEN_ACCEPTED);
    other.event('Ended', 'a', { offline: true, behindMs: HOUR_MS });
    other.event('Started', 'b', { idToken: { idToken: '', type: 'NoAuthorization' } });
    tells(other.state('b', 'Charging'), 'transactionStarted(b) chargingStarted');
  });

  it('nor is the vehicle from before the cut, by what was queued of its transaction', () => {
    const pile = new Pile201().status('Occupied');
    pile.event('Started', 'a', { idToken: { idToken: 'LEFT', type: 'ISO14443' } }, TOKEN_ACCEPTED);
    pile.link('down').later(HOUR_MS).link('up').status('Occupied').take();
    pile.event('Updated', 'a', { offline: true, behindMs: 50 * MINUTE_MS });
    tells(pile, '');
  });

  it('a transaction that began while it was cut off, and goes on now, names whoever began it', () => {
    const pile = new Pile16().link('down').later(HOUR_MS).link('up').status('Charging');
    tells(pile, 'plugged chargingStarted');
    tells(pile.start(1, { timestamp: pile.time(30 * MINUTE_MS) }), '');
    tells(pile.later(MINUTE_MS).energy(1, 900), 'credential(idToken) transactionStarted(1) meter(900Wh)');
  });

  it('a transaction that was over before takes whoever began it along', () => {
    const pile = new Pile16().charging().later(MINUTE_MS).status('Charging');
    pile.stop(1, { timestamp: pile.time(30_000) });
    tells(pile, 'meter(3000Wh) transactionEnded(1) unplugged plugged chargingStarted');
  });

  it('a pile that started anew has forgotten its transactions', () => {
    const pile = new Pile16().charging();
    pile.call('BootNotification', {}, { status: 'Accepted', interval: 60 });
    tells(pile.status('Available'), 'linkLost linkUp unplugged');
    tells(pile.energy(1, 800), '');
  });

  it('a pile that is silent for longer than its heartbeat allows is lost, and back with its next word', () => {
    const pile = new Pile16();
    pile.call('BootNotification', {}, { status: 'Accepted', interval: 60 }).charging();
    tells(pile.later(94_999), '');
    tells(pile.later(1), 'linkLost');
    tells(pile.later(HOUR_MS), '');
    pile.call('Heartbeat', {}, {});
    tells(pile, 'linkUp plugged credential(idToken) transactionStarted(1) chargingStarted');
  });

  it('a heartbeat that the CSMS changes counts once the pile took it, in both versions', () => {
    const pile = new Pile16().charging();
    const change = (id: string, value: string) =>
      pile.text(`[2,"${id}","ChangeConfiguration",{"key":"HeartbeatInterval","value":"${value}"}]`, 'csms');
    change('c', '20').text('[3,"c",{"status":"Rejected"}]');
    tells(pile.later(35_000), '');
    change('d', '20').text('[3,"d",{"status":"Accepted"}]');
    tells(pile.later(35_000), 'linkLost');
    const other = new Pile201().charging();
    const variable = { variable: { name: 'HeartbeatInterval' }, attributeValue: '20' };
    other.text(JSON.stringify([2, 's', 'SetVariables', { setVariableData: [variable] }]), 'csms');
    other.text('[3,"s",{"setVariableResult":[{"attributeStatus":"Accepted"}]}]');
    tells(other.later(35_000), 'linkLost');
  });
});

describe('a clock that is set back', () => {
  it('makes nothing history, once what was queued must have come', () => {
    const pile = new Pile201();
    pile.later(20 * MINUTE_MS).charging();
    const behindMs = HOUR_MS;
    pile.later(1000).event('Updated', 'a', { info: { chargingState: 'SuspendedEVSE' }, behindMs });
    tells(pile, 'suspended(EVSE)');
    pile.event('Ended', 'a', { behindMs });
    tells(pile, 'chargingStopped transactionEnded(a)');
  });
});

describe('frames that are none', () => {
  const BAD: readonly (readonly [what: string, text: string, why: string])[] = [
    ['no JSON', 'hello', 'no_json'],
    ['no array', '{"a":1}', 'no_array'],
    ['an empty array', '[]', 'wrong_id'],
    ['a call without a payload', '[2,"1","Heartbeat"]', 'wrong_arity'],
    ['a call with too much', '[2,"1","Heartbeat",{},{}]', 'wrong_arity'],
    ['an action that is no text', '[2,"1",7,{}]', 'wrong_arity'],
    ['an id that is no text', '[2,{},"Heartbeat",{}]', 'wrong_id'],
    ['another type', '[9,"1","Heartbeat",{}]', 'wrong_type'],
    ['10 MiB', `[2,"1","Heartbeat",{"x":"${'x'.repeat(10 * 1024 * 1024)}"}]`, 'too_long'],
  ];
  for (const [what, text, why] of BAD)
    it(`${what} is passed over, and what follows is heard`, () => {
      const pile = new Pile16().text(text).status('Preparing');
      assert.deepEqual(pile.leftOut, [why]);
      tells(pile, 'plugged');
    });

  it('actions, words and fields that nobody knows say nothing', () => {
    const pile = new Pile16().call('Dance', {}).call('StatusNotification', null).status('Levitating');
    pile
      .status('__proto__')
      .call('MeterValues', { connectorId: 1, meterValue: 'x' })
      .call('StartTransaction', []);
    tells(pile.text('[5,"x","SomeError","",{}]').text('[6,"y","NotifyPeriodicEventStream",{}]'), '');
    assert.deepEqual(pile.leftOut, []);
  });

  it('the length that is read is more than a pile says of a connector', () => {
    assert.ok(FRAME_CHARS_MAX >= 64 * 1024);
  });
});
