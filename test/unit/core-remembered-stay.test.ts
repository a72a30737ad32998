/** Who was bound by a code, a proof or the operator stays bound over a lost link and a restart, where the transaction is the same. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { VehicleId } from '@plugpool/proto';
import { REMEMBERED_NAME } from '../../agent/core/binding/remembered.ts';
import { REMEMBERED_STAYS_MAX } from '../../agent/core/limits.ts';
import { connectorsView } from '../../agent/core/views.ts';
import { connectorOf, SimulatedPile } from '../simulation/simulated-pile.ts';

const connectorId = connectorOf('1');

/** A car that gave its code in the transaction `t-1`; `startsFirst`: before it gave it. */
function boundPile(startsFirst = true): SimulatedPile {
  const pile = new SimulatedPile();
  pile.lend('car');
  pile.firmware({ kind: 'plugged', connectorId });
  if (startsFirst) start(pile, 't-1');
  pile.say('car.lend', { kind: 'connectorClaim', code: viewOf(pile).code ?? '' });
  if (!startsFirst) start(pile, 't-1');
  assert.equal(knownBy(pile), 'car code');
  return pile;
}

function start(pile: SimulatedPile, transactionId: string): void {
  pile.firmware({ kind: 'transactionStarted', connectorId, transactionId });
}

function viewOf(pile: SimulatedPile) {
  return connectorsView(pile.state, pile.now())[0]!;
}

function knownBy(pile: SimulatedPile): string {
  const { vehicleId, assurance } = viewOf(pile);
  return `${vehicleId} ${assurance}`;
}

function loseLink(pile: SimulatedPile): void {
  pile.firmware({ kind: 'linkLost', connectorId, reason: 'x' });
  pile.firmware({ kind: 'linkUp', connectorId });
  pile.firmware({ kind: 'plugged', connectorId });
}

function breakDown(pile: SimulatedPile): void {
  pile.firmware({ kind: 'faulted', connectorId, reason: 'x' });
  pile.firmware({ kind: 'plugged', connectorId });
}

/** What is lazily written reaches the disk with the next change that cannot wait. */
function restart(pile: SimulatedPile): void {
  pile.addAlgorithm(`a-${pile.nowMs}`);
  pile.restart();
  pile.firmware({ kind: 'plugged', connectorId });
}

for (const [name, interrupt] of [
  ['a lost link', loseLink],
  ['a restart', restart],
  ['a fault', breakDown],
] as const) {
  test(`after ${name} the same transaction says that the same vehicle is there`, () => {
    for (const startsFirst of [true, false]) {
      const pile = boundPile(startsFirst);
      interrupt(pile);
      assert.notEqual(knownBy(pile), 'car code');
      start(pile, 't-1');
      assert.equal(knownBy(pile), 'car code');
      assert.equal(viewOf(pile).code, null);
    }
  });

  test(`after ${name} another transaction says nothing, and neither does the first one after it`, () => {
    const pile = boundPile();
    interrupt(pile);
    start(pile, 't-2');
    start(pile, 't-1');
    assert.notEqual(knownBy(pile), 'car code');
  });

  test(`after ${name} a transaction that had ended before says nothing`, () => {
    const pile = boundPile();
    pile.firmware({ kind: 'transactionEnded', connectorId, transactionId: 't-1' });
    interrupt(pile);
    start(pile, 't-1');
    assert.notEqual(knownBy(pile), 'car code');
  });
}

test('a transaction that began while the connector was faulted is another vehicle’s, also when it is said again', () => {
  const pile = boundPile();
  pile.firmware({ kind: 'faulted', connectorId, reason: 'x' });
  start(pile, 't-2');
  pile.firmware({ kind: 'plugged', connectorId });
  start(pile, 't-2');
  assert.equal(knownBy(pile), 'car claimed');
});

test('the vehicle of the stay before is not remembered, though a station gave the same id again', () => {
  const pile = boundPile();
  pile.unplug('1');
  pile.firmware({ kind: 'plugged', connectorId });
  start(pile, 't-1');
  assert.equal(knownBy(pile), 'null null');
  assert.equal(pile.state.remembered.size, 0);
});

test('what the firmware names meanwhile goes before what is remembered', () => {
  const pile = boundPile();
  loseLink(pile);
  pile.firmware({ kind: 'identity', connectorId, vehicleId: 'other' as VehicleId, assurance: 'vin' });
  start(pile, 't-1');
  assert.equal(knownBy(pile), 'other vin');
});

test('what the operator said of a stay is remembered too', () => {
  const pile = new SimulatedPile();
  pile.firmware({ kind: 'plugged', connectorId });
  start(pile, 't-1');
  const command = {
    verb: 'bindConnector',
    vehicleId: 'car' as VehicleId,
    connectorId,
    replace: false,
  } as const;
  pile.step({ kind: 'operator', question: 1, command });
  loseLink(pile);
  start(pile, 't-1');
  assert.equal(knownBy(pile), 'car operator');
});

test('what is damaged on disk is said, and nobody is remembered', () => {
  for (const value of ['x', [['station/1/1', { vehicleId: 7 }]], [['station/1/1']], [{}]]) {
    const pile = new SimulatedPile();
    pile.disk.write([{ change: 'putLearned', name: REMEMBERED_NAME, value }]);
    pile.restart();
    assert.deepEqual([pile.state.remembered.size, pile.state.damaged], [0, [REMEMBERED_NAME]]);
  }
});

test('the stays that are remembered are bounded', () => {
  const pile = new SimulatedPile();
  for (let i = 0; i < REMEMBERED_STAYS_MAX; i += 1)
    pile.state.remembered.set(connectorOf(`c${i}`), { vehicleId: 'v' as VehicleId, assurance: 'code' });
  pile.firmware({ kind: 'plugged', connectorId });
  const about = { vehicleId: 'car' as VehicleId, connectorId, replace: false };
  pile.step({ kind: 'operator', question: 1, command: { verb: 'bindConnector', ...about } });
  assert.equal(pile.state.remembered.size, REMEMBERED_STAYS_MAX);
  assert.equal(pile.state.remembered.has(connectorOf('c0')), false);
  assert.equal(pile.state.remembered.has(connectorId), true);
});

test('who is named at another connector meanwhile is remembered no more where it was', () => {
  for (const isHeardFirst of [true, false]) {
    const pile = boundPile();
    pile.addAlgorithm('a');
    pile.restart();
    if (isHeardFirst) {
      pile.firmware({ kind: 'plugged', connectorId });
      start(pile, 't-1');
      assert.equal(knownBy(pile), 'car code');
    }
    pile.firmware({ kind: 'chargingStarted', connectorId: connectorOf('2') });
    pile.firmware({
      kind: 'identity',
      connectorId: connectorOf('2'),
      vehicleId: 'car' as VehicleId,
      assurance: 'operator',
    });
    pile.firmware({ kind: 'plugged', connectorId });
    start(pile, 't-1');
    const shown = connectorsView(pile.state, pile.now()).map((each) => [each.connectorId, each.vehicleId]);
    assert.deepEqual(Object.fromEntries(shown), { [connectorId]: null, [connectorOf('2')]: 'car' });
  }
});
