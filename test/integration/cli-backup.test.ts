/** `plugpool backup` and `plugpool restore`: what an operator types, against a whole agent, and what each refuses. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import Database from 'better-sqlite3';
import { configOf, startAgent, type RunningAgent } from '@plugpool/agent';
import type { LeaseId } from '@plugpool/proto';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { newDirectory, plugpool, plugpoolJson } from './cli-fixtures.ts';
import { RawVehicle } from './spine-raw-vehicle.ts';
import { addEcho, connectAs } from './spine-scene.ts';

interface Scene {
  readonly dataDir: string;
  readonly backup: string;
  start(dataDir?: string): Promise<RunningAgent>;
}

function openScene(t: TestContext): Scene {
  const dataDir = newDirectory(t);
  return {
    dataDir,
    backup: join(newDirectory(t), 'monday.db'),
    start: async (elsewhere = dataDir) => {
      const running = await startAgent(configOf({ dataDir: elsewhere, listen: 'mqtt://127.0.0.1:0' }));
      t.after(() => running.stop());
      return running;
    },
  };
}

async function ask(running: RunningAgent, verb: string, args: object = {}): Promise<unknown> {
  const answer = await running.control(verb, args);
  assert.ok(answer.ok, JSON.stringify(answer));
  return answer.value;
}

async function promised(dataDir: string, ...argv: string[]): Promise<Record<string, unknown>> {
  const document = await plugpoolJson(dataDir, ...argv);
  const parsed = CLI_CONTRACT[argv[0] ?? '']?.safeParse(document);
  assert.ok(parsed?.success, `${JSON.stringify(document)}\n${parsed?.error?.message ?? ''}`);
  return document as Record<string, unknown>;
}

async function refused(dataDir: string, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await plugpool(dataDir, ...argv, '--json');
  assert.equal(code, 1);
  assert.match(stderr, /what to do: \S/);
  return (JSON.parse(stdout) as { error: { code: string } }).error.code;
}

async function silentDonor(running: RunningAgent): Promise<RawVehicle> {
  await ask(running, 'firmware', { step: 'charge', connector: '1', vehicleId: 'lender' });
  return RawVehicle.lending(running.url, 'lender');
}

function resultFor(lease: LeaseId, text: string): Parameters<RawVehicle['say']>[0] {
  const used = { cpuMs: 1, wallMs: 1, memoryPeakMib: 1, gpuMs: 0 };
  const output = { where: 'inline', bytes: Buffer.from(text) } as const;
  return { kind: 'result', lease, used, outcome: { ok: true, output } };
}

test('a result for a token that was given between the backup and the restore counts for nothing', async (t) => {
  const scene = openScene(t);
  const first = await scene.start();
  await addEcho({ ask: (verb, args) => ask(first, verb, args) });
  const asker = newDirectory(t);
  const requester = await connectAs(t, first, 'asker', asker);
  await promised(scene.dataDir, 'backup', scene.backup);
  const donor = await silentDonor(first);
  void requester.request({ algorithm: 'echo', input: 'asked after the backup' }).catch(() => undefined);
  const { lease } = await donor.hear('offer');
  await requester.close();
  await first.stop();

  const restored = await promised(scene.dataDir, 'restore', scene.backup);
  assert.ok(existsSync(restored['replaced'] as string));
  const second = await scene.start();
  await ask(second, 'firmware', { step: 'charge', connector: '1', vehicleId: 'lender' });
  // The same donor comes back with what it did meanwhile; and one that guesses what the first task now would be.
  const back = await RawVehicle.welcomed(second.url, 'lender.lend');
  const again = await connectAs(t, second, 'asker', asker);
  const task = await again.request({ algorithm: 'echo', input: 'asked after the restore' });
  const guesses = [lease, { ...lease, instanceId: `${task.taskId}_0` as LeaseId['instanceId'] }];
  for (const guess of guesses) {
    back.say(resultFor(guess, 'from before'));
    const { accepted, reason } = await back.hear('resultAck');
    assert.deepEqual([accepted, reason], [false, 'lease_void']);
  }
  const ledger = (await ask(second, 'ledger')) as { bookings: number };
  assert.equal(ledger.bookings, 0);
  assert.ok((restored['generation'] as number) * 2 ** 24 > lease.fencingToken);
  back.leave();
  void task.result.catch(() => undefined);
});

test('after a restore without its files an open task ends with the reason, and what must be added again is told', async (t) => {
  const scene = openScene(t);
  const first = await scene.start();
  await addEcho({ ask: (verb, args) => ask(first, verb, args) });
  const requester = await connectAs(t, first, 'asker', newDirectory(t));
  const lost = await requester.request({ algorithm: 'echo', input: randomBytes(100_000) });
  const kept = await requester.request({ algorithm: 'echo', input: 'inline, in the store' });
  await promised(scene.dataDir, 'backup', scene.backup);
  await requester.close();
  await first.stop();

  const elsewhere = newDirectory(t);
  const restored = await promised(elsewhere, 'restore', scene.backup);
  assert.equal(restored['replaced'], null);
  assert.deepEqual(restored['tasksWithoutInput'], [lost.taskId]);
  assert.deepEqual(restored['algorithmsWithoutImage'], ['echo@1']);
  assert.equal((restored['missingBlobs'] as string[]).length, 2, 'the input, and the image');
  const page = await plugpool(elsewhere, 'restore', scene.backup);
  assert.match(page.stdout, new RegExp(`${lost.taskId}: their input is not here`));
  assert.match(page.stdout, /echo@1: their image is not here/);

  const second = await scene.start(elsewhere);
  // Answered after everything that was pushed before it.
  await second.control('planPools');
  const { state, failure } = (await ask(second, 'task', { taskId: lost.taskId })) as {
    state: string;
    failure: { code: string };
  };
  assert.deepEqual([state, failure.code], ['failed', 'input_unavailable']);
  const other = (await ask(second, 'task', { taskId: kept.taskId })) as { state: string };
  assert.equal(other.state, 'queued', 'it waits for its image');
});

/** What became of a backup, and what an operator is told: in a line, however much is damaged. */
const SPOILT: readonly (readonly [RegExp, (file: string) => void])[] = [
  [/is no database, or damaged \(Tree .*, and \d+ more\)/, breakPages],
  [/is no database, or damaged/, (file) => truncateSync(file, 20_000)],
  [/a newer version of Plugpool made it \(schema 99;[^]*the version that made it/, makeNewer],
];

/** The list of free space of several tables' pages, so that there are several findings. */
function breakPages(file: string): void {
  const whole = readFileSync(file);
  for (let page = 4; page < 12; page++) whole.writeUInt16BE(0x0f00, page * 4_096 + 1);
  writeFileSync(file, whole);
}

function makeNewer(file: string): void {
  const db = new Database(file);
  db.pragma('user_version = 99');
  db.close();
}

test('what cannot be backed up or restored is refused with what to do', async (t) => {
  const scene = openScene(t);
  assert.equal(await refused(scene.dataDir, 'backup', scene.backup), 'agent_not_running');
  const running = await scene.start();
  await promised(scene.dataDir, 'backup', scene.backup);
  assert.equal(await refused(scene.dataDir, 'backup', scene.backup), 'target_exists');
  assert.equal(await refused(scene.dataDir, 'backup', join(scene.dataDir, 'here.db')), 'target_unusable');
  assert.equal(await refused(scene.dataDir, 'backup', '/proc/here.db'), 'target_unusable');
  assert.equal(await refused(scene.dataDir, 'restore', scene.backup), 'storage_held');
  const held = await plugpool(scene.dataDir, 'restore', scene.backup);
  assert.match(held.stderr, /what to do: stop that agent first/);
  await running.stop();
  assert.equal(await refused(scene.dataDir, 'restore', join(scene.dataDir, 'none')), 'backup_unusable');
  const text = join(newDirectory(t), 'text');
  writeFileSync(text, 'no database'.repeat(1_000));
  assert.equal(await refused(scene.dataDir, 'restore', text), 'backup_unusable');
  for (const [why, spoil] of SPOILT) {
    const spoilt = join(newDirectory(t), 'spoilt.db');
    copyFileSync(scene.backup, spoilt);
    spoil(spoilt);
    const { code, stderr } = await plugpool(scene.dataDir, 'restore', spoilt);
    assert.equal(code, 1);
    assert.match(stderr, why);
    assert.match(stderr, /Nothing was changed/);
    assert.equal(stderr.trimEnd().split('\n').length, 2, stderr);
  }
  rmSync(scene.dataDir, { recursive: true });
  writeFileSync(scene.dataDir, 'a file');
  assert.match(await refused(scene.dataDir, 'restore', scene.backup), /^storage_/);
});

test('status tells how the store is: its log, its last check, its last backup', async (t) => {
  const scene = openScene(t);
  const running = await scene.start();
  await promised(scene.dataDir, 'backup', scene.backup);
  const { store } = await promised(scene.dataDir, 'status');
  const { backup, check, log } = store as {
    backup: { last: { file: string } };
    check: { state: string };
    log: { busyInARow: number };
  };
  assert.deepEqual([backup.last.file, check.state, log.busyInARow], [scene.backup, 'never', 0]);
  assert.match((await plugpool(scene.dataDir, 'status')).stdout, /data .*, never checked whole, backed up/);
  await running.stop();
});
