/** The programs as an operator starts them: exit codes, what goes where, and how an agent stops. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { newDirectory, plugpool, startPile, startProgram, type Program } from './cli-fixtures.ts';

function startAgentProgram(
  t: TestContext,
  dataDir: string,
  more: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): Program {
  const argv = ['--data-dir', dataDir, '--listen', 'mqtt://127.0.0.1:0', ...more];
  return startProgram(t, 'agent', argv, { nodeArgs });
}

test('an agent says in one line where it listens, keeps its files to itself, and stops cleanly on SIGTERM', async (t) => {
  const dataDir = join(newDirectory(t), 'new', 'data');
  const agent = startAgentProgram(t, dataDir);
  const line = await agent.said('listens on');
  assert.match(line, /^plugpool-agent \d+\.\d+\.\d+ listens on mqtt:\/\/127\.0\.0\.1:\d+, data directory /);
  const status = startProgram(t, 'operator', ['status', '--data-dir', dataDir, '--json']);
  const { code, stdout, stderr } = await status.outcome;
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal((JSON.parse(stdout) as { listen: string }).listen, / (mqtt:\S+),/.exec(line)?.[1]);
  assert.equal(statSync(join(dataDir, 'agent.sock')).mode & 0o777, 0o600);
  for (const name of ['.', ...readdirSync(dataDir)]) {
    assert.equal(statSync(join(dataDir, name)).mode & 0o077, 0, `${name} is open to others`);
  }
  agent.child.kill('SIGTERM');
  const ended = await agent.outcome;
  assert.deepEqual([ended.code, ended.signal, ended.stdout], [0, null, '']);
  const lines = ended.stderr.trim().split('\n');
  const logged = lines.filter((one) => one.startsWith('{')).map((one) => JSON.parse(one) as { msg: string });
  assert.equal(logged.at(-1)?.msg, 'stopped', 'the log is flushed');
  assert.equal(readdirSync(dataDir).includes('agent.sock'), false);
});

test('a command whose output finds no space says so, and fails', (t) => {
  const full = openSync('/dev/full', 'w');
  t.after(() => closeSync(full));
  const program = join(import.meta.dirname, '../../agent/bin/plugpool.js');
  const { status, stderr } = spawnSync(process.execPath, [program, '--help'], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(status, 1);
  assert.match(stderr, /^plugpool: standard output cannot be written to: ENOSPC.*\n {2}what to do: \S.*\n$/);
});

test('SIGINT stops it as well', async (t) => {
  const agent = startAgentProgram(t, newDirectory(t));
  await agent.said('listens on');
  agent.child.kill('SIGINT');
  assert.equal((await agent.outcome).code, 0);
});

test('a data directory that another agent holds is refused, and that one goes on', async (t) => {
  const pile = await startPile(t);
  const second = await startAgentProgram(t, pile.dataDir).outcome;
  assert.equal(second.code, 1);
  assert.match(
    second.stderr,
    /^plugpool-agent: another agent has the data directory .*\n {2}what to do: .*--data-dir/m,
  );
  assert.equal((await plugpool(pile.dataDir, 'status')).code, 0);
});

test('the socket file that a killed agent left is replaced', async (t) => {
  const dataDir = newDirectory(t);
  const first = startAgentProgram(t, dataDir);
  await first.said('listens on');
  first.child.kill('SIGKILL');
  await first.outcome;
  assert.ok(readdirSync(dataDir).includes('agent.sock'));
  assert.match((await plugpool(dataDir, 'status')).stderr, /no agent runs on the data directory/);
  const second = startAgentProgram(t, dataDir);
  await second.said('listens on');
  assert.equal((await plugpool(dataDir, 'status')).code, 0);
});

test('a port that is taken is one clear message, and the data directory is free again', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const dataDir = newDirectory(t);
  const argv = ['--data-dir', dataDir, '--listen', `mqtt://127.0.0.1:${port}`];
  const ended = await startProgram(t, 'agent', argv).outcome;
  assert.equal(ended.code, 1);
  assert.match(
    ended.stderr,
    new RegExp(`^plugpool-agent: cannot listen on mqtt://127\\.0\\.0\\.1:${port}: .*EADDRINUSE`, 'm'),
  );
  assert.match(ended.stderr, /^ {2}what to do: stop the other agent, or listen on another address/m);
  const again = startAgentProgram(t, dataDir);
  await again.said('listens on');
});

test('a damaged store, and a path that is too long for a socket, are one clear message each', async (t) => {
  const damaged = newDirectory(t);
  writeFileSync(join(damaged, 'agent.db'), 'this is no database, and was never one. '.repeat(200));
  const one = await startAgentProgram(t, damaged).outcome;
  assert.equal(one.code, 1);
  assert.match(one.stderr, /^plugpool-agent: .*\n {2}what to do: /m);
  assert.doesNotMatch(one.stderr, /^ +at /m, 'no stack');
  const long = join(newDirectory(t), 'd'.repeat(100));
  mkdirSync(long);
  const two = await startAgentProgram(t, long).outcome;
  assert.equal(two.code, 1);
  assert.match(
    two.stderr,
    /a path of \d+ bytes; a socket can have 107\n {2}what to do: choose a data directory with a shorter path/,
  );
});

test('a fault of the agent itself is in the log, and exit code 70 asks to be started again', async (t) => {
  const fault = "process.on('SIGUSR2', () => { throw new Error('planted') })";
  const agent = startAgentProgram(
    t,
    newDirectory(t),
    [],
    ['--import', `data:text/javascript,${encodeURIComponent(fault)}`],
  );
  await agent.said('listens on');
  agent.child.kill('SIGUSR2');
  const { code, stderr } = await agent.outcome;
  assert.equal(code, 70);
  const last = JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as {
    level: number;
    err: { message: string };
  };
  assert.deepEqual([last.level, last.err.message], [60, 'planted']);
});

test('wrong flags and wrong configuration are exit code 2, before anything is touched', async (t) => {
  const dataDir = join(newDirectory(t), 'data');
  const flag = await startProgram(t, 'agent', ['--data-dri', dataDir]).outcome;
  assert.equal(flag.code, 2);
  assert.match(
    flag.stderr,
    /unknown option '--data-dri'\n\(Did you mean --data-dir\?\)\nusage: plugpool-agent /,
  );
  const file = join(newDirectory(t), 'pile.yaml');
  writeFileSync(file, 'statoin: x\npolicy: { leese: 1s }\nlisten: 5\n');
  const config = await startProgram(t, 'agent', ['--config', file, '--data-dir', dataDir]).outcome;
  assert.equal(config.code, 2);
  assert.match(config.stderr, /has 3 problems:\n.*\n.*\n.*\n {2}what to do: /);
  assert.throws(() => statSync(dataDir), { code: 'ENOENT' });
});

test('wrong usage of a command is exit code 2, names what is wrong and shows the usage', async (t) => {
  const nowhere = newDirectory(t);
  const wrong: readonly (readonly [argv: string[], says: RegExp])[] = [
    [['stauts'], /unknown command 'stauts'\n\(Did you mean status\?\)\nusage: plugpool <command>/],
    [['tasks', '--limit', '0'], /'--limit <n>' argument '0'.*1 to 1000.*\nusage: plugpool tasks /],
    [['tasks', 'extra'], /too many arguments.*\nusage: plugpool tasks /],
    [['task'], /missing required argument 'id'\nusage: plugpool task \[options\] <id>/],
    [['cancel', 'a b'], /'a b' is invalid for argument 'id'.*task id.*\nusage: plugpool cancel /],
    [['firmware', 'charge'], /required option '--connector <n>'.*\nusage: plugpool firmware charge /],
    [['firmware', 'charge', '--connector', '1', '--soc', '101'], /percentage from 0 to 100/],
    [['firmware', 'plug', '--connector', '1', '--by', 'EV'], /unknown option '--by'/],
    [['algorithms', 'add', 'f', '--id', 'A'], /argument 'A' is invalid/],
    [
      ['algorithms', 'ad'],
      /unknown command 'ad'\nusage: plugpool algorithms list \| show \| add \| check \| retire \| remove …/,
    ],
    [['pools', 'shrink'], /unknown command 'shrink'\nusage: plugpool pools set \| plan …/],
    [['firmware', 'info'], /unknown command 'info'\nusage: plugpool firmware plug \| charge /],
    [['tokens'], /Usage: plugpool tokens/],
    [[], /Usage: plugpool/],
  ];
  for (const [argv, says] of wrong) {
    const { code, stdout, stderr } = await plugpool(nowhere, ...argv);
    assert.deepEqual([code, stdout], [2, ''], argv.join(' '));
    assert.match(stderr, says, argv.join(' '));
  }
  const add = [
    'algorithms',
    'add',
    'f',
    '--id',
    'a',
    '--version',
    '1',
    '--runtime',
    'wasm',
    '--work-core-s',
    '1',
  ];
  const needs = [...add, '--cpu-millicores', '100', '--memory-mib', '10'];
  for (const more of [
    ['--vram-mib', '1'],
    ['--gpu-millis', '1'],
    ['--or-memory-mib', '5'],
    ['--gpu-millis', '1', '--vram-mib', '1', '--or-memory-mib', '5'],
  ]) {
    const { code, stderr } = await plugpool(nowhere, ...needs, ...more);
    assert.equal(code, 2, more.join(' '));
    assert.match(
      stderr,
      /--(gpu-millis|vram-mib|or-).* need.*\nusage: plugpool algorithms add /,
      more.join(' '),
    );
  }
  for (const how of ['byte', 'numbers', 'numbers:int8:1', 'numbers:json:2', 'numbers:float32:', 'bytes:1']) {
    const { code, stderr } = await plugpool(nowhere, ...needs, '--compare', how);
    assert.equal(code, 2, how);
    assert.match(stderr, /It must be bytes, or numbers:FORMAT:TOLERANCE .*\nusage: /, how);
  }
});

test('with --json standard output is one document whatever happens, and everything else goes to standard error', async (t) => {
  const pile = await startPile(t);
  const failures: readonly (readonly [dataDir: string, argv: string[], code: number, error: string])[] = [
    [pile.dataDir, ['task', 'none', '--json'], 1, 'task_unknown'],
    [pile.dataDir, ['cancel', 'none', '--json'], 1, 'task_unknown'],
    [pile.dataDir, ['algorithms', 'show', 'none', '--json'], 1, 'algorithm_unknown'],
    [pile.dataDir, ['firmware', 'plug', '--connector', '1/2/3/4', '--json'], 2, 'invalid_argument'],
    [pile.dataDir, ['tasks', '--limit', 'x', '--json'], 2, 'usage'],
    [newDirectory(t), ['status', '--json'], 1, 'agent_not_running'],
    [join('/tmp', 'd'.repeat(120)), ['status', '--json'], 1, 'path_too_long'],
  ];
  for (const [dataDir, argv, code, error] of failures) {
    const outcome = await plugpool(dataDir, ...argv);
    assert.equal(outcome.code, code, argv.join(' '));
    assert.equal((JSON.parse(outcome.stdout) as { error: { code: string } }).error.code, error);
    assert.match(outcome.stderr, /^plugpool: /);
  }
});

test('config check prints every problem, or all that is in force, and asks no agent', async (t) => {
  const file = join(newDirectory(t), 'pile.yaml');
  writeFileSync(file, 'station: north\npolicy: { openTasksMax: 300, openTasksPerVehicleMax: 200 }\n');
  const good = await plugpool(newDirectory(t), 'config', 'check', '--config', file);
  assert.deepEqual([good.code, good.stderr], [0, '']);
  assert.match(
    good.stdout,
    /^# policy\.openTasksPerVehicleMax is more than a vehicle ever has.*\nstation: north\n/,
  );
  writeFileSync(file, 'station: [1]\nlogLevel: loud\nnothing: 1\n');
  const bad = await plugpool(newDirectory(t), 'config', 'check', '--config', file, '--json');
  assert.equal(bad.code, 1);
  assert.equal((JSON.parse(bad.stdout) as { problems: unknown[] }).problems.length, 3);
  const modbus = (map: string): string =>
    `{ kind: modbus, host: pile, map: ${map}, connectors: [{ connector: 1 }] }`;
  writeFileSync(file, `firmware: [${modbus('charxx')}, ${modbus('charyy')}]\n`);
  const refused = await plugpool(newDirectory(t), 'config', 'check', '--config', file);
  const agent = await startProgram(t, 'agent', ['--config', file]).outcome;
  assert.deepEqual([refused.code, agent.code], [1, 2]);
  for (const said of [refused.stdout, agent.stderr]) assert.match(said, /firmware\.0: .*\n.*firmware\.1: /);
});

test('NO_COLOR is respected, and a terminal is not assumed', async (t) => {
  const pile = await startPile(t);
  await pile.control('firmware', { step: 'plug', connector: '1' });
  const argv = ['connectors', '--data-dir', pile.dataDir];
  const plain = await startProgram(t, 'operator', argv).outcome;
  assert.equal(plain.stdout.includes('\u001b'), false);
  const forced = await startProgram(t, 'operator', argv, { env: { FORCE_COLOR: '1' } }).outcome;
  assert.equal(forced.stdout.includes('\u001b[33mplugged in'), true);
  const none = await startProgram(t, 'operator', argv, { env: { NO_COLOR: '1' } }).outcome;
  assert.equal(none.stdout.includes('\u001b'), false);
});
