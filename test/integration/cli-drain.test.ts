/** `plugpool drain` and `resume` against a whole agent whose donor runs something: a line whenever less runs, and what ends the wait. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { connectRequester, startDonor } from '@plugpool/vehicle-client';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import {
  interruptible,
  newDirectory,
  plugpool,
  plugpoolJson,
  startPile,
  type CliOutcome,
  type Pile,
} from './cli-fixtures.ts';
import { addProgram } from './spine-scene.ts';
import { donorOptions, HeldRuntime, runtimesOf } from './vehicle-fixtures.ts';

/** The smallest module there is: the magic number and the version. */
const WASM = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

interface Scene {
  readonly pile: Pile;
  readonly held: HeldRuntime;
}

/** `lender` runs one program, which ends when the test says so. */
async function busyPile(t: TestContext, revokeGrace: string): Promise<Scene> {
  const pile = await startPile(t, { policy: { revokeGrace } });
  const held = new HeldRuntime();
  await pile.control('firmware', { step: 'charge', connector: '1', vehicleId: 'lender' });
  const donor = await startDonor(
    donorOptions(pile.url, newDirectory(t), { runtimes: ['wasm'], runtimesInstead: runtimesOf(held) }),
  );
  t.after(() => donor.stop());
  await addProgram({ ask: (verb, args) => pile.control(verb, args) }, 'slow', WASM);
  const asker = await connectRequester({
    agent: pile.url,
    vehicleId: 'asker',
    token: 'a-token-of-the-asker',
  });
  t.after(() => asker.close());
  await asker.request({ algorithm: 'slow', input: new Uint8Array([1]) });
  await held.started(1);
  return { pile, held };
}

function linesOf({ stdout }: CliOutcome): Record<string, unknown>[] {
  const documents = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const document of documents)
    assert.ok(CLI_CONTRACT['drain']?.safeParse(document).success, JSON.stringify(document));
  return documents;
}

test('draining tells what is left until nothing runs, and lends nothing until it is resumed', async (t) => {
  const { pile, held } = await busyPile(t, '60s');
  const draining = plugpool(pile.dataDir, 'drain');
  held.jobs[0]?.end(Buffer.from('done'));
  const { code, stdout } = await draining;
  assert.equal(code, 0, stdout);
  assert.match(stdout, /the pile is drained; "plugpool resume" takes it back\n$/);
  assert.match(
    (await plugpool(pile.dataDir, 'status')).stdout,
    /draining +the whole pile, nothing runs there any more; plugpool resume takes it back/,
  );
  assert.match((await plugpool(pile.dataDir, 'vehicles')).stdout, /the operator drains it/);
  const resumed = await plugpoolJson(pile.dataDir, 'resume');
  assert.ok(CLI_CONTRACT['resume']?.safeParse(resumed).success, JSON.stringify(resumed));
  assert.doesNotMatch((await plugpool(pile.dataDir, 'status')).stdout, /draining/);
});

test('a run that does not end is waited for no longer than was said, and goes on being drained', async (t) => {
  const { pile } = await busyPile(t, '60s');
  const late = await plugpool(pile.dataDir, 'drain', '--vehicle', 'lender', '--wait', '10ms', '--json');
  assert.equal(late.code, 1);
  const lines = linesOf(late);
  assert.deepEqual(lines.at(-1), {
    ok: false,
    done: true,
    ended: 'late',
    draining: { all: false, vehicles: ['lender'], running: 1 },
  });
  const words = await plugpool(pile.dataDir, 'drain', '--vehicle', 'lender', '--wait', '10ms');
  assert.match(
    words.stdout,
    /draining lender: 1 run left\nlender goes on draining, and is not through yet; "plugpool resume --vehicle lender"/,
  );
});

test('who interrupts the wait is told that it goes on draining', async (t) => {
  const { pile } = await busyPile(t, '60s');
  let interrupt: (() => void) | undefined;
  const outcome = await interruptible(pile.dataDir, ['drain', '--json'], (callback) => {
    interrupt = callback;
    queueMicrotask(callback);
    return () => (interrupt = undefined);
  });
  assert.equal(outcome.code, 1);
  assert.equal(linesOf(outcome).at(-1)?.['ended'], 'interrupted');
  assert.equal(interrupt, undefined, 'it listens no more');
  assert.match((await plugpool(pile.dataDir, 'status')).stdout, /draining +the whole pile, 1 run there/);
});

test('a run that is revoked ends within its grace, and so does the wait', async (t) => {
  const { pile, held } = await busyPile(t, '100ms');
  const drained = await plugpool(pile.dataDir, 'drain', '--json');
  assert.equal(drained.code, 0, drained.stdout);
  await held.killed(0);
  assert.equal(linesOf(drained).at(-1)?.['ended'], 'drained');
});

test('a vehicle that nobody knows, and one that is not drained, are errors that say what to do', async (t) => {
  const pile = await startPile(t);
  await pile.control('firmware', { step: 'charge', connector: '1', vehicleId: 'van-7' });
  const unknown = await plugpool(pile.dataDir, 'drain', '--vehicle', 'van-8');
  assert.deepEqual(
    [unknown.code, unknown.stderr],
    [1, 'plugpool: no vehicle van-8 lends here, or did of late\n  what to do: is it van-7?\n'],
  );
  const not = await plugpool(pile.dataDir, 'resume', '--vehicle', 'van-7');
  assert.match(not.stderr, /van-7 is not drained by itself/);
  assert.equal((await plugpool(pile.dataDir, 'drain', '--wait', 'soon')).code, 2);
});
