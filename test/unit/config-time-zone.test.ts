/** Where the pile stands, as its configuration says it: by a zone, by that of its tariffs, or by the older offset. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { loadConfig } from '../../agent/config/load-config.ts';
import { systemTimeZone } from '../../agent/config/time-zone.ts';

function loadedFrom(t: TestContext, text: string) {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-config-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'pile.yaml');
  writeFileSync(file, text);
  return loadConfig({ file });
}

function configFrom(t: TestContext, text: string) {
  const result = loadedFrom(t, text);
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}

test('departures are told by the zone of the pile, else that of its tariffs, else that of the system', (t) => {
  const zoneOf = (text: string) => configFrom(t, text).settings.dwell.timeZone;
  assert.equal(
    zoneOf('dwell: { timeZone: Asia/Tokyo }\nledger: { timeZone: Europe/Berlin }\n'),
    'Asia/Tokyo',
  );
  assert.equal(zoneOf('ledger: { timeZone: Europe/Berlin }\n'), 'Europe/Berlin');
  assert.equal(zoneOf('station: north\n'), systemTimeZone());
});

test('an offset in minutes is still read, with what to write instead; with a zone it is one too many', (t) => {
  const old = configFrom(t, 'dwell: { utcOffsetMinutes: -570 }\n');
  assert.equal(old.settings.dwell.timeZone, '-09:30');
  assert.match(old.outdated[0]?.what ?? '', /dwell\.timeZone/);
  assert.deepEqual(configFrom(t, 'station: north\n').outdated, []);
  const both = loadedFrom(t, 'dwell: { utcOffsetMinutes: 60, timeZone: Europe/Berlin }\n');
  assert.match(JSON.stringify(both), /says again what dwell\.timeZone says/);
  const unknown = loadedFrom(t, 'dwell: { timeZone: Europe/Atlantis }\n');
  assert.match(JSON.stringify(unknown), /is no time zone/);
});
