/** `plugpool firmware record`: from a source of the configuration into a new file, masked, until something ends it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { openLiveEverest } from '../everest/live-everest.ts';
import { NO_MOSQUITTO, openMosquitto } from '../everest/mosquitto.ts';
import { RFID_TOKEN } from '../everest/simulated-everest.ts';
import { interruptible, newDirectory, plugpool, type CliOutcome } from './cli-fixtures.ts';

const STAY = join(import.meta.dirname, '../conformance/recordings/stay.gbt27930.log');

interface Scene {
  readonly folder: string;
  readonly out: string;
  readonly record: (...argv: string[]) => Promise<CliOutcome>;
}

/** A configuration with these kinds of firmware. */
function scene(t: TestContext, firmware: readonly object[], ending = 'log'): Scene {
  const folder = newDirectory(t);
  const config = join(folder, 'agent.yaml');
  writeFileSync(config, JSON.stringify({ firmware, dataDir: folder }));
  const out = join(folder, `recording.${ending}`);
  const record = (...argv: string[]) =>
    plugpool(folder, 'firmware', 'record', '--out', out, '--config', config, ...argv);
  return { folder, out, record };
}

function documentOf({ stdout }: CliOutcome): Record<string, unknown> {
  const document = JSON.parse(stdout.trim()) as Record<string, unknown>;
  const parsed = CLI_CONTRACT['firmware record']?.safeParse(document);
  assert.ok(parsed?.success, `${stdout} ${parsed?.error?.message}`);
  return document;
}

const BUS = { kind: 'gbt27930', from: STAY, connectors: { can0: 1 } };

/** A socket at which somebody listens and says these lines to whoever comes. */
async function socketOf(t: TestContext, folder: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, 'source.sock');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write(lines.map((line) => `${line}\n`).join(''));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

test('what was recorded of a bus can be replayed, is for its owner alone, and is never written over', async (t) => {
  const { out, folder, record } = scene(t, [{ kind: 'manual' }, BUS]);
  const outcome = await record('--format', 'gbt27930', '--json');
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.equal(outcome.stderr, `listens for gbt27930, writes ${out}; Ctrl-C ends it\n`);
  const { ended, lines, bytes, leftOut } = documentOf(outcome);
  assert.deepEqual([ended, leftOut, bytes], ['source', 0, statSync(out).size]);
  assert.equal(lines, readFileSync(out, 'utf8').trimEnd().split('\n').length);
  assert.equal(statSync(out).mode & 0o777, 0o600);
  const replayed = await plugpool(folder, 'firmware', 'replay', out, '--format', 'gbt27930');
  assert.match(replayed.stdout, /unplugged {2,}free\n$/);
  const before = readFileSync(out);
  const again = await record('--format', 'gbt27930', '--json');
  assert.deepEqual(
    [again.code, (JSON.parse(again.stdout) as { error: { code: string } }).error.code],
    [1, 'target_exists'],
  );
  assert.deepEqual(readFileSync(out), before);
});

test('piles are recorded from the relay until Ctrl-C, with their links beside', async (t) => {
  const { folder, out } = scene(t, [{ kind: 'ocpp' }], 'jsonl');
  const about = { pile: 'CP-1', atWallMs: 1_772_352_000_000 };
  const frame = '[2,"1","Authorize",{"idTag":"DEADBEEF"}]';
  const path = await socketOf(t, folder, [
    JSON.stringify({ t: 'hello', version: 1, relayBootId: 'b', allow: [] }),
    JSON.stringify({ t: 'pile', ...about, link: 'up', subprotocol: 'ocpp1.6' }),
    JSON.stringify({ t: 'recalledAll' }),
    JSON.stringify({ t: 'frame', ...about, from: 'pile', text: frame }),
  ]);
  const config = join(folder, 'agent.yaml');
  writeFileSync(config, JSON.stringify({ firmware: [{ kind: 'ocpp', tap: path }], dataDir: folder }));
  const argv = ['firmware', 'record', '--out', out, '--format', 'ocpp16', '--config', config, '--json'];
  const outcome = await interruptible(folder, argv, (callback) => {
    const look = setInterval(() => {
      if (existsSync(out) && statSync(out).size > 0) callback();
    }, 10);
    return () => clearInterval(look);
  });
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.deepEqual(documentOf(outcome)['ended'], 'interrupted');
  const [line] = readFileSync(out, 'utf8').trimEnd().split('\n');
  assert.match(
    line ?? '',
    /"pile":"CP-1","from":"pile","frame":\[2,"1","Authorize",\{"idTag":"masked-[0-9a-f]{12}"\}\]/,
  );
  assert.match(readFileSync(join(folder, 'recording.links.jsonl'), 'utf8'), /"event":"open"/);
});

test(
  'EVerest is recorded from its own broker, beside whoever else listens',
  { skip: NO_MOSQUITTO },
  async (t) => {
    const broker = await openMosquitto(t);
    const everest = await openLiveEverest(broker.url, 1);
    t.after(() => everest.stop());
    const evses = [{ connector: '1', module: 'evse_1_api' }];
    const { folder, out } = scene(
      t,
      [{ kind: 'everest', broker: broker.url, evses, auth: 'auth_api' }],
      'jsonl',
    );
    const argv = [
      'firmware',
      'record',
      '--out',
      out,
      '--format',
      'everest',
      '--config',
      join(folder, 'agent.yaml'),
    ];
    const [evse] = everest.evses;
    let isPlayed = false;
    const stay = (): void => {
      evse?.plugIn();
      evse?.authorise(RFID_TOKEN);
      evse?.charge();
      evse?.unplug();
    };
    const outcome = await interruptible(folder, argv, (callback) => {
      const look = setInterval(() => {
        const text = existsSync(out) ? readFileSync(out, 'utf8') : '';
        // What is heard first shows that it listens; what was said before that is not there.
        if (text !== '' && !isPlayed) stay();
        isPlayed ||= text !== '';
        if (text.includes('SessionFinished')) callback();
        else everest.everySecond();
      }, 20);
      return () => clearInterval(look);
    });
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.ok(!readFileSync(out, 'utf8').includes(RFID_TOKEN.id_token.value));
    assert.deepEqual(everest.received, [], 'it publishes nothing');
    const { stdout } = await plugpool(folder, 'firmware', 'replay', out, '--format', 'everest');
    assert.match(stdout, /plugged[^]*credential +plugged in +idToken[^]*charging[^]*unplugged +free/);
  },
);

test('a recording is bounded by its bytes', async (t) => {
  const { out, record } = scene(t, [BUS]);
  const full = await record('--format', 'gbt27930', '--max-bytes', '2000', '--json');
  assert.equal(full.code, 0);
  assert.equal(documentOf(full)['ended'], 'full');
  assert.ok(statSync(out).size <= 2000);
});

test('a source that says nothing in the time leaves no file, and the exit code says so', async (t) => {
  const folder = newDirectory(t);
  const path = await socketOf(t, folder, []);
  const { out, record } = scene(t, [{ ...BUS, from: `unix:${path}` }]);
  const outcome = await record('--format', 'gbt27930', '--for', '50ms', '--json');
  assert.equal(outcome.code, 1);
  assert.deepEqual([documentOf(outcome)['ended'], documentOf(outcome)['lines']], ['time', 0]);
  assert.equal(existsSync(out), false);
});

test('what cannot be recorded is refused with what to do, and leaves nothing', async (t) => {
  const pipe = join(newDirectory(t), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const cases: readonly (readonly [object[], string[], RegExp])[] = [
    [[{ kind: 'manual' }], ['--format', 'everest'], /names no source of kind everest/],
    [[BUS, BUS], ['--format', 'gbt27930'], /names 2 sources .*[^]*--entry/],
    [
      [{ kind: 'manual' }, BUS],
      ['--format', 'gbt27930', '--entry', '1'],
      /entry 1 of firmware is none of kind/,
    ],
    [[{ ...BUS, from: pipe }], ['--format', 'gbt27930'], /is a pipe/],
    [[{ kind: 'ocpp' }], ['--format', 'ocpp16'], /does not end in \.jsonl/],
    [[BUS], ['--format', 'sessions'], /Allowed choices are/],
    [[{ kind: 'unheard' }], ['--format', 'gbt27930'], /firmware/],
  ];
  for (const [firmware, argv, why] of cases) {
    const { out, record } = scene(t, firmware);
    const { code, stderr } = await record(...argv);
    assert.equal(code, 2, stderr);
    assert.match(stderr, why);
    assert.equal(existsSync(out), false);
  }
  const { folder, record } = scene(t, [BUS], 'jsonl');
  writeFileSync(join(folder, 'recording.links.jsonl'), 'somebody else’s');
  assert.match((await record('--format', 'gbt27930')).stderr, /recording\.links\.jsonl is there already/);
  writeFileSync(join(folder, 'recording.jsonl'), 'somebody else’s');
  assert.match((await record('--format', 'gbt27930')).stderr, /recording\.jsonl is there already/);
  const missing = scene(t, [{ ...BUS, from: 'unix:/nonexistent.sock' }]);
  const { code, stderr } = await missing.record('--format', 'gbt27930');
  assert.equal(code, 1);
  assert.match(stderr, /cannot be opened/);
  assert.equal(existsSync(missing.out), false);
});
