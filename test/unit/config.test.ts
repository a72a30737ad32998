/** The agent's configuration: where a value comes from, what is refused, and how it is said. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { loadMap } from '../../firmware-bridge/modbus/load-map.ts';
import { configOf, ConfigError, type Config } from '@plugpool/agent';
import { kindOf } from '../../agent/core/donors/known-vehicles.ts';
import { priorityOf } from '../../agent/core/tasks/priority.ts';
import { systemTimeZone } from '../../agent/config/time-zone.ts';
import { DEFAULT_SETTINGS } from '../../agent/core/settings.ts';
import { FIRMWARE_KINDS } from '../../agent/config/firmware/firmware-schema.ts';
import { formatDuration, parseDurationMs } from '../../agent/config/duration.ts';
import { envName, loadConfig, type ConfigSources } from '../../agent/config/load-config.ts';
import { keysAt, schemaKeys, settablePaths, type SchemaKey } from '../../agent/config/schema-keys.ts';

function fileWith(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-config-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'pile.yaml');
  writeFileSync(file, text);
  return file;
}

function loaded(sources: ConfigSources): Config {
  const result = loadConfig(sources);
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}

function problems(sources: ConfigSources): [where: string, what: string][] {
  const result = loadConfig(sources);
  assert.ok(!result.ok);
  return result.problems.map(({ where, what }) => [where, what]);
}

test('without any file the agent is one station with manual firmware on this machine alone', () => {
  const config = loaded({ env: { HOME: '/home/op', XDG_STATE_HOME: '/state' } });
  assert.equal(config.dataDir, '/state/plugpool');
  assert.equal(config.listen, 'mqtt://127.0.0.1:1883');
  assert.equal(config.tokens, 'open');
  assert.deepEqual(config.firmware, [{ kind: 'manual' }]);
  const { wire, ...policy } = config.settings;
  const dwell = { ...DEFAULT_SETTINGS.dwell, timeZone: systemTimeZone() };
  assert.deepEqual(policy, { ...DEFAULT_SETTINGS, dwell });
  assert.equal(wire.messageBytesMax, 256 * 1024);
});

test('a relative XDG_STATE_HOME is no place', () => {
  assert.match(loaded({ env: { XDG_STATE_HOME: 'state' } }).dataDir, /\/\.local\/state\/plugpool$/);
});

test('flags win over the environment, which wins over the file, which wins over the defaults', (t) => {
  const file = fileWith(t, 'listen: mqtt://127.0.0.1:1\nstation: north\npolicy: { lease: 5s, rest: 6s }\n');
  const env = { PLUGPOOL_LISTEN: 'mqtt://127.0.0.1:2', PLUGPOOL_POLICY_LEASE: '7s', PLUGPOOL_STATION: '' };
  const config = loaded({ file, env, flags: { listen: 'mqtt://127.0.0.1:3' } });
  assert.equal(config.listen, 'mqtt://127.0.0.1:3');
  assert.equal(config.settings.leaseMs, 7_000);
  assert.equal(config.settings.restMs, 6_000);
  assert.equal(config.settings.stationId, 'north', 'a variable that is set to nothing sets nothing');
  assert.equal(config.settings.crashesMax, DEFAULT_SETTINGS.crashesMax);
  assert.equal(loaded({ file, env }).listen, 'mqtt://127.0.0.1:2');
  assert.equal(loaded({ file }).listen, 'mqtt://127.0.0.1:1');
});

test('three mistakes are three problems at once, each with its place and what to do', (t) => {
  const file = fileWith(t, 'statoin: north\npolicy:\n  lease: soon\nbroker:\n  connectionsMax: -1\n');
  const found = problems({ file }).sort();
  assert.deepEqual(found, [
    [`${file}: broker.connectionsMax`, 'must be at least 1'],
    [`${file}: policy.lease`, '"soon" is no duration; write a number and ms, s, min, h or d: 15s'],
    [`${file}: statoin`, 'is no setting; did you mean station?'],
  ]);
});

test('mistakes in file, environment and flags are told together, each with who made it', (t) => {
  const file = fileWith(t, 'firmware:\n  - { kind: replay, sped: 3 }\n  - kind: ocpi\n');
  const env = { PLUGPOOL_LOG_LEVEL: 'loud', PLUGPOOL_LISTN: 'x', PLUGPOOL_VEHICLE_AGENT: 'not ours' };
  const found = problems({ file, env, flags: { listen: 'http://x' } });
  assert.deepEqual(
    found.map(([where]) => where),
    [
      'PLUGPOOL_LISTN',
      'PLUGPOOL_LOG_LEVEL: logLevel',
      `${file}: firmware.0.sped`,
      `${file}: firmware.1.kind`,
      '--listen',
    ],
  );
  const what = new Map(found);
  assert.equal(what.get('PLUGPOOL_LISTN'), 'sets nothing; did you mean PLUGPOOL_LISTEN?');
  assert.equal(what.get(`${file}: firmware.0.sped`), 'is no setting; did you mean speed?');
  assert.equal(what.get(`${file}: firmware.1.kind`), `must be ${FIRMWARE_KINDS.join(' or ')}`);
});

test('listening beyond this machine needs tokens', () => {
  const [problem] = problems({ flags: { listen: 'mqtt://0.0.0.0:1883' } });
  assert.match(problem?.[1] ?? '', /open to the network.*require tokens/);
  assert.equal(loaded({ flags: { listen: 'mqtt://0.0.0.0:1883', tokens: 'tokens' } }).tokens, 'tokens');
});

test('what two keys must be together is looked at even where a third is wrong', () => {
  const env = {
    PLUGPOOL_POLICY_DEADLINE_DEFAULT: '2h',
    PLUGPOOL_POLICY_DEADLINE_MAX: '1h',
    PLUGPOOL_TOKENS: 'no',
  };
  const found = problems({ env }).map(([where]) => where);
  assert.deepEqual(found, [
    'PLUGPOOL_TOKENS: tokens',
    'PLUGPOOL_POLICY_DEADLINE_DEFAULT: policy.deadlineDefault',
  ]);
});

test('a file that is none is one clear problem', (t) => {
  assert.deepEqual(problems({ file: '/no/such.yaml' }), [
    ['/no/such.yaml', 'there is no such file; check the path after --config'],
  ]);
  const list = fileWith(t, '- a\n');
  assert.match(problems({ file: list })[0]?.[1] ?? '', /must be a mapping/);
  const broken = fileWith(t, 'a: [\n');
  assert.match(problems({ file: broken })[0]?.[1] ?? '', /line 2/);
  assert.ok(loaded({ file: fileWith(t, '# nothing yet\n') }));
});

test('relative paths in a file are meant from its own folder', (t) => {
  const file = fileWith(t, 'dataDir: data\nfirmware: [{ kind: replay, file: sessions.csv }]\n');
  const folder = file.slice(0, file.lastIndexOf('/'));
  writeFileSync(join(folder, 'sessions.csv'), '');
  const config = loaded({ file });
  assert.equal(config.dataDir, join(folder, 'data'));
  const [replay] = config.firmware;
  assert.equal(replay?.kind === 'replay' && replay.file, join(folder, 'sessions.csv'));
  const modbus = '{ kind: modbus, host: pile, map: ./own.yaml, connectors: [{ connector: 1 }] }';
  const ofDevices = fileWith(t, `firmware: [{ kind: ocpp, tap: relay.sock }, ${modbus}]\n`);
  writeFileSync(join(ofDevices, '../own.yaml'), stringify(loadMap('charx')));
  const [ocpp, device] = loaded({ file: ofDevices }).firmware;
  assert.equal(ocpp?.kind === 'ocpp' && ocpp.tap, join(ofDevices, '../relay.sock'));
  assert.equal(device?.kind === 'modbus' && device.map, join(ofDevices, '../own.yaml'));
});

test('a station may be called 007, and a list can come from the environment', () => {
  const env = {
    PLUGPOOL_STATION: '007',
    PLUGPOOL_POLICY_LENDING_STATES: '[charging]',
    PLUGPOOL_FIRMWARE: '[{ kind: replay, speed: 60, vehicles: { CA-1: car-a } }]',
  };
  const config = loaded({ env });
  assert.equal(config.settings.stationId, '007');
  assert.deepEqual(config.settings.lendingStates, ['charging']);
  const [replay] = config.firmware;
  assert.deepEqual(replay?.kind === 'replay' && replay.vehicles, { 'CA-1': 'car-a' });
});

test('a station that no connector could belong to, a cron line that never comes, and a second manual firmware are refused', () => {
  assert.throws(
    () =>
      configOf({
        station: 'a b',
        housekeeping: { cron: '61 * * * *' },
        firmware: [{ kind: 'manual' }, { kind: 'manual' }],
      }),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.problems.map(({ where }) => where).sort(), [
        'firmware',
        'housekeeping.cron',
        'station',
      ]);
      return true;
    },
  );
});

test('what decides who goes first, and where a run is placed, is set key by key', () => {
  const { settings } = configOf({
    policy: {
      openTasksMax: 50,
      openTasksPerVehicleMax: 5,
      latencyClasses: { latency: '2s', soon: '20s', some: '200s' },
      manyInstances: 9,
      stayBar: { normal: 0.5, some: 0.55, soon: 0.91, latency: 0.987 },
      ageBound: '7s',
      dueEvery: 3,
      preemptAfter: '9s',
      transferMibPerS: 12.5,
      checkpoint: { grace: '11s', cost: '3s', graceFails: 0.125, progressMin: '4min' },
    },
  });
  const { ageBoundMs, dueEvery, preemptAfterMs, manyInstances, openTasksMax } = settings;
  assert.deepEqual(
    { ageBoundMs, dueEvery, preemptAfterMs, manyInstances, openTasksMax },
    { ageBoundMs: 7_000, dueEvery: 3, preemptAfterMs: 9_000, manyInstances: 9, openTasksMax: 50 },
  );
  assert.equal(settings.openTasksPerVehicleMax, 5);
  assert.deepEqual(settings.latencyClassesMs, [2_000, 20_000, 200_000]);
  assert.deepEqual(settings.stayBarMillis, [500, 550, 910, 987]);
  assert.equal(settings.transferBytesPerMs * 1000, 12.5 * 1024 * 1024);
  const { checkpointGraceMs, checkpointCostMs, graceFailsMillis, progressMinMs } = settings;
  assert.deepEqual(
    [checkpointGraceMs, checkpointCostMs, graceFailsMillis, progressMinMs],
    [11_000, 3_000, 125, 240_000],
  );
});

test('a request has the priority that the configured latencies and numbers give it', () => {
  const { settings } = configOf({ policy: { latencyClasses: { latency: '0s' }, manyInstances: 3 } });
  assert.equal(priorityOf({ latencyMs: 500 }, settings), 2, 'no latency is short enough for the highest');
  assert.equal(priorityOf({ latencyMs: 500 }, configOf().settings), 3);
  assert.equal(priorityOf({ instances: 3 }, settings), 2);
  assert.equal(priorityOf({ instances: 3 }, configOf().settings), 1);
});

test('latencies that do not rise, a bar in percent, and a bar that nobody reaches are refused with what to write', () => {
  const env = {
    PLUGPOOL_POLICY_LATENCY_CLASSES_SOON: '2min',
    PLUGPOOL_POLICY_STAY_BAR_LATENCY: '80',
    PLUGPOOL_POLICY_STAY_BAR_SOON: '1',
    PLUGPOOL_POLICY_STAY_BAR_SOME: '0.12345',
    PLUGPOOL_POLICY_STAY_BAR_NORMAL: 'high',
    PLUGPOOL_POLICY_MANY_INSTANCES: '1',
    PLUGPOOL_POLICY_TRANSFER_MIB_PER_S: '0',
  };
  assert.deepEqual(
    new Map(problems({ env })),
    new Map([
      ['PLUGPOOL_POLICY_MANY_INSTANCES: policy.manyInstances', 'must be at least 2'],
      ['PLUGPOOL_POLICY_TRANSFER_MIB_PER_S: policy.transferMibPerS', 'must be above 0'],
      ['PLUGPOOL_POLICY_STAY_BAR_NORMAL: policy.stayBar.normal', 'must be a part of 1, between 0 and 0.99'],
      [
        'PLUGPOOL_POLICY_STAY_BAR_SOME: policy.stayBar.some',
        '0.12345 is too fine; three digits after the point are the most',
      ],
      [
        'PLUGPOOL_POLICY_STAY_BAR_SOON: policy.stayBar.soon',
        '1 is out of bounds; write a part of 1, between 0 and 0.99: 0.8 is 80 %',
      ],
      [
        'PLUGPOOL_POLICY_STAY_BAR_LATENCY: policy.stayBar.latency',
        '80 is out of bounds; write a part of 1, between 0 and 0.99: 0.8 is 80 %',
      ],
      [
        'policy.latencyClasses.some',
        '1min is shorter than soon, 2min; they rise from latency over soon to some',
      ],
    ]),
  );
});

test('make and fleet of a vehicle are those of the nearest rule', () => {
  const { vehicles } = configOf({
    vehicles: [
      { id: '*', fleet: 'all' },
      { id: 'car-*', make: 'volta', fleet: 'north' },
      { id: 'car-1*', make: 'ohm' },
      { id: 'car-17' },
    ],
  }).settings;
  assert.deepEqual(kindOf(vehicles, 'car-17'), { make: '', fleet: '' });
  assert.deepEqual(kindOf(vehicles, 'car-2'), { make: 'volta', fleet: 'north' });
  assert.equal(kindOf(vehicles, 'car-18').make, 'ohm');
  assert.equal(kindOf(vehicles, 'bus').fleet, 'all');
  assert.deepEqual(kindOf(configOf().settings.vehicles, 'bus'), { make: '', fleet: '' });
});

test('a vehicle that is named twice, or by what no id can be, is refused', () => {
  const twice = [{ id: 'car-*' }, { id: 'car-*' }];
  assert.throws(() => configOf({ vehicles: twice }), /names a vehicle twice/);
  assert.throws(() => configOf({ vehicles: [{ id: 'c*r' }] }), /must be a vehicle id/);
});

const EVEREST = { kind: 'everest', broker: 'mqtt://127.0.0.1:1883' } as const;
const EVSES = [{ connector: '1', module: 'evse_1_api' }];

test('EVerest’s broker is never where vehicles connect, however it is written', () => {
  const clash = /names mqtt:.* as EVerest’s broker, which is where vehicles connect/;
  for (const [listen, broker] of [
    ['mqtt://127.0.0.1:1883', 'mqtt://127.0.0.1:1883'],
    ['mqtt://127.0.0.1', 'mqtt://localhost'],
    ['mqtt://localhost:7000', 'mqtt://[::1]:7000'],
    ['mqtt://0.0.0.0:1883', 'mqtt://127.0.0.9'],
    ['mqtt://[::]:1883', `mqtt://${hostname()}:1883`],
    ['mqtt://192.168.1.4:1883', 'mqtt://192.168.1.4:1883'],
  ] as const)
    assert.throws(
      () => configOf({ listen, tokens: 'tokens', firmware: [{ ...EVEREST, broker, evses: EVSES }] }),
      clash,
      `${listen} ${broker}`,
    );
  for (const listen of ['mqtt://127.0.0.1:1884', 'mqtt://127.0.0.1:0', 'mqtt://0.0.0.0:1884'])
    assert.equal(
      configOf({ listen, tokens: 'tokens', firmware: [{ ...EVEREST, evses: EVSES }] }).listen,
      listen,
    );
});

test('an EVerest without EVSEs, with twins, with a foreign address, or that may do what it has no module for is refused', () => {
  const refused = (over: object): string => {
    try {
      configOf({ listen: 'mqtt://127.0.0.1:1884', firmware: [{ ...EVEREST, evses: EVSES, ...over }] });
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.equal(refused({}), '');
  for (const [over, what] of [
    [{ evses: [] }, /evses: must not be empty/],
    [{ evses: [...EVSES, { connector: '2', module: 'evse_1_api' }] }, /evses: names a module twice/],
    [{ evses: [...EVSES, { connector: '1', module: 'evse_2_api' }] }, /evses: names a connector twice/],
    [{ evses: [{ connector: '0', module: 'a' }] }, /connector: "0" does not name a connector/],
    [{ auth: '#' }, /auth: must be the name of a module/],
    [{ broker: 'localhost:1883' }, /broker: "localhost:1883" is not the address/],
    [{ allow: ['cap'] }, /allow: names cap, which needs energyLimits of an EVSE/],
    [{ allow: ['text'] }, /allow: names text, which needs display/],
    [{ allow: ['credit'] }, /allow: names credit, which needs ocpp and credit/],
    [{ allow: ['credit'], ocpp: 'ocpp_api' }, /allow: names credit, which needs ocpp and credit/],
    [{ allow: ['start'] }, /allow\.0: must be cap or text or credit/],
    [{ silentAfter: '1ms' }, /silentAfter: 1ms is out of bounds/],
  ] as const)
    assert.match(refused(over), what);
});

test('power is set in kW, and what cannot be is refused: a cap for an hour, less than nothing, credits of a pile without a name', (t) => {
  const file = fileWith(
    t,
    'station: north\ncredits: send\npower: { caps: true, capFor: 1min, capMinKw: 1.38, stationLimitKw: 50, connectorMaxKw: 22 }\n',
  );
  const { power, credits } = loaded({ file }).settings;
  assert.deepEqual([power.caps, power.capForMs, power.capMinMw], [true, 60_000, 1_380_000]);
  assert.deepEqual([power.stationLimitMw, power.connectorMaxMw, credits], [50_000_000, 22_000_000, 'send']);
  const wrong = fileWith(t, 'credits: send\npower: { capFor: 1h, stationLimitKw: -3 }\n');
  assert.deepEqual(
    problems({ file: wrong }).map(([, what]) => what.replace(/[;,].*/, '')),
    ['1h is out of bounds', 'must be above 0', 'is the default name'],
  );
});

test('what is in force, written to a file, is in force again', (t) => {
  const first = loadConfig({ env: { PLUGPOOL_POLICY_REST: '90s', PLUGPOOL_DATA_DIR: '/var/lib/plugpool' } });
  assert.ok(first.ok);
  const second = loadConfig({ file: fileWith(t, stringify(first.effective)) });
  assert.ok(second.ok);
  assert.deepEqual(second.config, first.config);
});

test('every duration reads as what it was written from', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 365 * 86_400_000 }), (ms) => {
      assert.equal(parseDurationMs(formatDuration(ms)), ms);
    }),
  );
  for (const text of ['', '5', 's', '-1s', '1 s', '1e3s', '5S', '1.2345s'])
    assert.equal(parseDurationMs(text), undefined);
});

test('every variable is of one key alone', () => {
  const names = settablePaths().map(envName);
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(keysAt(['firmware', 1]).includes('startAt'), true);
});

test('docs/configuration.md lists every key with its variable, default and meaning, and nothing else', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z][^`]*)` +\|(.*)\|$/gm)].map(([, key = '', cells = '']) =>
    [key, ...cells.split('|').map((cell) => cell.trim())].join(' | '),
  );
  const expected = schemaKeys()
    .filter(({ isSection }) => !isSection)
    .map(rowOf);
  assert.deepEqual(rows.sort(), expected.sort());
});

function rowOf({ path, defaultValue, description }: SchemaKey): string {
  const shown = typeof defaultValue === 'string' ? defaultValue : JSON.stringify(defaultValue);
  const variable = path.includes('[') ? [] : [`\`${envName(path)}\``];
  return [path, ...variable, defaultValue === undefined ? '' : `\`${shown}\``, description].join(' | ');
}

test('the example in docs/configuration.md is in force as it stands', (t) => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
  const [, example = ''] = /```yaml\n([^`]*)```/.exec(text) ?? [];
  assert.ok(parse(example));
  const file = fileWith(t, example);
  writeFileSync(join(file, '../sessions.csv'), '');
  assert.equal(loaded({ file }).settings.leaseMs, 10_000);
});
