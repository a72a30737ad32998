/** A long run outlives its donors: one is unplugged, one is killed, one is drained; real processes, a real program, the right bytes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import type { Requester } from '@plugpool/vehicle-client';

import { imagePathOf, IMAGE_SOURCES } from '../../algorithms/build.ts';
import { rangeInput, type RangeQuestion } from '../../algorithms/range-odds/reference.ts';
import { runWasmImage } from '../../algorithms/recording/run-image.ts';
import type { Stage } from '../../scripts/stage.ts';
import { addProgram, connectAs, LENDS_ALL, openStage } from './spine-scene.ts';

const IMAGE = imagePathOf(IMAGE_SOURCES.find(({ name }) => name === 'range-odds')!);
/** Some seconds of one core. */
const QUESTION: RangeQuestion = {
  trips: 3_500_000,
  seed: 11,
  km: 300,
  batteryWh: 46_000,
  whPerKm: 150,
  spreadWh: 90,
  keepEvery: 20_000,
};
const expected = Buffer.from((await runWasmImage(IMAGE, [], rangeInput(QUESTION))).output).toString();

interface TaskDocument {
  readonly state: string;
  readonly donor: string | null;
  readonly chargedMncs: number;
  readonly used: { readonly cpuMs: number } | null;
  readonly checkpoint: { readonly sizeBytes: number; readonly doneMncs: number } | null;
  readonly history: readonly {
    readonly vehicleId: string;
    readonly outcome: string;
    readonly reason: string;
  }[];
  readonly bookings: readonly {
    readonly kind: string;
    readonly fencingToken: number;
    readonly segment: number;
    readonly entries: readonly { readonly account: string; readonly unit: string; readonly amount: number }[];
  }[];
}

async function openPile(t: TestContext): Promise<Stage> {
  const stage = openStage(t, {
    policy: { lease: '3s', checkpoint: { progressMin: '1s' }, trust: { after: 0 } },
  });
  await stage.startAgent();
  const needs = { checkpoints: true, workCoreS: 10, cpuMillicores: 500 };
  await addProgram(stage, 'range-odds', readFileSync(IMAGE), needs);
  return stage;
}

async function startDonor(stage: Stage, vehicleId: string, connector: string, more: object = {}) {
  await stage.ask('firmware', { step: 'charge', connector, vehicleId, ...more });
  const donor = stage.startDonor(vehicleId, LENDS_ALL);
  await stage.until(`${vehicleId} to lend`, async () => {
    const vehicles = (await stage.ask('vehicles')) as { vehicleId: string; phase: string }[];
    return vehicles.some((one) => one.vehicleId === vehicleId && one.phase === 'eligible');
  });
  return donor;
}

type TaskHandle = Awaited<ReturnType<Requester['request']>>;

async function ask(t: TestContext, stage: Stage): Promise<TaskHandle> {
  const asker = await connectAs(t, stage, 'asker', stage.vehicleDir('asker'));
  return asker.request({ algorithm: 'range-odds', input: rangeInput(QUESTION) });
}

function detailsOf(stage: Stage, { taskId }: TaskHandle): Promise<TaskDocument> {
  return stage.ask('task', { taskId }) as Promise<TaskDocument>;
}

/** So much of the donor's processor went into it. */
async function untilComputed(stage: Stage, vehicleId: string, cpuMs: number): Promise<void> {
  await stage.until(`${vehicleId} to compute`, async () => {
    const { stdout } = await stage.vehicle(['status', '--data-dir', stage.vehicleDir(vehicleId), '--json']);
    const { jobs } = JSON.parse(stdout) as { jobs: readonly { cpuMs: number }[] };
    return jobs.some((job) => job.cpuMs >= cpuMs);
  });
}

/** Which of the two runs it, and which does not. */
async function whoRuns(stage: Stage, task: TaskHandle): Promise<readonly [runner: string, other: string]> {
  let runner = '';
  await stage.until('it to run', async () => {
    runner = (await detailsOf(stage, task)).donor ?? '';
    return runner !== '';
  });
  await untilComputed(stage, runner, 1_000);
  return [runner, runner === 'first' ? 'second' : 'first'];
}

function creditedTo(task: TaskDocument, vehicleId: string): number {
  return task.bookings
    .flatMap(({ entries }) => entries)
    .filter(({ account, unit }) => account === `vehicle:${vehicleId}` && unit === 'cpuMncs')
    .reduce((sum, { amount }) => sum + amount, 0);
}

/** What it took in all, as far as it was paid for, against what is left when nothing is interrupted. */
async function costOfWholeRun(t: TestContext, stage: Stage): Promise<number> {
  const task = await ask(t, stage);
  const { output } = await task.result;
  assert.equal(Buffer.from(output).toString(), expected);
  return (await detailsOf(stage, task)).chargedMncs;
}

test('a run whose vehicle is unplugged goes on elsewhere from what it kept, and both vehicles are paid for their part', async (t) => {
  const stage = await openPile(t);
  await startDonor(stage, 'first', '1');
  await startDonor(stage, 'second', '2');
  const task = await ask(t, stage);
  const [runner, other] = await whoRuns(stage, task);
  await stage.ask('firmware', { step: 'unplug', connector: runner === 'first' ? '1' : '2' });
  const { output } = await task.result;
  assert.equal(Buffer.from(output).toString(), expected);
  const details = await detailsOf(stage, task);
  assert.deepEqual(
    details.history.map(({ vehicleId, outcome }) => [vehicleId, outcome]),
    [
      [runner, 'departed'],
      [other, 'completed'],
    ],
  );
  const booked = details.bookings.filter(({ kind }) => kind !== 'settlement');
  // While it is taken back it may keep a newer state before it is stopped: each is booked once, and the result after them.
  const kept = booked.slice(0, -1);
  assert.ok(kept.length > 0 && kept.every(({ kind }) => kind === 'checkpoint'));
  assert.equal(booked.at(-1)?.kind, 'result');
  const segments = booked.map(({ fencingToken, segment }) => `${fencingToken} ${segment}`);
  assert.equal(new Set(segments).size, booked.length);
  assert.ok(creditedTo(details, runner) > 0 && creditedTo(details, other) > 0);
  const wholeMncs = await costOfWholeRun(t, stage);
  assert.ok(details.chargedMncs < 1.7 * wholeMncs, `${details.chargedMncs} for ${wholeMncs}`);
});

test('a vehicle that is torn away costs what it did since its last checkpoint', async (t) => {
  const stage = await openPile(t);
  // It is to leave within the minute: its state is kept at each renewal.
  const first = await startDonor(stage, 'first', '1', { departureInMs: 55_000 });
  const task = await ask(t, stage);
  await stage.until('a state to be kept', async () => (await detailsOf(stage, task)).checkpoint !== null);
  const kept = (await detailsOf(stage, task)).checkpoint;
  assert.ok(kept !== null && kept.sizeBytes > 100 && kept.doneMncs > 0);
  first.kill('SIGKILL');
  await startDonor(stage, 'second', '2');
  const { output } = await task.result;
  assert.equal(Buffer.from(output).toString(), expected);
  const details = await detailsOf(stage, task);
  assert.deepEqual(
    details.history.map(({ vehicleId }) => vehicleId),
    ['first', 'second'],
  );
  assert.ok(creditedTo(details, 'first') > 0, 'up to the checkpoint');
});

test('draining the vehicle that runs it moves a run, and the command ends when nothing runs there', async (t) => {
  const stage = await openPile(t);
  await startDonor(stage, 'first', '1');
  await startDonor(stage, 'second', '2');
  const task = await ask(t, stage);
  const [runner] = await whoRuns(stage, task);
  const drained = (await stage.ask('drain', { vehicleId: runner })) as { running: number };
  assert.equal(drained.running, 1);
  await stage.until('it to be drained', async () => {
    const { running } = (await stage.ask('draining', { vehicleId: runner })) as { running: number };
    return running === 0;
  });
  const { output } = await task.result;
  assert.equal(Buffer.from(output).toString(), expected);
  const [lost] = (await detailsOf(stage, task)).history;
  assert.deepEqual([lost?.vehicleId, lost?.reason], [runner, 'draining']);
});
