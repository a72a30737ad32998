/**
 * Power cuts: the agent, a donor or a requester is gone from one instant to the next. Whatever was accepted ends, is delivered
 * once with the right bytes, and is booked once. All of them are processes of their own, killed with SIGKILL.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import Database from 'better-sqlite3';
import type { RequestedTask, Requester, TaskResult } from '@plugpool/vehicle-client';
import { exampleAlgorithms } from '../../algorithms/catalogue.ts';
import type { Stage } from '../../scripts/stage.ts';
import {
  addEcho,
  addProgram,
  computesThenCopies,
  connectAs,
  LENDS_ALL,
  openStage,
  startDonors,
} from '../integration/spine-scene.ts';

const DONORS = ['lender-1', 'lender-2'] as const;
/** A fifth of a second on a core, and one second: long enough to be killed in the middle of. */
const SHORT_ROUNDS = 20_000_000;
const LONG_ROUNDS = 120_000_000;

/** What is asked for in one wave, and whether an output is the right one. */
interface Wish {
  readonly algorithm: string;
  readonly input: Uint8Array;
  isRight(output: Uint8Array): Promise<boolean>;
}

function wave(name: string, route: Wish): Wish[] {
  const wishes: Wish[] = [];
  for (const algorithm of ['echo', 'short', 'echo', 'short', 'echo', 'echo'])
    wishes.push(copying(algorithm, `${name}, ${wishes.length}, ${algorithm}`));
  // Above what a message carries: these bytes travel in chunks, both ways.
  wishes.push(copying('short', `${name}, in chunks `.repeat(5_000)), route);
  return wishes;
}

function copying(algorithm: string, text: string): Wish {
  const input = Buffer.from(text);
  return { algorithm, input, isRight: (output) => Promise.resolve(input.equals(output)) };
}

/** A real route over a real map, among the tasks that only pass time. */
async function addRoutePlan(stage: Stage): Promise<Wish> {
  const example = (await exampleAlgorithms()).find(({ id }) => id === 'route-plan-astar');
  const input = example?.inputs.find(({ name }) => name === 'berlin-tour-of-5');
  assert(example !== undefined && input !== undefined);
  await addProgram(stage, 'route', readFileSync(example.imagePath), { cpuMillicores: 700, memoryMib: 256 });
  const isRight = async (output: Uint8Array): Promise<boolean> => (await input.check(output)).ok;
  return { algorithm: 'route', input: await input.bytes(), isRight };
}

/** Every request of one vehicle, what it was told, and what came of it. */
class Asked {
  readonly #requester: Requester;
  /** By task id, in the order of acceptance. */
  readonly accepted = new Map<string, Wish>();
  readonly results = new Map<string, TaskResult>();
  readonly ended: Promise<void>[] = [];
  #onNews: (() => void)[] = [];

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  ask(wishes: readonly Wish[]): void {
    for (const wish of wishes) this.ended.push(this.#ask(wish));
  }

  async #ask(wish: Wish): Promise<void> {
    const { algorithm, input } = wish;
    const task = await this.#requester.request({ algorithm, input });
    this.accepted.set(task.taskId, wish);
    this.#tell();
    const result = await task.result;
    this.results.set(task.taskId, result);
    this.#tell();
    assert(await wish.isRight(result.output), `${task.taskId} gave the right bytes`);
  }

  #tell(): void {
    for (const tell of this.#onNews.splice(0)) tell();
  }

  /** Resolves in the very turn in which `isSo` became true. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#onNews.push(resolve));
  }
}

interface TaskRow {
  readonly task_id: string;
  readonly state: string;
  readonly delivered: number;
  readonly bookings: number;
  readonly completions: number;
}

/** As anybody who holds the file sees it. */
function readStore(stage: Stage): TaskRow[] {
  const db = new Database(path.join(stage.agentDataDir, 'agent.db'), { readonly: true });
  try {
    return db
      .prepare<[], TaskRow>(
        `SELECT task_id, state, delivered,
           (SELECT count(*) FROM booking WHERE booking.task_id = task.task_id) AS bookings,
           (SELECT count(*) FROM attempt WHERE attempt.task_id = task.task_id AND outcome = 'completed') AS completions
         FROM task`,
      )
      .all();
  } finally {
    db.close();
  }
}

async function untilNothingIsOwed(stage: Stage): Promise<void> {
  await stage.until('every result to be delivered and acknowledged, on disk too', () =>
    Promise.resolve(readStore(stage).every(({ delivered }) => delivered === 1)),
  );
}

async function assertEachOnce(stage: Stage, taskIds: readonly string[]): Promise<void> {
  const rows = readStore(stage);
  assert.deepEqual(rows.map((row) => row.task_id).toSorted(), taskIds.toSorted(), 'one task a request');
  for (const row of rows)
    assert.deepEqual(
      { ...row },
      { task_id: row.task_id, state: 'completed', delivered: 1, bookings: 1, completions: 1 },
    );
  const ledger = (await stage.operator(['ledger'])) as { balanced: boolean; bookings: number };
  assert.equal(ledger.balanced, true);
  assert.equal(ledger.bookings, taskIds.length);
}

async function killAndStart(stage: Stage): Promise<void> {
  await stage.killAgent();
  await stage.startAgent();
}

test(
  'an agent killed again and again loses no accepted task, and delivers and books each once',
  {
    timeout: 120_000,
  },
  async (t) => {
    const stage = openStage(t, { tokens: 'tokens', policy: { lease: '10s' } });
    await stage.startAgent();
    await addEcho(stage);
    await addProgram(stage, 'short', computesThenCopies(SHORT_ROUNDS));
    const route = await addRoutePlan(stage);
    await startDonors(stage, DONORS);
    const asked = new Asked(await connectAs(t, stage, 'asker', stage.vehicleDir('asker')));

    asked.ask(wave('first', route));
    await asked.until(() => asked.accepted.size >= 3);
    await killAndStart(stage);

    asked.ask(wave('second', route));
    await asked.until(() => asked.results.size >= 4);
    await killAndStart(stage);

    asked.ask(wave('third', route));
    await asked.until(() => asked.results.size >= 10);
    const told = [...asked.accepted.keys()];
    await killAndStart(stage);
    for (const taskId of told)
      assert.equal(((await stage.ask('task', { taskId })) as { taskId: string }).taskId, taskId);

    asked.ask(wave('fourth', route));
    // Nobody has come back yet: the store that was opened a moment ago is killed once more.
    await killAndStart(stage);

    await Promise.all(asked.ended);
    await untilNothingIsOwed(stage);
    assert.equal(asked.results.size, 32);
    await assertEachOnce(stage, [...asked.results.keys()]);
  },
);

test('the task of a killed donor finishes elsewhere when its lease is over, and at once when that donor is back', async (t) => {
  const stage = openStage(t, { policy: { lease: '2s' } });
  await stage.startAgent();
  await addProgram(stage, 'long', computesThenCopies(LONG_ROUNDS));
  const donors = await startDonors(stage, DONORS);
  const requester = await connectAs(t, stage, 'asker', stage.vehicleDir('asker'));
  const task = await requester.request({ algorithm: 'long', input: 'moved' });
  const first = await firstDonor(stage, task);
  donors.get(first)?.kill('SIGKILL');
  const result = await task.result;
  assert.equal(Buffer.from(result.output).toString(), 'moved');
  assert.notEqual(result.donor, first);
  const { history } = (await stage.ask('task', { taskId: task.taskId })) as { history: Attempt[] };
  assert.deepEqual(
    history.map(({ vehicleId, outcome, reason }) => [vehicleId, outcome, reason]),
    [
      [first, 'expired', 'lease_expired'],
      [result.donor, 'completed', ''],
    ],
  );

  const again = await requester.request({ algorithm: 'long', input: 'begun anew' });
  const left = donors.get(await firstDonor(stage, again));
  assert(left !== undefined);
  left.kill('SIGKILL');
  await once(left, 'exit');
  stage.startDonor(result.donor, LENDS_ALL);
  const second = await again.result;
  assert.equal(Buffer.from(second.output).toString(), 'begun anew');
  assert.deepEqual([second.donor, second.attempts], [result.donor, 2]);
  await untilNothingIsOwed(stage);
  await assertEachOnce(stage, [task.taskId, again.taskId]);
});

interface Attempt {
  readonly vehicleId: string;
  readonly outcome: string;
  readonly reason: string;
}

/** As soon as one has it; it computes then, or is about to. */
async function firstDonor(stage: Stage, { taskId }: RequestedTask): Promise<string> {
  let donor: string | null = null;
  await stage.until(`a donor to have ${taskId}`, async () => {
    ({ donor } = (await stage.ask('task', { taskId })) as { donor: string | null });
    return donor !== null;
  });
  return String(donor);
}

test('a requester that left before the result gets it when it is back, by the SDK and by the command', async (t) => {
  const stage = openStage(t, { tokens: 'tokens', policy: { lease: '2s' } });
  await stage.startAgent();
  await addProgram(stage, 'long', computesThenCopies(SHORT_ROUNDS));
  await startDonors(stage, DONORS.slice(0, 1));
  const dataDir = stage.vehicleDir('asker');
  const before = await connectAs(t, stage, 'asker', dataDir);
  const [one, other] = await Promise.all([
    before.request({ algorithm: 'long', input: 'for the SDK' }),
    before.request({ algorithm: 'long', input: 'for the command' }),
  ]);
  await before.close();
  await killAndStart(stage);

  const after = await connectAs(t, stage, 'asker', dataDir);
  const { output } = await after.result(one.taskId);
  assert.equal(Buffer.from(output).toString(), 'for the SDK');

  const who = ['--agent', stage.url, '--vehicle', 'asker', '--data-dir', dataDir];
  const { code, stdout, stderr } = await stage.vehicle(['result', other.taskId, ...who, '--output', '-']);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'for the command');
  await untilNothingIsOwed(stage);
  await assertEachOnce(stage, [one.taskId, other.taskId]);

  // Somebody else who took the name has not the token, and so not the result.
  const stranger = connectAs(t, stage, 'asker', stage.vehicleDir('stranger'));
  await assert.rejects(stranger, { code: 'token_refused' });
});
