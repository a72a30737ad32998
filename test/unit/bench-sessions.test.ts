/** Stays for benches: made-up ones look like the published ones, and files with faults are mended in declared ways. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import {
  generateSessions,
  GENERATE_DEFAULTS,
  sessionsCsv,
  type Profile,
} from '../../bench/sessions/generate-sessions.ts';
import { PlainCurve } from '../../bench/sessions/plain-curve.ts';
import { readStays } from '../../bench/sessions/read-stays.ts';

const MINUTE_MS = 60_000;
const PUBLISHED: Readonly<Record<Profile, { connectors: number; quantilesMin: readonly number[] }>> = {
  public: { connectors: 30, quantilesMin: [11, 31, 254] },
  apartments: { connectors: 120, quantilesMin: [81, 672, 1328] },
};

function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN;
}

for (const profile of ['public', 'apartments'] as const) {
  const { connectors, quantilesMin } = PUBLISHED[profile];
  const rows = generateSessions({ ...GENERATE_DEFAULTS, profile, connectors });

  test(`made-up stays of ${profile} last as long as the published ones, within a fifth`, () => {
    const minutes = rows.map((row) => (row.unpluggedMs - row.pluggedMs) / MINUTE_MS);
    for (const [index, share] of [0.1, 0.5, 0.9].entries()) {
      const [made, published] = [quantile(minutes, share), quantilesMin[index] ?? NaN];
      assert.ok(Math.abs(made / published - 1) < 0.2, `${made} at ${share}, published ${published}`);
    }
  });

  test(`made-up drivers at ${profile} state as assumed: a third the default, the others two hours too long`, () => {
    const stated = rows.flatMap(({ pluggedMs, unpluggedMs, statedDepartureMs }) =>
      statedDepartureMs === undefined
        ? []
        : [{ ms: statedDepartureMs - pluggedMs, lasted: unpluggedMs - pluggedMs }],
    );
    const others = stated.filter(({ ms }) => ms !== 8 * 60 * MINUTE_MS);
    assert.ok(Math.abs((stated.length - others.length) / stated.length - 1 / 3) < 0.03);
    const overstatedMin = quantile(
      others.map(({ ms, lasted }) => (ms - lasted) / MINUTE_MS),
      0.5,
    );
    assert.ok(overstatedMin > 120 && overstatedMin < 180, `${overstatedMin}`);
  });

  test(`made-up stays of ${profile} never overlap at a connector, and one seed gives one set`, () => {
    const free = new Map<string, number>();
    for (const row of rows) {
      assert.ok((free.get(row.connectorId) ?? 0) <= row.pluggedMs);
      free.set(row.connectorId, row.unpluggedMs);
    }
    assert.deepEqual(generateSessions({ ...GENERATE_DEFAULTS, profile, connectors }), rows);
  });
}

test('in made-up apartments charging takes a seventh to a quarter of the time plugged in', () => {
  const rows = generateSessions({ ...GENERATE_DEFAULTS, profile: 'apartments', connectors: 120 });
  const sum = (of: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((total, row) => total + of(row), 0);
  const share =
    sum((row) => (row.chargingEndedMs ?? row.pluggedMs) - row.pluggedMs) /
    sum((row) => row.unpluggedMs - row.pluggedMs);
  assert.ok(share > 1 / 7 && share < 1 / 4, `${share}`);
});

async function reading<T>(csv: string, then: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'plugpool-sessions-'));
  try {
    const file = join(folder, 'sessions.csv');
    await writeFile(file, csv);
    return await then(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('what the generator writes is read back as it was', async () => {
  const rows = generateSessions({ profile: 'public', seed: 3, connectors: 4, days: 5 });
  const read = await reading(sessionsCsv(rows), (file) => readStays(file));
  assert.deepEqual(read.repairs, {});
  assert.deepEqual(
    read.rows.map((row) => ({ ...row, line: 0 })),
    rows,
  );
});

test('each fault of a file is mended or left out in its declared way, counted, and the rest goes on', async () => {
  const csv = [
    'site,connector,plugged_at,unplugged_at,energy_wh,charging_ended_at,stated_departure_at',
    'A,1,2026-03-01T08:00:00,2026-03-01T09:00:00,3600,,',
    'A,1,2026-03-01T08:30:00,2026-03-01T09:30:00,,,',
    'A,1,2026-03-04T08:00:00,2026-04-03T09:00:00,,,',
    'A,1,2026-03-05T08:00:00,,,,',
    'A,1,2026-03-06T08:00:00,2026-03-06T07:00:00,,,',
    'A,1,2026-03-07T08:00:00,2026-03-07T09:00:00,-5,2026-03-07T10:00:00,2026-03-06T10:00:00',
    'A,1,2026-13-03T08:00:00,2026-03-13T09:00:00,,,',
    'A,1,2026-03-15T08:00:00,2026-04-20T08:00:00,,,',
    'A,1,2026-05-15T08:00:00,2026-05-31T08:00:00,,,',
  ].join('\n');
  const { rows, stays, repairs } = await reading(csv, (file) => readStays(file, 7.2));
  assert.deepEqual(repairs, {
    'left out: ends before it begins': 1,
    'left out: longer than 14 days': 2,
    'left out: no end': 1,
    'left out: overlaps another stay at its connector': 1,
    'mended: day and month swapped in plugged_at': 1,
    'mended: day and month swapped in unplugged_at': 1,
    'unknown from now on: impossible charging_ended_at': 1,
    'unknown from now on: impossible energy_wh': 1,
    'unknown from now on: impossible stated_departure_at': 1,
  });
  assert.equal(rows.length, 4);
  const [first] = stays;
  assert.equal((first?.chargingEndedWallMs ?? 0) - (first?.pluggedWallMs ?? 0), 30 * MINUTE_MS);
});

test('the plain curve is the share of those that lasted so long', () => {
  const plain = new PlainCurve();
  for (const minutes of [10, 20, 30, 40]) plain.learn(minutes * MINUTE_MS);
  assert.equal(plain.survives(0, 20 * MINUTE_MS), 0.75);
  assert.equal(plain.survives(20 * MINUTE_MS, 20 * MINUTE_MS), 1 / 3);
  assert.equal(plain.survives(50 * MINUTE_MS, 0), 0);
});
