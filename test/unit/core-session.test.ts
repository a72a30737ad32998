/** What the firmware says moves a session; who is known to be there survives only as far as it should. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import type { VehicleId } from '@plugpool/proto';
import { isVerified, newSession, transition, type Session } from '../../agent/core/sessions/session.ts';
import { connectorOf } from '../simulation/simulated-pile.ts';

const connectorId = connectorOf('1');
const source = { name: 'test', staleAfterMs: 0 };
const now = { monoMs: 1_000, wallMs: 1_700_000_000_000 };
const about = { connectorId, at: { receivedWallMs: now.wallMs } };
const identity = (vehicleId: string, assurance: 'claimed' | 'operator' | 'certificate'): FirmwareEvent => ({
  ...about,
  kind: 'identity',
  vehicleId: vehicleId as VehicleId,
  assurance,
});

function after(...events: FirmwareEvent[]): Session {
  return events.reduce(
    (session, event) => transition(session, event, source, now),
    newSession(connectorId, now),
  );
}

const charging: readonly FirmwareEvent[] = [
  { ...about, kind: 'plugged' },
  identity('car', 'operator'),
  { ...about, kind: 'chargingStarted' },
];

test('a pile that skips steps is understood: charging implies plugged', () => {
  assert.equal(after({ ...about, kind: 'chargingStarted' }).state, 'charging');
});

test('a transaction that ended is not an unplugging', () => {
  const session = after(...charging, { ...about, kind: 'transactionEnded', transactionId: '1' });
  assert.equal(session.state, 'charging');
  assert.equal(session.identity?.vehicleId, 'car');
});

test('an unplugging forgets the vehicle', () => {
  const session = after(...charging, { ...about, kind: 'unplugged' });
  assert.equal(session.state, 'unplugged');
  assert.equal(session.identity, undefined);
});

test('a weaker statement of who is there never replaces a stronger one', () => {
  assert.equal(after(...charging, identity('liar', 'claimed')).identity?.vehicleId, 'car');
  assert.equal(after(...charging, identity('liar', 'claimed')).disputed, undefined);
});

test('after a lost link nothing is verified until the connector is stated anew, and any statement names the vehicle', () => {
  const lost = after(...charging, { ...about, kind: 'linkLost', reason: 'x' }, { ...about, kind: 'linkUp' });
  assert.equal(isVerified(lost, now), false);
  const anew = [{ ...about, kind: 'plugged' } as const, identity('other', 'claimed')];
  const session = anew.reduce((s, event) => transition(s, event, source, now), lost);
  assert.equal(session.state, 'plugged');
  assert.equal(session.identity?.vehicleId, 'other');
  assert.equal(isVerified(session, now), true);
});

test('after a fault whoever is plugged in is named anew', () => {
  const session = after(
    ...charging,
    { ...about, kind: 'faulted', reason: 'ground' },
    { ...about, kind: 'plugged' },
    identity('other', 'claimed'),
  );
  assert.equal(session.state, 'plugged');
  assert.equal(session.identity?.vehicleId, 'other');
  assert.equal(session.faultReason, undefined);
});

for (const [name, goesOn] of [
  ['charging', { ...about, kind: 'chargingStarted' }],
  ['a pause', { ...about, kind: 'suspended', by: 'EVSE' }],
  ['the end of charging', { ...about, kind: 'chargingStopped' }],
  ['a transaction', { ...about, kind: 'transactionStarted', transactionId: 't' }],
  ['a vehicle', { ...about, kind: 'plugged' }],
] as const satisfies readonly [string, FirmwareEvent][]) {
  test(`after a fault ${name} says nothing of who is there: whoever was known is a claim`, () => {
    const session = after(...charging, { ...about, kind: 'faulted', reason: 'ground' }, goesOn);
    assert.deepEqual(session.identity, { vehicleId: 'car', assurance: 'claimed' });
    assert.equal(session.shown, undefined);
  });
}

test('who is named while the connector is faulted is a claim when it is not any more', () => {
  const fault: FirmwareEvent = { ...about, kind: 'faulted', reason: 'ground' };
  const session = after({ ...about, kind: 'unplugged' }, fault, identity('car', 'operator'), charging[2]!);
  assert.equal(session.identity?.assurance, 'claimed');
});

test('a fault of a free connector begins no stay: since when somebody is there, nobody saw', () => {
  const fault: FirmwareEvent = { ...about, kind: 'faulted', reason: 'ground' };
  assert.equal(after({ ...about, kind: 'unplugged' }, fault).stay, undefined);
  assert.equal(after({ ...about, kind: 'unplugged' }, fault, charging[0]!).stay?.isOlder, true);
});

test('a sample that is too old is verified no more', () => {
  const session = transition(
    newSession(connectorId, now),
    { ...about, kind: 'plugged' },
    { ...source, staleAfterMs: 5_000 },
    now,
  );
  assert.equal(isVerified(session, { ...now, monoMs: now.monoMs + 5_000 }), true);
  assert.equal(isVerified(session, { ...now, monoMs: now.monoMs + 5_001 }), false);
});
