/** The program that lends, as a process: what is watched, what its owner tells it, and what it does not start with. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { parseTime } from '../../vehicle-client/cli/control.ts';
import { VEHICLE_CONTRACT } from '../vehicle-json-contract.ts';
import { temporaryDirectory } from './vehicle-fixtures.ts';
import { BIN, pileFor, start } from './vehicle-program.ts';
import { echoOffer } from './vehicle-scripted-pile.ts';

test('a donor is watched as one JSON document a line, and answers its owner', async (t) => {
  const pile = await pileFor(t);
  const state = temporaryDirectory(t);
  const env = {
    XDG_STATE_HOME: state,
    PLUGPOOL_VEHICLE_RUNTIMES: 'echo',
    PLUGPOOL_VEHICLE_POLICY_TEMPERATURE_MAX_C: '120',
  };
  const { child, ended } = start(t, ['donate', '--agent', pile.url, '--vehicle', 'v', '--json'], env);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const seen = new Set<string>();
  for await (const line of lines) {
    seen.add((JSON.parse(line) as { kind: string }).kind);
    if (seen.has('started') && seen.has('connected')) break;
  }
  await pile.next('capacity');
  const socket = join(state, 'plugpool-vehicle', 'v', 'control.sock');
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  const status = await start(t, ['status', '--vehicle', 'v', '--json'], env).ended;
  assert.equal(status.code, 0, status.stderr);
  assert.equal(VEHICLE_CONTRACT.status.parse(JSON.parse(status.stdout)).connected, true);
  const paused = await start(t, ['pause', '--vehicle', 'v', '--json'], env).ended;
  assert.equal((JSON.parse(paused.stdout) as { paused: boolean }).paused, true);
  pile.send('v.lend', echoOffer('a', new Uint8Array()));
  assert.match((await pile.next('decline')).body.reason, /paused/);
  const leaving = await start(t, ['leaving', '--vehicle', 'v', '--at', '+2h', '--json'], env).ended;
  const at = (JSON.parse(leaving.stdout) as { leavingAt: string }).leavingAt;
  assert.ok(Date.parse(at) > Date.now());
  const claiming = start(t, ['plug-code', '--vehicle', 'v', '048151', '--json'], env).ended;
  const claim = await pile.next('connectorClaim');
  assert.deepEqual(claim.body, { kind: 'connectorClaim', code: '048151' });
  const bound = { kind: 'connectorBound', connectorId: 'station/1/1', assurance: 'code' } as const;
  pile.send('v.lend', { correlationId: claim.correlationId, body: bound });
  const { kind: _kind, ...told } = bound;
  assert.deepEqual(JSON.parse((await claiming).stdout), { ok: true, ...told });
  const resumed = await start(t, ['resume', '--vehicle', 'v'], env).ended;
  assert.match(resumed.stdout, /^vehicle {7}v$/m);
  child.kill('SIGTERM');
  assert.equal((await ended).code, 0);
  assert.equal(existsSync(socket), false);
});

test('where view and log are one output, there are lines for a person alone, and nothing is said twice', async (t) => {
  const pile = await pileFor(t);
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PLUGPOOL_'));
  const env = { ...Object.fromEntries(inherited), PLUGPOOL_VEHICLE_RUNTIMES: 'echo' };
  const donate = [BIN, 'donate', '--agent', pile.url, '--vehicle', 'v', '--data-dir', temporaryDirectory(t)];
  const child = spawn('sh', ['-c', 'exec "$0" "$@" 2>&1', process.execPath, ...donate], { env });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (data: Buffer) => (said += data.toString()));
  await pile.next('capacity');
  pile.cut();
  await pile.next('capacity');
  child.kill('SIGTERM');
  await once(child, 'close');
  const lines = said.trimEnd().split('\n');
  for (const line of lines) assert.match(line, /^\d\d:\d\d:\d\d {2}[^{]/);
  assert.equal(lines.filter((line) => line.includes('no connection')).length, 1, said);
});

test('a donor with a configuration that cannot be used does not start', async (t) => {
  const file = join(temporaryDirectory(t), 'vehicle.yaml');
  writeFileSync(file, 'policy: { cpuPercent: 200 }\nsignals: { adapter: morse }\nhours: 3\n');
  const { code, stderr, stdout } = await start(t, [
    'donate',
    '--config',
    file,
    '--agent',
    'mqtt://127.0.0.1:1',
    '--vehicle',
    'v',
  ]).ended;
  assert.equal(code, 2);
  assert.match(stderr, /3 mistakes/);
  assert.equal(stdout, '');
});

test('a time of day is the next one to come', () => {
  const now = new Date(2026, 10, 21, 17, 0);
  assert.equal(parseTime('17:30', now), new Date(2026, 10, 21, 17, 30).getTime());
  assert.equal(parseTime('16:30', now), new Date(2026, 10, 22, 16, 30).getTime());
  for (const ninety of ['+90m', '+90min']) assert.equal(parseTime(ninety, now), now.getTime() + 90 * 60_000);
  assert.equal(parseTime('2026-11-22T08:00', now), new Date(2026, 10, 22, 8, 0).getTime());
  for (const wrong of ['25:00', 'soon', '2026-11-20T08:00', '+5', ''])
    assert.throws(() => parseTime(wrong, now), wrong);
});
