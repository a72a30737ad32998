/** Client ids and topics: what is taken for a client's own, and what is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clientIdOf,
  downFilter,
  downTopic,
  parseClientId,
  upKind,
  upTopic,
  vehicleIdOf,
} from '@plugpool/proto';
import type { Slot, VehicleId } from '@plugpool/proto';

const name = { vehicleId: 'car-1' as VehicleId, slot: 'lend' as Slot };

test('a client id is the vehicle id, a dot, and the slot', () => {
  assert.deepEqual(parseClientId('car-1.lend'), { ...name, clientId: 'car-1.lend' });
  assert.deepEqual(parseClientId('A_9.ask-2')?.slot, 'ask-2');
  assert.equal(clientIdOf(name.vehicleId, name.slot), 'car-1.lend');
  assert.equal(vehicleIdOf(clientIdOf(name.vehicleId, name.slot)), 'car-1');
});

test('what is not a vehicle id and a slot is no client id', () => {
  const wrong = [
    '',
    '.',
    'car-1',
    'car-1.',
    '.lend',
    'car-1.lend.',
    'car-1.lend\n',
    'car-1\n.lend',
    'car 1.lend',
    'car-1.borrow',
    'car-1.ask-',
    'car-1.ask-1/2',
    `car-1.ask-${'x'.repeat(17)}`,
    `${'x'.repeat(65)}.lend`,
    '#',
    '+.lend',
    'a\0b.lend',
    'ä.lend',
  ];
  assert.deepEqual(
    wrong.filter((clientId) => parseClientId(clientId) !== undefined),
    [],
  );
});

test('a vehicle called like a property of every object is a vehicle like any other', () => {
  assert.equal(parseClientId('__proto__.lend')?.vehicleId, '__proto__');
});

test('a client publishes under its own up and subscribes to its own down', () => {
  assert.equal(upTopic(name, 'frame'), 'plugpool/v1/car-1/lend/up/frame');
  assert.equal(downTopic(name, 'blob'), 'plugpool/v1/car-1/lend/down/blob');
  assert.equal(downFilter(name), 'plugpool/v1/car-1/lend/down/+');
});

test('only its own two topics are a client’s to publish to', () => {
  assert.equal(upKind(name, upTopic(name, 'frame')), 'frame');
  assert.equal(upKind(name, upTopic(name, 'blob')), 'blob');
  const foreign = [
    upTopic({ ...name, vehicleId: 'car-2' as VehicleId }, 'frame'),
    upTopic({ ...name, slot: 'ask-1' as Slot }, 'frame'),
    downTopic(name, 'frame'),
    'plugpool/v1/car-1/lend/up/frame/',
    'plugpool/v1/car-1/lend/up/other',
    'plugpool/v2/car-1/lend/up/frame',
    '$SYS/broker',
    '',
  ];
  assert.deepEqual(
    foreign.filter((topic) => upKind(name, topic) !== undefined),
    [],
  );
});
