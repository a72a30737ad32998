/** The form of sessions tells the stay like every other form, as far as a row of a table can. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { RECORDINGS, RecordingError, type FirmwareEvent } from '../../firmware-bridge/index.ts';
import { firmwareStories, RECORDING_OPTIONS, STAY_ENERGY_WH } from './firmware-stories.ts';

const read = RECORDINGS.sessions;
/** Of the stay a row knows when charging ended for good, not that it paused meanwhile. */
const STORY = [
  'plugged',
  'transactionStarted T1',
  'chargingStarted',
  'suspended EV',
  'transactionEnded T1',
  'unplugged',
];

firmwareStories('sessions', read, [
  {
    name: 'the made-up stay',
    file: join(import.meta.dirname, 'recordings/stay.sessions.csv'),
    stories: { 'pile/1/1': { story: STORY, energyWh: STAY_ENERGY_WH } },
  },
]);

async function tellBroken(t: TestContext, rows: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-sessions-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'broken.csv');
  const header = 'site,connector,plugged_at,unplugged_at,energy_wh,charging_ended_at,stated_departure_at';
  writeFileSync(file, `${[header, ...rows].join('\n')}\n`);
  const told: FirmwareEvent[] = [];
  try {
    for await (const event of read(file, RECORDING_OPTIONS)) told.push(event);
  } catch (error) {
    return { told, error };
  }
  return { told, error: undefined };
}

const GOOD = 'x,1,2026-03-01T08:00:00,2026-03-01T08:50:00,3000,,';
const CASES: Readonly<Record<string, string>> = {
  'a time that is none': 'x,1,yesterday,2026-03-01T10:50:00,3000,,',
  'a stay that overlaps': 'x,1,2026-03-01T08:10:00,2026-03-01T10:50:00,3000,,',
  'a quote that is never closed': 'x,"1,2026-03-01T08:10:00,2026-03-01T10:50:00,3000,,',
};

for (const [what, row] of Object.entries(CASES)) {
  test(`what came before ${what} is told, then the line is named`, async (t) => {
    const { told, error } = await tellBroken(t, [
      GOOD,
      row,
      'x,2,2026-03-01T08:00:00,2026-03-01T08:50:00,1,,',
    ]);
    assert.ok(error instanceof RecordingError, String(error));
    assert.equal(error.line, what.includes('quote') ? error.line : 3);
    assert.deepEqual([...new Set(told.map(({ connectorId }) => connectorId))], ['pile/1/1']);
    assert.equal(told.at(-1)?.kind, 'unplugged');
  });
}
