/** The laws of the design, checked after a step of a simulated pile. Each throws an AssertionError that names its law. */
import assert from 'node:assert/strict';
import { explain, explainToRequester, obstaclesOf } from '../../agent/core/explain/explain.ts';
import { ALGORITHM_CLASSES } from '../../agent/core/algorithms/feature.ts';
import { reserveSize } from '../../agent/core/pools/pools.ts';
import { DIMENSIONS, mapVector, vectorOf, type Vector } from '../../agent/core/pools/vector.ts';
import type { Demand } from '@plugpool/proto';
import { checkBookings } from './laws-of-bookings.ts';
import {
  checkGrants,
  leasesFit,
  leasesFitOf,
  preemptsWithReason,
  vehiclesGranted,
} from './laws-of-grants.ts';
import type { Observed } from './observed.ts';
import type { SentBody } from './simulated-pile.ts';

/** Everything, after a step whose changes are on disk. */
export function checkLaws(pile: Observed, sent: readonly SentBody[]): void {
  leasesFit(pile, vehiclesGranted(sent));
  checkGrants(pile, sent);
  preemptsWithReason(pile, sent);
  checkStanding(pile);
}

/** What must be true at any time, whatever was done last. */
export function checkStanding(pile: Observed): void {
  checkBookings(pile);
  leasesFit(pile, new Set());
  subPoolsAddUp(pile);
  partsStartTogether(pile);
  everyInstanceStandsSomewhere(pile);
  everyWaitIsExplained(pile);
  explanationsAgree(pile);
  everythingIsBounded(pile);
  memorySaysWhatTheDiskSays(pile);
}

/**
 * What one step can have broken, at the price of what it changed: `heardOf` are the vehicles of whom something was heard in it.
 * Before its changes are on disk.
 */
export function checkStep(pile: Observed, sent: readonly SentBody[], heardOf: ReadonlySet<string>): void {
  const granted = vehiclesGranted(sent);
  for (const vehicleId of heardOf) leasesFitOf(pile, vehicleId, granted);
  for (const vehicleId of granted) if (!heardOf.has(vehicleId)) leasesFitOf(pile, vehicleId, granted);
  if (granted.size > 0) checkGrants(pile, sent);
  preemptsWithReason(pile, sent);
}

/** Law 2: sub-pools and reserve are the whole, the whole is what the donors that may be granted something lend. */
function subPoolsAddUp({ state }: Observed): void {
  const { pools } = state;
  const lent = [...state.index.donors()].map(({ lendable }) => vectorOf(lendable));
  assert.deepEqual(pools.whole, sumOf(lent), 'law 2: the whole is what eligible donors lend');
  const reserve = reserveSize(pools);
  const sizes = [...pools.subPools.values()].map(({ size }) => size);
  assert.deepEqual(sumOf([reserve, ...sizes]), pools.whole, 'law 2: sub-pools and reserve are the whole');
  for (const part of [reserve, ...sizes])
    for (const dimension of DIMENSIONS) assert.ok(part[dimension] >= 0, `law 2: less than no ${dimension}`);
  const leases = [...state.donors.values()].flatMap(({ leased }) =>
    [...leased.values()].flatMap(({ lease }) => lease ?? []),
  );
  for (const one of ALGORITHM_CLASSES) {
    const own = leases.filter(({ pool }) => pool === one).map(({ demand }) => demandVector(demand));
    assert.deepEqual(pools.used[one], sumOf(own), `law 2: what ${one} has in use`);
  }
}

/** By sums of their own, and not by the arithmetic of the core. */
function sumOf(vectors: readonly Vector[]): Vector {
  return mapVector((dimension) => vectors.reduce((sum, vector) => sum + vector[dimension], 0));
}

function demandVector({ cpuMillicores, memoryMib, gpu }: Demand): Vector {
  return { cpuMillicores, memoryMib, gpuMillis: gpu?.shareMillis ?? 0, vramMib: gpu?.vramMib ?? 0 };
}

/** Parts that are to start together: all of them were granted once, or none. */
function partsStartTogether({ state }: Observed): void {
  for (const { record, instances } of state.tasks.values()) {
    if (record.wants?.allAtOnce !== true) continue;
    const parts = instances.filter(({ replica }) => replica === 0);
    const started = parts.filter(({ attempts }) => attempts > 0).length;
    assert.ok(
      started === 0 || started === parts.length,
      `${started} of ${parts.length} parts of ${record.taskId} started`,
    );
  }
}

/** An instance that has not ended waits or holds one lease, and a timer ends whatever else it waits for. Law 8's half. */
function everyInstanceStandsSomewhere({ state }: Observed): void {
  for (const task of state.tasks.values()) {
    if (task.end === undefined) assert.ok(state.deadlines.has(task), `${task.record.taskId} never ends`);
    for (const instance of task.instances) {
      const { instanceId, lease } = instance;
      const places = [
        state.waiting.has(instance),
        lease !== undefined,
        task.end !== undefined,
        instance.result !== undefined || (instance.settled && task.end === undefined),
      ];
      assert.equal(
        places.filter(Boolean).length,
        1,
        `${instanceId} waits, runs, has ended, its part is done: ${places.join()}`,
      );
      if (lease === undefined) continue;
      assert.equal(state.donors.get(lease.vehicleId)?.leased.get(instanceId), instance);
      assert.ok(state.timers.has(`lease:${instanceId}`), `${instanceId} has a lease that never ends`);
    }
  }
  for (const donor of state.donors.values())
    for (const instance of donor.leased.values()) assert.equal(instance.lease?.vehicleId, donor.vehicleId);
}

/** Law 6, and the promise of the matcher: nobody waits for a donor that could run it now. */
function everyWaitIsExplained(pile: Observed): void {
  for (const instance of pile.state.waiting.instances())
    for (const donor of pile.state.donors.values())
      assert.notEqual(
        obstaclesOf(pile.state, instance, donor, pile.now()).length,
        0,
        `law 6: ${instance.instanceId} waits although ${donor.vehicleId} could run it`,
      );
}

/** An explanation goes over all donors and all who wait: of so many tasks in each step, another few in each. */
const EXPLAINED_IN_EACH_STEP = 3;

/** Law 6: what a person is told agrees with it, of any task at any moment. */
function explanationsAgree(pile: Observed): void {
  const { state } = pile;
  const tasks = [...state.tasks.values()];
  const from = tasks.length === 0 ? 0 : pile.sent.length % tasks.length;
  for (const task of tasks.slice(from, from + EXPLAINED_IN_EACH_STEP)) {
    const { taskId } = task.record;
    const explanation = explain(state, taskId, pile.now());
    assert.ok(explanation !== undefined && explanation.summary !== '', `law 6: ${taskId} has no summary`);
    const waits = task.instances.some((instance) => state.waiting.has(instance));
    assert.equal(explanation.wait !== null, waits, `law 6: whether ${taskId} waits`);
    const told = explainToRequester(state, task, pile.now());
    assert.equal(told?.place, explanation.wait?.place, `law 6: the place of ${taskId}`);
    if (explanation.wait === null) continue;
    const { place, startInMs, wouldRun } = explanation.wait;
    assert.ok(place >= 1 && place <= state.waiting.size, `law 6: ${taskId} is at ${place}`);
    assert.ok(startInMs === null || (Number.isSafeInteger(startInMs) && startInMs >= 0), `law 6: ${taskId}`);
    assert.notEqual(wouldRun.length, 0, `law 6: nothing would make ${taskId} run`);
    assert.equal(explanation.donors.length, state.donors.size);
    for (const { obstacles, because } of explanation.donors)
      assert.equal(because.length, obstacles.length, `law 6: ${taskId} is explained in half`);
  }
}

/** Law 7. Timers are named, so there are at most as many as things that can have one. */
function everythingIsBounded(pile: Observed): void {
  const { state } = pile;
  const instances = [...state.tasks.values()].reduce((sum, task) => sum + task.instances.length, 0);
  const things = 3 * instances + 6 * state.donors.size + state.sessions.size + state.awaitedBlobs.size + 5;
  assert.ok(state.timers.size <= things, `law 7: ${state.timers.size} timers for ${things} things`);
  for (const digest of state.awaitedBlobs.keys())
    assert.ok(state.timers.has(`blob:${digest}`), `law 7: ${digest} is awaited for ever`);
  assert.ok(state.waiting.size <= instances, 'law 7: more wait than there are');
  assert.ok(state.gangs.size <= state.tasks.size && state.roomMadeFor.size <= instances);
}

/** Rule 2 of the design: what memory says of tasks and leases is what was committed. */
function memorySaysWhatTheDiskSays(pile: Observed): void {
  for (const task of pile.state.tasks.values()) {
    const kept = pile.disk.tasks.get(task.record.taskId);
    assert.ok(kept, `${task.record.taskId} is not on disk`);
    assert.equal(kept.end?.state, task.end?.state);
    for (const instance of task.instances) {
      const record = pile.disk.instances.get(instance.instanceId);
      assert.equal(record?.lease?.fencingToken, instance.lease?.fencingToken);
      assert.equal(record?.attempts, instance.attempts);
      assert.equal(record.departures, instance.departures);
      assert.equal(record.crashes, instance.crashes);
    }
  }
}
