/** Reading a sessions file: what is accepted, what is skipped with a report, and what is refused. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { FirmwareError, SAMPLE_SESSIONS_FILE, readSessions } from '../../firmware-bridge/index.ts';
import type { FirmwareIssue, Sessions } from '../../firmware-bridge/index.ts';
import { generateSample } from '../../firmware-bridge/replay/generate-sample.ts';
import { parseLocalTime } from '../../firmware-bridge/replay/local-time.ts';
import { SESSIONS_FILE_BYTES_MAX } from '../../firmware-bridge/replay/read-sessions.ts';
import { sharedData } from '../shared-data.ts';

const HEADER = 'site,connector,plugged_at,unplugged_at,energy_wh,charging_ended_at,stated_departure_at';
const GOOD = 'Depot,1,2026-03-01T08:00:00,2026-03-01T09:00:00,3600,,';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plugpool-sessions-'));
});
after(() => rm(folder, { recursive: true }));

async function fileOf(lines: readonly string[]): Promise<string> {
  const file = join(folder, 'sessions.csv');
  await writeFile(file, lines.join('\n'));
  return file;
}

async function read(
  lines: readonly string[],
): Promise<Sessions & { readonly issues: readonly FirmwareIssue[] }> {
  const issues: FirmwareIssue[] = [];
  const sessions = await readSessions(await fileOf(lines), {
    station: 'pile',
    report: (issue) => issues.push(issue),
  });
  return { ...sessions, issues };
}

async function refusal(lines: readonly string[], strict = false): Promise<FirmwareError> {
  try {
    await readSessions(await fileOf(lines), { station: 'pile', strict });
  } catch (error) {
    assert.ok(error instanceof FirmwareError, String(error));
    return error;
  }
  assert.fail('the file was accepted');
}

describe('parseLocalTime', () => {
  it('reads times with and without seconds, and with a blank for the T', () => {
    const ms = Date.UTC(2026, 2, 1, 8, 15);
    for (const text of ['2026-03-01T08:15:00', '2026-03-01T08:15', '2026-03-01 08:15:00']) {
      assert.equal(parseLocalTime(text), ms);
    }
  });

  for (const text of [
    '',
    '2026-02-30T08:00:00',
    '2026-13-01T08:00',
    '2026-03-01T24:30:00',
    '2026-03-01T08:00:00Z',
    '01/03/2026 08:00',
  ]) {
    it(`does not take ${JSON.stringify(text)} for a time`, () => {
      assert.equal(parseLocalTime(text), undefined);
    });
  }
});

describe('readSessions', () => {
  it('reads the sample without a fault', async () => {
    const sessions = await readSessions(SAMPLE_SESSIONS_FILE, { station: 'pile', strict: true });
    assert.equal(sessions.rows.length, 40);
    assert.deepEqual([...new Set(sessions.rows.map((row) => row.connectorId))].sort(), [
      'pile/1/1',
      'pile/2/1',
      'pile/3/1',
    ]);
  });

  it('finds the sample to be what its script writes', async () => {
    assert.equal(await readFile(SAMPLE_SESSIONS_FILE, 'utf8'), generateSample(1, 40));
  });

  it('reads every cell, with energy in mWh and empty as unknown', async () => {
    const { rows } = await read([
      HEADER,
      'Depot,2/1,2026-03-01T08:00:00,2026-03-01T10:00:00,7200.5,2026-03-01T09:00:00,2026-03-01T10:30:00',
      'Depot,1,2026-03-01T08:00:00,2026-03-01T09:00:00,,,',
    ]);
    const day = Date.UTC(2026, 2, 1);
    const hours = (count: number) => day + count * 3_600_000;
    assert.deepEqual(rows, [
      {
        line: 3,
        site: 'Depot',
        connector: '1',
        connectorId: 'pile/1/1',
        pluggedMs: hours(8),
        unpluggedMs: hours(9),
        energyMwh: undefined,
        chargingEndedMs: undefined,
        statedDepartureMs: undefined,
      },
      {
        line: 2,
        site: 'Depot',
        connector: '2/1',
        connectorId: 'pile/2/1',
        pluggedMs: hours(8),
        unpluggedMs: hours(10),
        energyMwh: 7_200_500,
        chargingEndedMs: hours(9),
        statedDepartureMs: hours(10.5),
      },
    ]);
  });

  it('takes columns in any order, more of them, a byte order mark, CRLF and blank lines', async () => {
    const { rows, rowsSkipped } = await read([
      '\ufeffconnector,site,note,unplugged_at,plugged_at,stated_departure_at,charging_ended_at,energy_wh\r',
      '\r',
      '7,"Depot, North",hello,2026-03-01T09:00:00,2026-03-01T08:00:00,,,100\r',
    ]);
    assert.equal(rowsSkipped, 0);
    assert.equal(rows[0]?.site, 'Depot, North');
    assert.equal(rows[0].connectorId, 'pile/7/1');
  });

  const faulty: readonly (readonly [string, string, RegExp])[] = [
    [
      'an end before its start',
      'D,1,2026-03-01T09:00:00,2026-03-01T08:00:00,1,,',
      /unplugged_at "2026-03-01T08:00:00" is not after/,
    ],
    ['an end at its start', 'D,1,2026-03-01T09:00:00,2026-03-01T09:00:00,1,,', /unplugged_at/],
    ['an end months after its start', 'D,1,2026-01-01T09:00:00,2026-03-01T09:00:00,1,,', /more than 30 days/],
    [
      'a date that is none',
      'D,1,2026-02-30T09:00:00,2026-03-01T09:00:00,1,,',
      /plugged_at "2026-02-30T09:00:00" is not a time/,
    ],
    [
      'a time with a zone',
      'D,1,2026-03-01T08:00:00+01:00,2026-03-01T09:00:00,1,,',
      /plugged_at .* is not a time/,
    ],
    ['an empty start', 'D,1,,2026-03-01T09:00:00,1,,', /plugged_at "" is not a time/],
    [
      'a negative energy',
      'D,1,2026-03-01T08:00:00,2026-03-01T09:00:00,-5,,',
      /energy_wh "-5" is not a number/,
    ],
    ['an energy that is text', 'D,1,2026-03-01T08:00:00,2026-03-01T09:00:00,NaN,,', /energy_wh "NaN"/],
    [
      'an energy in a wrong unit',
      'D,1,2026-03-01T08:00:00,2026-03-01T09:00:00,7200000,,',
      /more than a megawatt/,
    ],
    [
      'a charging end outside the stay',
      'D,1,2026-03-01T08:00:00,2026-03-01T09:00:00,1,2026-03-01T10:00:00,',
      /charging_ended_at/,
    ],
    [
      'a departure stated for the past',
      'D,1,2026-03-01T08:00:00,2026-03-01T09:00:00,1,,2026-03-01T07:00:00',
      /stated_departure_at/,
    ],
    [
      'no name of a connector',
      'D,,2026-03-01T08:00:00,2026-03-01T09:00:00,1,,',
      /connector "" does not name/,
    ],
    ['too few cells', 'D,1', /plugged_at "" is not a time/],
  ];
  for (const [what, line, problem] of faulty) {
    it(`skips a row with ${what} and reports file, line and column`, async () => {
      const { rows, rowsSkipped, issues } = await read([HEADER, GOOD, line]);
      assert.equal(rows.length, 1);
      assert.equal(rowsSkipped, 1);
      assert.deepEqual(
        issues.map((issue) => issue.code),
        ['row_skipped', 'rows_skipped'],
      );
      assert.match(issues[0]?.message ?? '', problem);
      assert.match(issues[0]?.message ?? '', /sessions\.csv:3: /);
      assert.ok(issues[0]?.hint);
    });

    it(`refuses the file for ${what} where it is strict`, async () => {
      const error = await refusal([HEADER, GOOD, line], true);
      assert.match(error.message, problem);
      assert.match(error.message, /sessions\.csv:3: /);
      assert.ok(error.hint);
    });
  }

  it('skips the later one of two stays that overlap at a connector, and names both lines', async () => {
    const { rows, issues } = await read([
      HEADER,
      'D,1,2026-03-01T08:30:00,2026-03-01T09:30:00,1,,',
      GOOD,
      'D,2,2026-03-01T08:30:00,2026-03-01T09:30:00,1,,',
    ]);
    assert.deepEqual(
      rows.map((row) => row.line),
      [3, 4],
    );
    assert.match(
      issues[0]?.message ?? '',
      /sessions\.csv:2: plugged_at .* before the vehicle of line 3 left/,
    );
  });

  it('sees that 1 and 1/1 are the same connector', async () => {
    const { rowsSkipped } = await read([HEADER, GOOD, 'D,1/1,2026-03-01T08:30:00,2026-03-01T09:30:00,1,,']);
    assert.equal(rowsSkipped, 1);
  });

  it('keeps a stay that begins in the minute in which the one before ended', async () => {
    const { rowsSkipped } = await read([HEADER, GOOD, 'D,1,2026-03-01T09:00:00,2026-03-01T09:30:00,1,,']);
    assert.equal(rowsSkipped, 0);
  });

  it('tells the first twenty faults and counts the rest', async () => {
    const { rowsSkipped, issues } = await read([
      HEADER,
      GOOD,
      ...Array.from({ length: 500 }, () => 'D,1,x,y,z,,'),
    ]);
    assert.equal(rowsSkipped, 500);
    assert.equal(issues.length, 21);
    assert.match(issues.at(-1)?.message ?? '', /500 of 501 rows were skipped/);
  });

  it('refuses a file without some of the columns, naming them', async () => {
    const error = await refusal(['site,connector,plugged_at,energy_wh', 'D,1,2026-03-01T08:00:00,1']);
    assert.match(
      error.message,
      /sessions\.csv:1: missing column unplugged_at, charging_ended_at, stated_departure_at/,
    );
    assert.match(error.hint, /site,connector,plugged_at/);
  });

  it('refuses a column that stands there twice', async () => {
    assert.match((await refusal([`${HEADER},site`, GOOD])).message, /column site stands there twice/);
  });

  it('refuses an empty file', async () => {
    assert.match((await refusal([])).message, /is empty/);
  });

  it('refuses a quote that is never closed, with the line', async () => {
    const error = await refusal([HEADER, GOOD, `"D,1,${'2026-03-01T08:00:00,'.repeat(500)}`]);
    assert.match(error.message, /sessions\.csv:\d+: this is not CSV/);
  });

  it('refuses a file that is not there, a folder, and one above the bound', async () => {
    const options = { station: 'pile' };
    await assert.rejects(
      readSessions(join(folder, 'absent.csv'), options),
      /absent\.csv cannot be read: ENOENT/,
    );
    await assert.rejects(readSessions(folder, options), /is not a regular file/);
    const large = await fileOf([HEADER]);
    await truncate(large, SESSIONS_FILE_BYTES_MAX + 1);
    await assert.rejects(readSessions(large, options), /the bound is/);
  });

  it('stops reading when it is told to', async () => {
    await assert.rejects(
      readSessions(SAMPLE_SESSIONS_FILE, { station: 'pile', signal: AbortSignal.abort() }),
      { name: 'AbortError' },
    );
  });

  const real: readonly (readonly [string, number, number])[] = [
    ['perth-2016-17.csv', 13_007, 0],
    // One stay with more energy than a megawatt gives in its minutes.
    ['perth-2017-18.csv', 19_716, 1],
    ['norway-apartments.csv', 35_264, 0],
  ];
  for (const [name, rowCount, skipped] of real) {
    const file = sharedData(`sessions/${name}`);
    it(
      `reads the real stays of ${name}`,
      { skip: file === undefined && 'shared/data is not beside this repository' },
      async () => {
        const sessions = await readSessions(file ?? '', { station: 'pile' });
        assert.equal(sessions.rowsSkipped, skipped);
        assert.equal(sessions.rows.length, rowCount - skipped);
      },
    );
  }
});
