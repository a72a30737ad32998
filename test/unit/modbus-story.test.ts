/** What a device's registers say, look by look, is told as a charging session. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectorId } from '@plugpool/proto';
import { ModbusStory } from '../../firmware-bridge/modbus/modbus-story.ts';
import type { ReadCredential, Reading } from '../../firmware-bridge/modbus/modbus-story.ts';
import type { ReportedState } from '../../firmware-bridge/modbus/register-map.ts';

const card = (pseudonym: string, lastSeen = false): ReadCredential => ({
  kind: 'idToken',
  pseudonym,
  lastSeen,
});

class Told {
  readonly story = new ModbusStory('pile/1/1' as ConnectorId);
  nowMs = 0;

  see(state: ReportedState, more: Partial<Reading> = {}, waitMs = 2_000): readonly string[] {
    this.nowMs += waitMs;
    return this.story.see({ state, credentials: [], ...more }, this.nowMs).map((fact) => {
      if (fact.kind === 'suspended') return `suspended ${fact.by}`;
      return fact.kind === 'credential' ? `credential ${fact.credential.pseudonym}` : fact.kind;
    });
  }
}

test('a stay is told as it changes, and steady looks say nothing new', () => {
  const told = new Told();
  assert.deepEqual(told.see('unplugged'), ['unplugged']);
  assert.deepEqual(told.see('unplugged'), []);
  assert.deepEqual(told.see('plugged'), ['plugged']);
  assert.deepEqual(told.see('charging', { powerMw: 7_000_000 }), ['chargingStarted', 'meter']);
  assert.deepEqual(told.see('charging', { powerMw: 7_000_000 }), []);
  assert.deepEqual(told.see('charging', { powerMw: 6_900_000 }), ['meter']);
  assert.deepEqual(told.see('suspendedEV'), ['suspended EV']);
  assert.deepEqual(told.see('unplugged'), ['unplugged']);
});

test('a vehicle that charged and is offered nothing more is suspended by the station', () => {
  const told = new Told();
  assert.deepEqual(told.see('plugged'), ['plugged']);
  assert.deepEqual(told.see('charging'), ['chargingStarted']);
  assert.deepEqual(told.see('plugged'), ['suspended EVSE']);
  told.see('unplugged');
  assert.deepEqual(told.see('plugged'), ['plugged']);
  assert.deepEqual(told.see('plugged'), []);
});

test('what holds is said again now and then, so that it does not grow stale', () => {
  const told = new Told();
  told.see('charging', { powerMw: 1, socPermille: 500 });
  assert.deepEqual(told.see('charging', { powerMw: 1, socPermille: 500 }, 9_000), []);
  assert.deepEqual(told.see('charging', { powerMw: 1, socPermille: 500 }, 1_000), [
    'chargingStarted',
    'meter',
    'evInfo',
  ]);
  told.see('unplugged');
  assert.deepEqual(told.see('unplugged', {}, 10_000), ['unplugged']);
});

test('a fault without a vehicle brings none, and one with a vehicle does not end its stay', () => {
  const told = new Told();
  assert.deepEqual(told.see('faulted'), ['faulted']);
  assert.deepEqual(told.see('faulted'), []);
  assert.deepEqual(told.see('unplugged'), ['unplugged']);
  told.see('charging');
  assert.deepEqual(told.see('faulted'), ['faulted']);
  assert.deepEqual(told.see('charging'), ['plugged', 'chargingStarted']);
});

test('after a fault it is told anew: a card that the device remembers only where it was a short one, in which nobody else could come', () => {
  const told = new Told();
  told.see('unplugged');
  const credentials = [card('a', true), { ...card('v'), kind: 'vin' as const }];
  told.see('charging', { credentials });
  told.see('faulted', { credentials });
  const short = told.see('charging', { credentials });
  assert.deepEqual(short, ['plugged', 'credential a', 'credential v', 'chargingStarted']);
  for (let passedMs = 0; passedMs < 20_000; passedMs += 2_000) told.see('faulted', { credentials });
  const long = told.see('charging', { credentials });
  assert.deepEqual(long, ['plugged', 'credential v', 'chargingStarted']);
});

test('what stopped for good goes on with another vehicle only', () => {
  const told = new Told();
  told.see('charging');
  assert.deepEqual(told.see('finishing'), ['chargingStopped']);
  assert.deepEqual(told.see('charging'), []);
  assert.deepEqual(told.see('suspendedEV'), []);
  told.see('unplugged');
  assert.deepEqual(told.see('charging'), ['plugged', 'chargingStarted']);
});

test('a card is told once, and again when it changes', () => {
  const told = new Told();
  assert.deepEqual(told.see('plugged', { credentials: [card('a')] }), ['plugged', 'credential a']);
  assert.deepEqual(told.see('plugged', { credentials: [card('a')] }), []);
  assert.deepEqual(told.see('plugged', { credentials: [card('b')] }), ['credential b']);
});

test('a card that the device only remembers is not the next vehicle’s', () => {
  const told = new Told();
  told.see('unplugged');
  told.see('plugged', { credentials: [card('a', true)] });
  told.see('unplugged', { credentials: [card('a', true)] });
  assert.deepEqual(told.see('plugged', { credentials: [card('a', true)] }), ['plugged']);
  assert.deepEqual(told.see('charging', { credentials: [card('b', true)] }), [
    'credential b',
    'chargingStarted',
  ]);
});

test('a remembered card is not believed of a vehicle that stood there before the first look', () => {
  const told = new Told();
  assert.deepEqual(told.see('charging', { credentials: [card('a', true)] }), ['plugged', 'chargingStarted']);
  const present = new Told();
  assert.deepEqual(present.see('charging', { credentials: [card('a')] }), [
    'plugged',
    'credential a',
    'chargingStarted',
  ]);
});

test('a card that is shown at the free connector is that of who plugs in a moment later, and not of who comes in an hour', () => {
  const told = new Told();
  told.see('unplugged', { credentials: [card('a', true)] });
  told.see('unplugged', { credentials: [card('b', true)] });
  assert.deepEqual(told.see('plugged', { credentials: [card('b', true)] }, 60_000), [
    'plugged',
    'credential b',
  ]);
  told.see('unplugged', { credentials: [card('b', true)] });
  told.see('unplugged', { credentials: [card('c', true)] });
  assert.deepEqual(told.see('plugged', { credentials: [card('c', true)] }, 3_600_000), ['plugged']);
});

test('a remembered card is told again after a short silence of the device, and not after one in which another could have come', () => {
  const told = new Told();
  told.see('unplugged');
  told.see('charging', { credentials: [card('a', true)] });
  told.story.lose('silent');
  const short = told.see('charging', { credentials: [card('a', true)] }, 10_000);
  assert.deepEqual(short, ['linkUp', 'plugged', 'credential a', 'chargingStarted']);
  told.story.lose('silent');
  const long = told.see('charging', { credentials: [card('a', true)] }, 20_000);
  assert.deepEqual(long, ['linkUp', 'plugged', 'chargingStarted']);
  told.story.lose('silent');
  told.see('unplugged', { credentials: [card('a', true)] });
  assert.deepEqual(told.see('plugged', { credentials: [card('a', true)] }), ['plugged']);
});

test('after a lost link everything is told anew', () => {
  const told = new Told();
  told.see('charging', { powerMw: 5 });
  assert.deepEqual(
    told.story.lose('silent').map(({ kind }) => kind),
    ['linkLost'],
  );
  assert.deepEqual(told.story.lose('silent'), []);
  assert.deepEqual(told.see('charging', { powerMw: 5 }), ['linkUp', 'plugged', 'chargingStarted', 'meter']);
  told.story.lose('silent');
  assert.deepEqual(told.see('unplugged'), ['linkUp', 'unplugged']);
});
