/** What a session remembers of its stay, and which stays are learned from once they are over. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import { staySoFar, stayThatEnded } from '../../agent/core/sessions/session-stay.ts';
import { newSession, transition, type Session } from '../../agent/core/sessions/session.ts';
import { connectorOf, SimulatedPile } from '../simulation/simulated-pile.ts';

type Told = FirmwareEvent extends infer Event
  ? Event extends FirmwareEvent
    ? Omit<Event, 'at'>
    : never
  : never;

const MINUTE_MS = 60_000;
const connectorId = connectorOf('1');
const source = { name: 'test', staleAfterMs: 0 };
const WALL_MS = 1_700_000_000_000;

function at(minute: number, wallJumpMs = 0): { monoMs: number; wallMs: number } {
  return { monoMs: minute * MINUTE_MS, wallMs: WALL_MS + minute * MINUTE_MS + wallJumpMs };
}

/** A session after events, each at its minute. */
function after(...events: readonly (readonly [number, Told])[]): Session {
  return events.reduce(
    (session, [minute, told]) => {
      const event = { ...told, at: { receivedWallMs: at(minute).wallMs } } as FirmwareEvent;
      return transition(session, event, source, at(minute));
    },
    newSession(connectorId, at(0)),
  );
}

const unplugged: readonly [number, Told] = [0, { kind: 'unplugged', connectorId }];
const plugged: readonly [number, Told] = [10, { kind: 'plugged', connectorId }];

test('a stay that was seen from end to end is learned, with its charging and the first departure that was stated', () => {
  const session = after(
    unplugged,
    plugged,
    [11, { kind: 'chargingStarted', connectorId }],
    [12, { kind: 'evInfo', connectorId, departureInMs: 100 * MINUTE_MS }],
    [40, { kind: 'suspended', by: 'EVSE', connectorId }],
    [50, { kind: 'chargingStarted', connectorId }],
    [70, { kind: 'suspended', by: 'EV', connectorId }],
    [80, { kind: 'evInfo', connectorId, departureInMs: 5 * MINUTE_MS }],
  );
  assert.deepEqual(stayThatEnded(session, at(90)), {
    connectorId,
    pluggedWallMs: at(10).wallMs,
    unpluggedWallMs: at(90).wallMs,
    chargingEndedWallMs: at(70).wallMs,
    statedDepartureWallMs: at(112).wallMs,
  });
});

test('who leaves while charging charged to the end', () => {
  const session = after(unplugged, plugged, [10, { kind: 'chargingStarted', connectorId }]);
  assert.equal(stayThatEnded(session, at(90))?.chargingEndedWallMs, at(90).wallMs);
});

test('a vehicle that was found plugged in is older than what was seen of it, and nothing is learned', () => {
  const session = after(plugged);
  assert.equal(staySoFar(session, undefined, at(20)).isOlder, true);
  assert.equal(stayThatEnded(session, at(90)), undefined);
});

test('a lost link of minutes leaves open who is there since when; one of seconds does not', () => {
  const lost: readonly [number, Told] = [20, { kind: 'linkLost', connectorId, reason: 'x' }];
  const long = after(unplugged, plugged, lost, [30, { kind: 'linkUp', connectorId }], [30, plugged[1]]);
  assert.equal(stayThatEnded(long, at(90)), undefined);
  assert.equal(staySoFar(long, undefined, at(40)).isOlder, true);
  const brief = after(
    unplugged,
    plugged,
    [19, plugged[1]],
    lost,
    [20.5, { kind: 'linkUp', connectorId }],
    [20.5, plugged[1]],
  );
  assert.equal(stayThatEnded(brief, at(90))?.pluggedWallMs, at(10).wallMs);
});

test('a stay in which the wall clock was set, or longer than a fortnight, is not learned', () => {
  const session = after(unplugged, plugged);
  assert.equal(stayThatEnded(session, at(90, 3_600_000)), undefined);
  assert.equal(stayThatEnded(session, at(15 * 24 * 60)), undefined);
  assert.notEqual(stayThatEnded(session, at(13 * 24 * 60)), undefined);
});

test('a departure of now or of the past is no statement', () => {
  const session = after(unplugged, plugged, [10, { kind: 'evInfo', connectorId, departureInMs: 0 }]);
  assert.equal(stayThatEnded(session, at(90))?.statedDepartureWallMs, undefined);
});

test('what is known of a stay so far counts from now', () => {
  const session = after(
    unplugged,
    plugged,
    [10, { kind: 'chargingStarted', connectorId }],
    [20, { kind: 'evInfo', connectorId, socPermille: 500, estimatedFullInMs: 60 * MINUTE_MS }],
    [21, { kind: 'meter', connectorId, powerMw: 7_000_000 }],
  );
  assert.deepEqual(staySoFar(session, at(100).monoMs, at(30, 3_600_000)), {
    connectorId,
    pluggedWallMs: at(10, 3_600_000).wallMs,
    elapsedMs: 20 * MINUTE_MS,
    isOlder: false,
    state: 'charging',
    chargingForMs: 20 * MINUTE_MS,
    statedInMs: 70 * MINUTE_MS,
    estimatedFullInMs: 50 * MINUTE_MS,
    socPermille: 500,
    powerMw: 7_000_000,
  });
});

test('a pile learns a stay when the vehicle leaves, keeps it on disk, and knows it after a restart', () => {
  const pile = new SimulatedPile();
  pile.unplug('1');
  for (let n = 0; n < 3; n += 1) {
    pile.plug('car', '1');
    pile.pass(30 * MINUTE_MS);
    pile.unplug('1');
    pile.pass(MINUTE_MS);
  }
  assert.equal(pile.state.dwell.stays, 3);
  pile.addAlgorithm('commits-what-waited');
  pile.failedStep();
  assert.equal(pile.state.dwell.stays, 3);
  pile.restart();
  assert.equal(pile.state.dwell.stays, 3);
});

test('what is kept of a stay is whole milliseconds, whatever fractions the monotonic clock tells', () => {
  const session = after(unplugged, plugged, [11.000_003, { kind: 'chargingStarted', connectorId }]);
  const stay = stayThatEnded(session, { monoMs: 90 * MINUTE_MS + 0.123, wallMs: at(90).wallMs });
  assert.ok(
    stay !== undefined &&
      Object.values(stay).every((kept) => typeof kept === 'string' || Number.isSafeInteger(kept)),
  );
});
