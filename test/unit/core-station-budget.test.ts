/** The station's limit: what computing may add to what the connectors draw, and what becomes of it where that is too much. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { explain } from '../../agent/core/explain/explain.ts';
import { statusView } from '../../agent/core/views.ts';
import { DEFAULT_POWER, type PowerSettings } from '../../agent/core/power/power-settings.ts';
import { checkLaws } from '../simulation/laws.ts';
import {
  bodiesOf,
  capacityReport,
  completed,
  connectorOf,
  leaseIn,
  request,
  SimulatedPile,
} from '../simulation/simulated-pile.ts';

const KW = 1_000_000;
/** What a run of `sum` is taken to draw: one core. */
const RUN_MW = 8_000;

/** A car charges with so many kW, as its meter says. */
function pileWithLimit(
  power: Partial<PowerSettings>,
  cars: Readonly<Record<string, number | undefined>>,
): SimulatedPile {
  const pile = new SimulatedPile({ power: { ...DEFAULT_POWER, ...power } });
  pile.afterStep = (sent) => checkLaws(pile, sent);
  pile.addAlgorithm('sum');
  for (const [car, kw] of Object.entries(cars)) {
    pile.plug(car);
    if (kw !== undefined) readPower(pile, car, kw * KW);
    pile.lend(car);
  }
  pile.ask('asker');
  return pile;
}

function readPower(pile: SimulatedPile, car: string, powerMw: number): ReturnType<SimulatedPile['step']> {
  return pile.firmware({ kind: 'meter', connectorId: connectorOf(car), powerMw });
}

function stillThere(pile: SimulatedPile, car: string): void {
  pile.say(`${car}.lend`, capacityReport({}));
}

/** Of the task that was asked for last. */
function explained(pile: SimulatedPile) {
  const [accepted] = bodiesOf(pile.sent, 'accepted').slice(-1);
  const told = accepted && explain(pile.state, accepted.taskId, pile.now());
  assert.ok(told);
  return told;
}

function obstaclesOf(pile: SimulatedPile): unknown {
  return explained(pile).donors.map(({ obstacles }) => obstacles);
}

test('a run is granted while the station has power for it, and waits with the reason where it has none', () => {
  const pile = pileWithLimit({ stationLimitMw: 22 * KW + RUN_MW }, { a: 22 });
  assert.equal(bodiesOf(pile.say('asker.ask-1', request('r1', 'sum')), 'offer').length, 1);
  assert.equal(bodiesOf(pile.say('asker.ask-1', request('r2', 'sum')), 'offer').length, 0);
  assert.deepEqual(obstaclesOf(pile), [[{ test: 'station_power', needMw: RUN_MW, haveMw: 0 }]]);
  const { power } = statusView(pile.state, pile.now());
  assert.deepEqual(power, { limitMw: 22 * KW + RUN_MW, drawnMw: 22 * KW + RUN_MW, unknown: 0, over: false });
  const told = explained(pile);
  assert.match(told.donors[0]?.because.join() ?? '', /needs 8 W, and the limit of the station leaves 0 W/);
  assert.match(told.wait?.wouldRun[0] ?? '', /8 W more below the limit of the station, on a/);
});

test('who waits for power runs as soon as another car draws less, though nothing about its donor changed', () => {
  const pile = pileWithLimit({ stationLimitMw: 33 * KW }, { a: 22, b: 11 });
  assert.equal(bodiesOf(pile.say('asker.ask-1', request('r1', 'sum')), 'offer').length, 0);
  assert.equal(bodiesOf(readPower(pile, 'b', 11 * KW - RUN_MW + 1), 'offer').length, 0);
  assert.equal(bodiesOf(readPower(pile, 'b', 11 * KW - RUN_MW), 'offer').length, 1);
});

test('a run that began before a reading is in it, one that began after adds to it', () => {
  const pile = pileWithLimit({ stationLimitMw: 22 * KW + RUN_MW }, { a: 22 });
  pile.say('asker.ask-1', request('r1', 'sum'));
  pile.say('asker.ask-1', request('r2', 'sum'));
  pile.pass(5_000);
  assert.equal(bodiesOf(readPower(pile, 'a', 22 * KW), 'offer').length, 0, 'it may not draw yet');
  pile.pass(6_000);
  assert.equal(bodiesOf(readPower(pile, 'a', 22 * KW), 'offer').length, 1);
});

test('where nobody knows what a car draws nothing new is granted, unless the operator says what to assume', () => {
  const pile = pileWithLimit({ stationLimitMw: 100 * KW }, { a: 22, b: undefined });
  assert.equal(bodiesOf(pile.say('asker.ask-1', request('r1', 'sum')), 'offer').length, 0);
  assert.deepEqual(obstaclesOf(pile), [
    [{ test: 'station_power_unknown', connectors: 1 }],
    [{ test: 'station_power_unknown', connectors: 1 }],
  ]);
  assert.equal(bodiesOf(readPower(pile, 'b', 11 * KW), 'offer').length, 1, 'now it is known');

  const assumed = pileWithLimit(
    { stationLimitMw: 100 * KW, connectorMaxMw: 43 * KW },
    { a: 22, b: undefined },
  );
  assert.equal(bodiesOf(assumed.say('asker.ask-1', request('r1', 'sum')), 'offer').length, 1);
  const tight = pileWithLimit({ stationLimitMw: 64 * KW, connectorMaxMw: 43 * KW }, { a: 22, b: undefined });
  assert.equal(bodiesOf(tight.say('asker.ask-1', request('r1', 'sum')), 'offer').length, 0);
});

test('a reading that is old is not believed any more', () => {
  const pile = pileWithLimit({ stationLimitMw: 100 * KW }, { a: 22 });
  for (let minutes = 0; minutes < 7; minutes += 1) {
    pile.pass(20_000);
    stillThere(pile, 'a');
    pile.pass(20_000);
    stillThere(pile, 'a');
    pile.pass(20_000);
    stillThere(pile, 'a');
  }
  assert.equal(bodiesOf(pile.say('asker.ask-1', request('r1', 'sum')), 'offer').length, 0);
  assert.deepEqual(obstaclesOf(pile), [[{ test: 'station_power_unknown', connectors: 1 }]]);
});

test('while the station stays above its limit runs are taken back, the newest first and no more than is too much', () => {
  const pile = pileWithLimit({ stationLimitMw: 30 * KW }, { a: 11, b: 11 });
  for (const id of ['r1', 'r2', 'r3']) pile.say('asker.ask-1', request(id, 'sum'));
  const tokens = pile.sent.flatMap(({ body }) => (body.kind === 'offer' ? [body.lease.fencingToken] : []));
  assert.equal(tokens.length, 3);
  pile.pass(5_000);
  readPower(pile, 'b', 19 * KW + RUN_MW + 1);
  const revokes = () => bodiesOf(pile.sent, 'revoke');
  pile.pass(4_000);
  assert.equal(revokes().length, 0, 'for a moment it may be');
  readPower(pile, 'b', 19 * KW + RUN_MW + 1);
  pile.pass(6_001);
  assert.deepEqual(
    revokes().map(({ lease, reason }) => [lease.fencingToken, reason]),
    [...tokens]
      .reverse()
      .slice(0, revokes().length)
      .map((token) => [token, 'station_power']),
  );
  assert.ok(revokes().length >= 1);
});

test('once it was above the limit nothing new is granted until it is clearly below', () => {
  const pile = pileWithLimit({ stationLimitMw: 20 * KW }, { a: 11, b: 10 });
  assert.equal(bodiesOf(pile.say('asker.ask-1', request('r1', 'sum')), 'offer').length, 0);
  assert.equal(bodiesOf(readPower(pile, 'b', 8.5 * KW), 'offer').length, 0, '19.5 of 20 kW is not clear');
  assert.equal(bodiesOf(readPower(pile, 'b', 8 * KW), 'offer').length, 1);
});

test('a peak that passes takes nothing back', () => {
  const pile = pileWithLimit({ stationLimitMw: 20 * KW }, { a: 11 });
  pile.say('asker.ask-1', request('r1', 'sum'));
  readPower(pile, 'a', 21 * KW);
  pile.pass(5_000);
  readPower(pile, 'a', 11 * KW);
  pile.pass(9_000);
  assert.equal(bodiesOf(pile.sent, 'revoke').length, 0);
});

test('parts that start together start where the station has power for all of them, or wait', () => {
  const wants = { instances: 3, allAtOnce: true };
  const pile = pileWithLimit({ stationLimitMw: 11 * KW + 2 * RUN_MW }, { a: 11 });
  assert.equal(bodiesOf(pile.say('asker.ask-1', request('r1', 'sum', { wants })), 'offer').length, 0);
  assert.equal(bodiesOf(readPower(pile, 'a', 11 * KW - RUN_MW), 'offer').length, 3);
});

test('whatever cars, meters and requesters do, no grant takes the station above its limit (law 9)', () => {
  const car = fc.constantFrom('a', 'b', 'c');
  const act = fc.oneof(
    fc.record({ do: fc.constant('read' as const), car, kw: fc.integer({ min: 0, max: 12 }) }),
    fc.record({ do: fc.constant('ask' as const), n: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constantFrom('unplug' as const, 'plug' as const, 'lost' as const), car }),
    fc.record({ do: fc.constant('finish' as const) }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 15_000 }) }),
  );
  let granted = 0;
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), fc.integer({ min: 0, max: 5 }), (acts, spare) => {
      const pile = pileWithLimit({ stationLimitMw: 20 * KW + spare * RUN_MW }, { a: 7, b: 7, c: 6 });
      let requests = 0;
      for (const one of acts) {
        for (const each of ['a', 'b', 'c']) stillThere(pile, each);
        if ('kw' in one) readPower(pile, one.car, one.kw * KW);
        else if ('ms' in one) pile.pass(one.ms);
        else if ('n' in one)
          for (let n = 0; n < one.n; n += 1) {
            requests += 1;
            pile.say('asker.ask-1', request(`r${requests}`, 'sum'));
          }
        else if (one.do === 'finish') {
          const offer = pile.sent.findLast(({ body }) => body.kind === 'offer');
          if (offer !== undefined) pile.say(offer.clientId, completed(leaseIn([offer])));
        } else if (one.do === 'plug') pile.plug(one.car);
        else if (one.do === 'unplug') pile.unplug(one.car);
        else pile.firmware({ kind: 'linkLost', connectorId: connectorOf(one.car), reason: 'test' });
      }
      granted += bodiesOf(pile.sent, 'offer').length;
    }),
    { numRuns: 60 },
  );
  assert.ok(granted > 60, `only ${granted} grants were made`);
});
