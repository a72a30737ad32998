/** The vehicle client's configuration: who overrides whom, and what mistakes are told. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ENV_SETTINGS } from '../../vehicle-client/config-schema.ts';
import { envName, loadConfig, loadControlConfig } from '../../vehicle-client/config.ts';
import { localTimeOf } from '../../vehicle-client/adapters/clock-system.ts';
import { isWithinHours } from '../../vehicle-client/core/policy.ts';
import { PlugpoolError } from '../../vehicle-client/errors.ts';

const FLAGS = { agent: 'mqtt://pile:1883', vehicle: 'car' };

function fileWith(t: TestContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'plugpool-config-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'vehicle.yaml');
  writeFileSync(path, text);
  return path;
}

function mistakesOf(sources: Parameters<typeof loadConfig>[0]): string {
  try {
    loadConfig(sources);
  } catch (error) {
    assert.ok(error instanceof PlugpoolError);
    assert.equal(error.code, 'config_invalid');
    return error.message;
  }
  throw new assert.AssertionError({ message: 'the configuration was taken' });
}

test('defaults stand where nothing is said', () => {
  const config = loadConfig({ flags: FLAGS });
  assert.equal(config.policy.cpuPercent, 80);
  assert.equal(config.sandbox, 'bwrap');
  assert.deepEqual(config.signals, { adapter: 'static', values: {} });
  assert.equal(config.cacheBytesMax, 1024 * 1024 * 1024);
});

test('a flag goes before the environment, that before the file, that before the default', (t) => {
  const file = fileWith(
    t,
    'vehicle: of-file\nsandbox: process\npolicy:\n  cpuPercent: 10\n  memoryPercent: 11\n  gpuPercent: 12\n',
  );
  const env = {
    PLUGPOOL_VEHICLE_POLICY_CPU_PERCENT: '20',
    PLUGPOOL_VEHICLE_POLICY_MEMORY_PERCENT: '21',
    PLUGPOOL_VEHICLE_VEHICLE: '007',
    PATH: '/bin',
  };
  const config = loadConfig({ file, env, flags: { agent: 'mqtt://pile', 'policy.cpuPercent': 30 } });
  assert.equal(config.policy.cpuPercent, 30);
  assert.equal(config.policy.memoryPercent, 21);
  assert.equal(config.policy.gpuPercent, 12);
  assert.equal(config.policy.socFloorPercent, 20);
  assert.equal(config.vehicle, '007', 'an id of digits stays a text');
  assert.equal(config.sandbox, 'process');
});

test('every setting of the environment has a name of its own and reaches the schema', () => {
  assert.equal(new Set(ENV_SETTINGS.map(envName)).size, ENV_SETTINGS.length);
  for (const path of ENV_SETTINGS) {
    // A path is whatever text it is, and whether an expression is right only the pile can say.
    if (['dataDir', 'tokenFile', 'policy.requestConstraint'].includes(path)) continue;
    const flags = Object.fromEntries(Object.entries(FLAGS).filter(([name]) => name !== path));
    const text = mistakesOf({ env: { [envName(path)]: '{"nonsense": 1}' }, flags });
    assert.ok(text.includes(envName(path)) || text.includes('signals'), `${path}: ${text}`);
  }
});

test('three mistakes are told at once, each with its place', (t) => {
  const file = fileWith(t, 'polcy: {}\npolicy:\n  cpuPercent: 180\n');
  const text = mistakesOf({ file, env: { PLUGPOOL_VEHICLE_SANDBOX: 'none' }, flags: FLAGS });
  assert.match(text, /3 mistakes/);
  assert.match(text, /vehicle\.yaml: polcy: is no setting; the nearest is policy/);
  assert.match(text, /policy\.cpuPercent/);
  assert.match(text, /PLUGPOOL_VEHICLE_SANDBOX/);
});

test('a misspelt name in the environment is told with the nearest right one', () => {
  const text = mistakesOf({ env: { PLUGPOOL_VEHICLE_AGNT: 'mqtt://x' }, flags: FLAGS });
  assert.match(text, /PLUGPOOL_VEHICLE_AGNT: is no setting; the nearest is PLUGPOOL_VEHICLE_AGENT/);
});

test('what is missing is told with all ways to give it', () => {
  assert.match(
    mistakesOf({ flags: { vehicle: 'car' } }),
    /agent: is missing; give --agent, PLUGPOOL_VEHICLE_AGENT or "agent:"/,
  );
});

test('a file that is missing, no YAML or no mapping is a mistake like any other', (t) => {
  assert.match(mistakesOf({ file: '/nowhere/x.yaml', flags: FLAGS }), /ENOENT/);
  assert.match(mistakesOf({ file: fileWith(t, '"unfinished'), flags: FLAGS }), /vehicle\.yaml/);
  assert.match(mistakesOf({ file: fileWith(t, '- a\n- b\n'), flags: FLAGS }), /must be a YAML mapping/);
});

test('hours, signals and lists are read', (t) => {
  const file = fileWith(
    t,
    `policy:
  hours: [{ from: "22:30", to: "06:00", days: [fri, sat] }, { from: "00:00", to: "24:00" }]
signals:
  adapter: mqtt
  url: mqtt://127.0.0.1
  topics:
    socPercent: { topic: car/battery, path: soc.display }
    readyBy: { topic: car/ready }
`,
  );
  const config = loadConfig({ file, env: { PLUGPOOL_VEHICLE_RUNTIMES: 'wasm, echo' }, flags: FLAGS });
  assert.deepEqual(config.policy.hours, [
    { days: ['fri', 'sat'], fromMinute: 1350, toMinute: 360 },
    { fromMinute: 0, toMinute: 1440 },
  ]);
  assert.ok(config.signals.adapter === 'mqtt');
  assert.deepEqual(config.signals.topics, {
    socPercent: { topic: 'car/battery', path: 'soc.display' },
    readyByWallMs: { topic: 'car/ready' },
  });
  assert.deepEqual(config.runtimes, ['wasm', 'echo']);
});

test("the owner's constraint is taken as it stands, and bounded", () => {
  const env = { PLUGPOOL_VEHICLE_POLICY_REQUEST_CONSTRAINT: 'request.type in ["route-plan"] && true' };
  assert.equal(
    loadConfig({ env, flags: FLAGS }).policy.requestConstraint,
    'request.type in ["route-plan"] && true',
  );
  assert.equal(loadConfig({ flags: FLAGS }).policy.requestConstraint, undefined);
  const long = { 'policy.requestConstraint': `request.payer == "${'é'.repeat(1024)}"`, ...FLAGS };
  assert.match(mistakesOf({ flags: long }), /--request-constraint: must be right: at most 2048 bytes/);
  assert.match(
    mistakesOf({ flags: { 'policy.requestConstraint': ' ', ...FLAGS } }),
    /leave it out to allow every request/,
  );
});

test('the commands for a running donor need to know which, and no pile', () => {
  assert.equal(loadControlConfig({ flags: { vehicle: 'car' } }).vehicle, 'car');
  assert.equal(loadControlConfig({ flags: { dataDir: '/d' } }).dataDir, '/d');
  assert.throws(() => loadControlConfig({}), /give --vehicle or --data-dir/);
});

test('hours may be meant in a time zone of their own, which clocks that are set do not move', (t) => {
  const policy = { hours: [{ fromMinute: 22 * 60, toMinute: 24 * 60 }] };
  const isOpen = (utc: string): boolean =>
    isWithinHours(policy.hours, localTimeOf(new Date(utc), 'Europe/Berlin'));
  assert.deepEqual([isOpen('2026-01-10T20:59:00Z'), isOpen('2026-01-10T21:00:00Z')], [false, true]);
  assert.deepEqual([isOpen('2026-07-10T19:59:00Z'), isOpen('2026-07-10T20:00:00Z')], [false, true]);
  assert.deepEqual(localTimeOf(new Date('2026-07-12T22:30:00Z'), 'Europe/Berlin'), {
    weekday: 'mon',
    minuteOfDay: 30,
  });
  const zoned = fileWith(t, 'policy: { timeZone: Europe/Berlin }\n');
  assert.equal(loadConfig({ file: zoned, flags: FLAGS }).policy.timeZone, 'Europe/Berlin');
  const unknown = fileWith(t, 'policy: { timeZone: Europe/Atlantis }\n');
  assert.match(mistakesOf({ file: unknown, flags: FLAGS }), /a time zone such as Europe\/Berlin/);
});

test('by what energy is measured is one of a few words', (t) => {
  assert.equal(loadConfig({ flags: FLAGS }).energy, 'auto');
  const env = { PLUGPOOL_VEHICLE_ENERGY: 'off' };
  assert.equal(loadConfig({ env, flags: FLAGS }).energy, 'off');
  assert.equal(loadConfig({ file: fileWith(t, 'energy: hwmon\n'), flags: FLAGS }).energy, 'hwmon');
  assert.match(mistakesOf({ file: fileWith(t, 'energy: battery\n'), flags: FLAGS }), /energy/);
});
