/** The firmware of a configuration: what it would refuse itself is told before the agent starts, and what is left out stays so. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { stringify } from 'yaml';
import { loadConfig } from '../../agent/config/load-config.ts';

/** By their places; `text` is the configuration file. */
function problemsIn(t: TestContext, text: string): Map<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-config-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'pile.yaml');
  writeFileSync(file, text);
  const result = loadConfig({ file });
  assert.ok(!result.ok);
  return new Map(result.problems.map(({ where, what }) => [where.replace(`${file}: `, ''), what]));
}

test('what an adapter would refuse is told before the agent starts, of every entry and beside other problems', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-config-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const map = join(folder, 'own.yaml');
  writeFileSync(map, 'name: own\n');
  const modbus = { kind: 'modbus', host: 'pile', map: 'charx', connectors: [{ connector: 1 }] };
  const firmware: [entry: object, what: RegExp][] = [
    [{ ...modbus, map: 'charxx' }, /^No register map is called "charxx"\. Name one of/],
    [{ ...modbus, map: 'bender', allow: ['cap'] }, /how a cap expires.*\. Do not allow caps/],
    [{ ...modbus, connectors: [{ connector: 1 }, { connector: 'station/1/1' }] }, /one of them twice/],
    [{ ...modbus, map }, /own\.yaml: /],
    [{ kind: 'replay', file: '/no/such.csv' }, /^file \/no\/such\.csv cannot be read; name/],
    [{ kind: 'gbt27930', from: 'candump:can0', connectors: { can0: 1, can1: 1 } }, /two interfaces/],
    [{ kind: 'ocpp' }, /^$/],
    [{ kind: 'ocpp' }, /^reads the same relay as firmware\.6 \(tap .+\); keep one$/],
  ];
  const entries = firmware.map(([entry]) => entry);
  const found = problemsIn(t, stringify({ station: 'station', firmware: entries, nothing: 1 }));
  assert.ok(found.has('nothing'));
  firmware.forEach(([, what], at) =>
    assert.match(found.get(`firmware.${at}`) ?? '', what, JSON.stringify(entries[at])),
  );
});

test('a source and a connector that cannot be are both told of one entry', (t) => {
  const bad = { kind: 'gbt27930', from: 'udp://x:1', connectors: { can0: 'a/b/c/d' } };
  const bare = { kind: 'gbt27930', from: 'can0', connectors: { can0: 1 } };
  const found = [...problemsIn(t, stringify({ firmware: [bad, bare] })).keys()];
  assert.deepEqual(found, ['firmware.0.from', 'firmware.0.connectors.can0', 'firmware.1.from']);
});

test('a time of firmware that nobody said stays unsaid, so that the adapter itself decides', () => {
  const result = loadConfig({
    env: {
      PLUGPOOL_FIRMWARE:
        '[{ kind: ocpp }, { kind: replay }, { kind: gbt27930, from: "-", connectors: { can0: 1 } }]',
    },
  });
  assert.ok(result.ok);
  const [ocpp, replay, gbt27930] = result.config.firmware;
  assert.equal(ocpp?.kind === 'ocpp' ? ocpp.staleAfterMs : 'no ocpp', undefined);
  assert.equal(replay?.kind === 'replay' ? replay.meterEveryMs : 'no replay', undefined);
  assert.equal(gbt27930?.kind === 'gbt27930' ? gbt27930.unpluggedAfterMs : 'no gbt27930', undefined);
});
