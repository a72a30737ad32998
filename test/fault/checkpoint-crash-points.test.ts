/**
 * The agent as it runs on a pile, killed where a run that goes on keeps its state: a checkpoint that its donor was told of is on disk
 * and credited, none is credited twice, and a run goes on from what was kept.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LeaseId } from '@plugpool/proto';
import type { Donor, Requester } from '@plugpool/vehicle-client';
import type { BookingRecord, LedgerEntry } from '../../agent/core/records.ts';
import { copiesStdin } from '../fixtures/wasm/modules.ts';
import { addProgram } from '../integration/spine-scene.ts';
import { CHECKPOINT_POINTS, type CheckpointPoint } from './crash/crash-points.ts';
import { CrashPlan } from './crash/crash-plan.ts';
import { KeepingRuntime } from './real-pile/keeping-runtime.ts';
import { RealPile } from './real-pile/real-pile.ts';
import type { Stored } from './real-pile/stored.ts';

const TASKS_EACH = 3;
const LEAVES_IN_MS = 50 * 60_000;
const points = Object.keys(CHECKPOINT_POINTS) as CheckpointPoint[];

const plan = new CrashPlan();
const pile = new RealPile({
  donors: [],
  runtime: () => new KeepingRuntime(),
  agentNodeArgs: ['--import', new URL('./crash/wrap-ports.ts', import.meta.url).href],
  agentEnv: plan.env,
  agentConfig: {
    // Renewed every fifth of a second, and whoever leaves within the hour keeps its state at each renewal.
    policy: { lease: '600ms', rest: '100ms', checkpoint: { before: '1h', progressMin: '100ms' } },
  },
});
let requester: Requester;

async function lend(vehicleId: string, connector: number): Promise<Donor> {
  const donor = await pile.lend(vehicleId, connector);
  donor.leaving(Date.now() + LEAVES_IN_MS);
  return donor;
}

before(async () => {
  await pile.start();
  await addProgram(pile.stage, 'counts', copiesStdin(), { checkpoints: true, workCoreS: 1 });
  await lend('lender-1', 1);
  requester = await pile.connect('caller');
});
after(async () => {
  await pile.stop();
  plan.remove();
});

for (const point of points)
  test(`killed at ${point}: ${CHECKPOINT_POINTS[point]}`, async () => {
    plan.arm({ point, passage: 1 });
    const outputs = Array.from({ length: TASKS_EACH }, (_, n) => count(`${point} ${n}`));
    await plan.crashedAt(point, pile.stage.agentEnded(), () => pile.logTail());
    assertKeptIsCredited(await pile.assertNothingBroken());
    await pile.stage.startAgent();
    for (const [n, output] of (await Promise.all(outputs)).entries())
      assert.match(output, new RegExp(`^${point} ${n}, begun at \\d+$`));
  });

test('a run whose donor vanished while the agent was away goes on elsewhere, from what was kept', async () => {
  const vanishing = await lend('lender-2', 2);
  // The first donor takes nothing that the second could take.
  await pile.stage.ask('firmware', { step: 'unplug', connector: '1' });
  const output = count('moved');
  await pile.stage.until('it to be kept', () => Promise.resolve(lastKeptBy('lender-2.lend')));
  await pile.stage.killAgent();
  assertKeptIsCredited(await pile.assertNothingBroken());
  await pile.stopLending(vanishing);
  await pile.stage.startAgent();
  await pile.plugIn('lender-1', 1);
  const begunAt = Number(/^moved, begun at (\d+)$/.exec(await output)?.[1]);
  assert.ok(begunAt > 0, 'it went on from a checkpoint');
});

test('in the end each segment of a run is credited once, and its payer is charged once for all', async () => {
  const stored = await pile.assertAllDone(points.length * TASKS_EACH + 1);
  assertKeptIsCredited(stored);
  const bookings = stored.tasks.flatMap((task) => task.bookings);
  assert.ok(bookings.filter(({ kind }) => kind === 'checkpoint').length >= points.length);
  const unsettled = stored.ledger.balances.filter(({ account }) => account === 'unsettled');
  assert.ok(unsettled.length > 0 && unsettled.every(({ balance }) => balance === 0));
  for (const [lease, cpuMs] of lastKept()) {
    const earned = bookings.filter((one) => leaseName(one) === lease).flatMap(earnedIn);
    const earnedMncs = earned.reduce((sum, amount) => sum + amount, 0);
    assert.ok(earnedMncs >= cpuMs, `${lease} kept ${cpuMs} ms of work and earned ${earnedMncs}`);
  }
});

/** What the last checkpoint that its donor was told of says it had done, by lease: one is under way at a time. */
function lastKept(): Map<string, number> {
  const said = new Map<string, number>();
  const kept = new Map<string, number>();
  for (const { body } of pile.history) {
    if (body.kind === 'checkpoint') said.set(leaseName(body.lease), body.used.cpuMs);
    if (body.kind === 'checkpointAck' && body.accepted)
      kept.set(leaseName(body.lease), said.get(leaseName(body.lease)) ?? 0);
  }
  return kept;
}

/** The donor's and the operator's shares, on a donor whose core is the reference. */
function earnedIn({ entries }: BookingRecord): number[] {
  const isShare = ({ account, unit, amount }: LedgerEntry): boolean =>
    unit === 'cpuMncs' && amount > 0 && account !== 'unsettled';
  return entries.filter(isShare).map(({ amount }) => amount);
}

async function count(input: string): Promise<string> {
  const task = await requester.request({ algorithm: 'counts', input });
  return Buffer.from((await task.result).output).toString();
}

function lastKeptBy(client: string): boolean {
  return pile.history.some(
    (entry) => entry.client === client && entry.body.kind === 'checkpointAck' && entry.body.accepted,
  );
}

function leaseName({ instanceId, fencingToken }: LeaseId): string {
  return `${instanceId}/${fencingToken}`;
}

/** Whatever a donor was told is kept: it is booked under that lease. */
function assertKeptIsCredited({ tasks }: Stored): void {
  const booked = new Set(tasks.flatMap(({ bookings }) => bookings.map(leaseName)));
  for (const lease of lastKept().keys())
    assert.ok(booked.has(lease), `a checkpoint of ${lease} is not booked`);
}
