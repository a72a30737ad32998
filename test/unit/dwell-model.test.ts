/** What the dwell model learns from stays that are over, and what it makes of one that goes on. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ConnectorId } from '@plugpool/proto';
import { DEFAULT_DWELL, DwellModel } from '../../agent/core/dwell/dwell-model.ts';
import { ratio, type RatioRow } from '../../agent/core/dwell/ratio-table.ts';
import type { StaySoFar } from '../../agent/core/dwell/stay-so-far.ts';
import type { StayRecord } from '../../agent/core/records.ts';
import { Chance } from '../../bench/sessions/chance.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A Monday, midnight. */
const MONDAY_MS = Date.UTC(2026, 0, 5);

function stay(day: number, hour: number, lastedMin: number, more: Partial<StayRecord> = {}): StayRecord {
  const pluggedWallMs = MONDAY_MS + day * DAY_MS + hour * HOUR_MS;
  return {
    connectorId: 'pile/1/1' as ConnectorId,
    pluggedWallMs,
    unpluggedWallMs: pluggedWallMs + lastedMin * MINUTE_MS,
    ...more,
  };
}

function soFar(day: number, hour: number, elapsedMin: number, more: Partial<StaySoFar> = {}): StaySoFar {
  return {
    connectorId: 'pile/1/1' as ConnectorId,
    pluggedWallMs: MONDAY_MS + day * DAY_MS + hour * HOUR_MS,
    elapsedMs: elapsedMin * MINUTE_MS,
    state: 'plugged',
    ...more,
  };
}

function taught(stays: readonly StayRecord[], settings = DEFAULT_DWELL): DwellModel {
  const model = new DwellModel(settings);
  for (const each of stays) model.learn(each);
  return model;
}

/** `count` stays, the n-th on day n. */
function daily(count: number, each: (day: number, chance: Chance) => StayRecord): StayRecord[] {
  const chance = new Chance(7);
  return Array.from({ length: count }, (_, day) => each(day, chance));
}

test('a pile without any history assumes stays as short as at public chargers', () => {
  const residual = new DwellModel(DEFAULT_DWELL).residual(soFar(0, 12, 0));
  assert.ok(Math.abs(residual.survives(11 * MINUTE_MS) - 0.9) < 0.02);
  assert.ok(Math.abs(residual.survives(31 * MINUTE_MS) - 0.5) < 0.03);
  assert.ok(Math.abs(residual.survives(254 * MINUTE_MS) - 0.1) < 0.01);
});

test('what a pile saw counts more than what it assumed', () => {
  const model = taught(daily(100, (day, chance) => stay(day, 12, 300 + 60 * chance.uniform())));
  assert.ok(model.residual(soFar(100, 12, 0)).survives(4 * HOUR_MS) > 0.9);
  assert.ok(model.residual(soFar(100, 12, 0)).survives(6.5 * HOUR_MS) < 0.1);
  assert.ok(model.residual(soFar(100, 12, 290)).survives(90 * MINUTE_MS) < 0.1);
});

test('two connectors of one pile have habits of their own', () => {
  const rapid = 'pile/2/1' as ConnectorId;
  const model = taught(
    daily(200, (day, chance) =>
      day % 2 === 0
        ? stay(day, 12, 200 + 100 * chance.uniform())
        : stay(day, 12, 15 + 10 * chance.uniform(), { connectorId: rapid }),
    ),
  );
  assert.ok(model.residual(soFar(200, 12, 0)).survives(HOUR_MS) > 0.9);
  assert.ok(model.residual(soFar(200, 12, 0, { connectorId: rapid })).survives(HOUR_MS) < 0.1);
});

test('a connector without history is as all the others are', () => {
  const model = taught(daily(100, (day, chance) => stay(day, 12, 300 + 60 * chance.uniform())));
  const elsewhere = model.residual(soFar(100, 12, 0, { connectorId: 'pile/9/1' as ConnectorId }));
  assert.ok(elsewhere.survives(4 * HOUR_MS) > 0.8);
});

test('who comes in the evening stays the night, who comes at noon does not, by the clock where the pile stands', () => {
  const aheadMs = 9 * HOUR_MS;
  const model = taught(
    daily(300, (day, chance) => {
      const evening = day % 2 === 0;
      const at = stay(
        day,
        evening ? 18 : 11,
        evening ? 780 + 60 * chance.uniform() : 30 + 60 * chance.uniform(),
      );
      return {
        ...at,
        pluggedWallMs: at.pluggedWallMs - aheadMs,
        unpluggedWallMs: at.unpluggedWallMs - aheadMs,
      };
    }),
    { ...DEFAULT_DWELL, timeZone: '+09:00' },
  );
  const local = (hour: number): StaySoFar => {
    const asked = soFar(301, hour, 0);
    return { ...asked, pluggedWallMs: asked.pluggedWallMs - aheadMs };
  };
  assert.ok(model.residual(local(18)).survives(6 * HOUR_MS) > 0.85);
  assert.ok(model.residual(local(11)).survives(6 * HOUR_MS) < 0.15);
});

test('newer stays weigh more than old ones', () => {
  const changed = [
    ...daily(150, (day) => stay(day, 12, 30)),
    ...daily(60, (day) => stay(600 + day, 12, 240)),
  ];
  const model = taught(changed, { ...DEFAULT_DWELL, halfLifeMs: 30 * DAY_MS });
  const steadfast = taught(changed, { ...DEFAULT_DWELL, halfLifeMs: 100_000 * DAY_MS });
  const asked = soFar(661, 12, 0);
  const [new2, old2] = [model, steadfast].map((each) => each.residual(asked).survives(2 * HOUR_MS));
  assert.ok((new2 ?? 0) > (old2 ?? 1) + 0.1, `${new2} against ${old2}`);
});

test('a car that stopped charging and leaves soon after is learned', () => {
  const model = taught(
    daily(300, (day, chance) => {
      const charging = 60 + 240 * chance.uniform();
      const record = stay(day, 10, charging + 5 + 10 * chance.uniform());
      return { ...record, chargingEndedWallMs: record.pluggedWallMs + charging * MINUTE_MS };
    }),
  );
  const charging = model.residual(soFar(301, 10, 120, { state: 'charging' }));
  const ended = model.residual(soFar(301, 10, 120, { state: 'suspendedEV', chargingEndedAgoMs: 0 }));
  assert.ok(ended.survives(20 * MINUTE_MS) < charging.survives(20 * MINUTE_MS) - 0.3);
  const nearlyFull = model.residual(
    soFar(301, 10, 120, { state: 'charging', estimatedFullInMs: 5 * MINUTE_MS }),
  );
  assert.ok(nearlyFull.survives(40 * MINUTE_MS) < charging.survives(40 * MINUTE_MS) - 0.2);
});

/** Stays of one to nine hours, whose drivers say when they leave and are wrong by `errorMs`. */
function stating(errorMs: (chance: Chance) => number): DwellModel {
  return taught(
    daily(300, (day, chance) => {
      const record = stay(day, 8, 60 + 480 * chance.uniform());
      return { ...record, statedDepartureWallMs: record.unpluggedWallMs + errorMs(chance) };
    }),
  );
}

test('a statement is believed as far as such statements have held', () => {
  const kept = stating((chance) => (chance.uniform() - 0.5) * 20 * MINUTE_MS);
  const overstated = stating((chance) => chance.uniform() * 6 * HOUR_MS);
  const asked = soFar(301, 8, 60, { statedInMs: 5 * HOUR_MS });
  assert.ok(kept.residual(asked).survives(4 * HOUR_MS) > 0.85);
  assert.ok(overstated.residual(asked).survives(4 * HOUR_MS) < 0.6);
  assert.ok(kept.residual(asked).survives(5.5 * HOUR_MS) < 0.2);
});

test('before anything is known of statements, a stated departure is hardly believed', () => {
  const model = taught(daily(200, (day, chance) => stay(day, 8, 60 + 480 * chance.uniform())));
  const without = model.residual(soFar(201, 8, 60)).survives(3 * HOUR_MS);
  const stated = model.residual(soFar(201, 8, 60, { statedInMs: 7.5 * HOUR_MS })).survives(3 * HOUR_MS);
  assert.ok(Math.abs(without - stated) < 0.02);
});

test("a form's default of 8 hours is no statement, and neither is a value that every fifth driver states", () => {
  const kept = stating((chance) => (chance.uniform() - 0.5) * 20 * MINUTE_MS);
  const asked = soFar(301, 8, 60);
  const eight = kept.residual({ ...asked, statedInMs: 7 * HOUR_MS });
  assert.equal(eight.survives(3 * HOUR_MS), kept.residual(asked).survives(3 * HOUR_MS));
  const form = taught(
    daily(200, (day, chance) => {
      const record = stay(day, 8, 60 + 480 * chance.uniform());
      const statedMs = day % 2 === 0 ? 300 * MINUTE_MS : record.unpluggedWallMs - record.pluggedWallMs;
      return { ...record, statedDepartureWallMs: record.pluggedWallMs + statedMs };
    }),
  );
  const five = form.residual({ ...asked, statedInMs: 240 * MINUTE_MS });
  assert.equal(five.survives(3 * HOUR_MS), form.residual(asked).survives(3 * HOUR_MS));
});

test('whoever is told the truth sees a step at the stated departure, a default or not', () => {
  const model = new DwellModel({ ...DEFAULT_DWELL, mode: 'told' });
  assert.equal(model.residual(soFar(0, 8, 0, { statedInMs: 8 * HOUR_MS })).longestMs(0.99), 8 * HOUR_MS);
  assert.ok(model.residual(soFar(0, 8, 0)).survives(HOUR_MS) < 1);
});

test('of a stay whose beginning nobody saw, no age that it may have promises more', () => {
  const model = taught(daily(300, (day, chance) => stay(day, 8, 30 + 600 * chance.uniform())));
  const older = model.residual(soFar(301, 12, 0, { isOlder: true }));
  for (const unseenMin of [0, 60, 240]) {
    const seen = model.residual(soFar(301, 12 - unseenMin / 60, unseenMin));
    for (const leadMin of [15, 60, 240])
      assert.ok(older.survives(leadMin * MINUTE_MS) <= seen.survives(leadMin * MINUTE_MS) + 1e-12);
  }
});

test('a stay that cannot be true is left out', () => {
  const model = taught([stay(0, 8, 0), stay(0, 8, -60), stay(0, 8, 15 * 24 * 60), stay(0, 8, NaN)]);
  assert.equal(model.stays, 0);
});

test('a wall clock that jumps twenty years ahead makes nobody forget what was learned', () => {
  const before = daily(200, (day) => stay(day, 12, 240));
  const model = taught([...before, stay(200 + 365 * 20, 12, 5)]);
  assert.ok(model.residual(soFar(201, 12, 30)).survives(2 * HOUR_MS) > 0.8);
});

test('the example of docs/dwell.md can be checked by hand', () => {
  const perStay = -Math.log(0.5 / 0.9) / 20 + (8 * Math.log(5)) / 223;
  assert.ok(Math.abs(perStay - 0.0871) < 1e-4);
  const row = (observed: number, expected: number): RatioRow => ({
    observed: Float64Array.of(observed),
    expected: Float64Array.of(expected),
  });
  const all = ratio(row(8, 16 * perStay), 0, 2, 1);
  const hazardPerMin = (perStay / 9) * all;
  const connector = ratio(row(0, 6 * 9 * hazardPerMin), 0, 0.5, 1);
  assert.ok(Math.abs(all - 2.95) < 0.01 && Math.abs(connector - 0.245) < 0.001);
  assert.ok(Math.abs(Math.exp(-9 * hazardPerMin * connector) - 0.94) < 0.005);
  assert.ok(Math.abs(Math.exp(-9 * hazardPerMin) - 0.77) < 0.005);
});
