/** The relay as the process that it is: the agent's end is killed, the relay itself is killed, and charging goes on. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { connectPile, pileOf, startCsms, TapReader, type TestCsms } from './ocpp-relay-scene.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PROGRAM = join(ROOT, 'firmware-bridge/bin/plugpool-ocpp-relay.js');
/** Reads the tap as the agent does, and says each line. */
const READER = `
  const socket = require('node:net').connect(process.argv[1]);
  socket.on('data', (data) => process.stdout.write(data));`;

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-relay-process-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Resolves when the program has said what `pattern` finds, with what it found. */
function said(child: ChildProcess, stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child[stream]?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = pattern.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    child[stream]?.once('close', () => reject(new Error(`it ended, and said only: ${text}`)));
  });
}

async function startRelayProcess(t: TestContext, folder: string, csms: TestCsms, listen: string) {
  const file = join(folder, 'relay.yaml');
  const config = { listen, upstream: { url: csms.url }, tap: { path: 'tap.sock' } };
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(process.execPath, [PROGRAM, '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const url = await said(child, 'stderr', /listens on (ws:\S+),/);
  return { child, url, tapPath: join(folder, 'tap.sock') };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

test('the agent’s end of the tap is killed: the relay goes on relaying, and tells the next one', async (t) => {
  const csms = await startCsms(t);
  const { url, tapPath } = await startRelayProcess(t, folderOf(t), csms, 'ws://127.0.0.1:0');
  const agent = spawn(process.execPath, ['-e', READER, tapPath], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => agent.kill('SIGKILL'));
  await said(agent, 'stdout', /(recalledAll)/);
  const pile = await connectPile(t, url, 'P1');
  const told = said(agent, 'stdout', /(BootNotification)/);
  await pile.call('StatusNotification', { evseId: 1, connectorId: 1, connectorStatus: 'Occupied' });
  await pile.call('BootNotification', {});
  await told;
  await kill(agent);
  assert.deepEqual(await pile.call('Heartbeat', {}), {});
  assert.deepEqual(await csms.peers[0]?.call('GetVariables', {}), { status: 'Accepted' });
  const next = await new TapReader(t, tapPath).ready();
  assert.ok(next.frames().some(({ text, recalled }) => recalled && text.includes('Occupied')));
});

test('the relay is killed: pile and CSMS find each other again by the pile’s own rules, and go on', async (t) => {
  const folder = folderOf(t);
  const csms = await startCsms(t);
  const first = await startRelayProcess(t, folder, csms, 'ws://127.0.0.1:0');
  const pile = pileOf(t, first.url, 'P1', {
    reconnect: true,
    backoff: { initialDelay: 50, maxDelay: 200, factor: 2, randomisationFactor: 0.2 },
  });
  await pile.connect();
  assert.deepEqual(await pile.call('Heartbeat', {}), {});
  const lost = [csms.peers[0], pile].map((side) => once(side as never, 'disconnect'));
  await kill(first.child);
  // A call on a line whose end was not heard yet would be lost with it.
  await Promise.all(lost);
  const calling = pile.call('StatusNotification', { afterwards: true });
  const second = await startRelayProcess(t, folder, csms, first.url);
  assert.deepEqual(await calling, {});
  assert.equal(csms.peers.length, 2);
  assert.deepEqual(await csms.peers[1]?.call('GetVariables', {}), { status: 'Accepted' });

  const exited = once(second.child, 'exit');
  const closed = once(csms.peers[1] as never, 'disconnect');
  second.child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
  assert.equal(((await closed) as [{ code: number }])[0].code, 1001);
});

test('a second relay on the same tap says so and leaves the first alone', async (t) => {
  const folder = folderOf(t);
  const csms = await startCsms(t);
  const { url } = await startRelayProcess(t, folder, csms, 'ws://127.0.0.1:0');
  const second = spawn(process.execPath, [PROGRAM, '--config', join(folder, 'relay.yaml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => second.kill('SIGKILL'));
  const exited = once(second, 'exit');
  await said(second, 'stderr', /(another relay answers on .*\n {2}what to do: stop the other relay)/);
  assert.deepEqual(await exited, [1, null]);
  assert.deepEqual(await (await connectPile(t, url, 'P1')).call('Heartbeat', {}), {});
});
