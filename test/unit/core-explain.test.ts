/** What an explanation says of a task that waits: every test that fails, its place, when it may start, what would make it run. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { CapacityReport, Demand, StatusEntry, TaskId, Wants } from '@plugpool/proto';
import { WOULD_RUN_MAX } from '@plugpool/proto';
import { explain, type Explanation } from '../../agent/core/explain.ts';
import { WOULD_RUN_SENTENCES_MAX } from '../../agent/core/limits.ts';
import type { AlgorithmRecord } from '../../agent/core/records.ts';
import type { Settings } from '../../agent/core/settings.ts';
import {
  bodiesOf,
  capacityReport,
  connectorOf,
  leaseIn,
  request,
  SimulatedPile,
  type Has,
} from '../simulation/simulated-pile.ts';

interface Scene {
  readonly demands?: Partial<Demand>[];
  readonly algorithm?: Partial<AlgorithmRecord>;
  readonly settings?: Partial<Settings>;
}

/** A pile with the algorithm `sum`, and a requester. */
function sceneOf({ demands = [{}], algorithm = {}, settings = {} }: Scene = {}): SimulatedPile {
  const pile = new SimulatedPile(settings);
  pile.addAlgorithm('sum', demands, algorithm);
  pile.ask('asker');
  return pile;
}

function lends(
  pile: SimulatedPile,
  vehicleId: string,
  has: Has = {},
  more: Partial<CapacityReport> = {},
): void {
  pile.plug(vehicleId);
  pile.lend(vehicleId, has);
  if (Object.keys(more).length > 0) pile.say(`${vehicleId}.lend`, capacityReport(has, more));
}

function asks(pile: SimulatedPile, requestId: string, wants?: Wants, deadlineMs?: number): TaskId {
  const more = { ...(wants && { wants }), ...(deadlineMs === undefined ? {} : { deadlineMs }) };
  const [accepted] = bodiesOf(pile.say('asker.ask-1', request(requestId, 'sum', more)), 'accepted');
  assert.ok(accepted, `${requestId} was not accepted`);
  return accepted.taskId;
}

function explained(
  pile: SimulatedPile,
  taskId: TaskId,
): Explanation & { wait: NonNullable<Explanation['wait']> } {
  const explanation = explain(pile.state, taskId, pile.now());
  assert.ok(explanation?.wait, `${taskId} does not wait`);
  return { ...explanation, wait: explanation.wait };
}

function testsOn(pile: SimulatedPile, taskId: TaskId, vehicleId = 'donor'): string[] {
  const donor = explained(pile, taskId).donors.find((each) => each.vehicleId === vehicleId);
  return (donor?.obstacles ?? []).map((told) =>
    told.way === undefined ? told.test : `${told.way}: ${told.test}`,
  );
}

test('every test that fails is told, those of the pair and those of the program together', () => {
  const pile = sceneOf({
    demands: [{ cpuMillicores: 8000, memoryMib: 32_768 }],
    algorithm: { runtime: 'echo' },
  });
  pile.ask('donor');
  lends(pile, 'donor', { cpu: 2000 }, { allowedAlgorithms: ['other'], constraint: 'request.cores > 99' });
  pile.say(
    'donor.ask-1',
    request('own', 'sum', {
      wants: { constraint: 'donor.cores > 99', trust: { whom: 'makes', makes: ['X'] } },
    }),
  );
  const [taskId] = pile.state.tasks.keys();
  assert.deepEqual(testsOn(pile, taskId as TaskId), [
    'own_request',
    'not_trusted',
    'constraint_not_met',
    'runtime_missing',
    'algorithm_not_allowed',
    'cpu',
    'memory',
    'owner_constraint_not_met',
  ]);
});

test('what makes a donor ineligible is told as a whole, and nothing is made up of what it has not said', () => {
  const pile = sceneOf();
  pile.lend('donor');
  const taskId = asks(pile, 'r1');
  assert.deepEqual(testsOn(pile, taskId), ['not_plugged']);
  pile.say('donor.lend', capacityReport({ cpu: 0 }, { lending: false }));
  assert.deepEqual(testsOn(pile, taskId), ['not_plugged', 'policy_not_lending']);
  pile.disconnect('donor.lend');
  assert.deepEqual(testsOn(pile, taskId), ['not_plugged', 'not_connected']);
  pile.connect('donor.lend');
  assert.deepEqual(testsOn(pile, taskId), ['not_plugged', 'not_connected']);
});

test('of several ways to run it each is told for itself, and what they share once', () => {
  const pile = sceneOf({
    demands: [{ gpu: { shareMillis: 500, vramMib: 512 } }, { cpuMillicores: 6000 }],
    algorithm: { workCoreS: 3600 },
  });
  lends(pile, 'donor', { cpu: 4000, gpu: 300 }, { departureInMs: 60_000 });
  const taskId = asks(pile, 'r1');
  const [told] = explained(pile, taskId).donors;
  assert.deepEqual(testsOn(pile, taskId), [
    'leaving_too_soon',
    'with a GPU: gpu_share',
    'without a GPU: cpu',
  ]);
  assert.deepEqual(told?.because.slice(1), [
    'with a GPU: gpu: needs 500 thousandths, 300 free of 300',
    'without a GPU: cpu: needs 6,000 millicores, 4,000 free of 4,000 lent',
  ]);
});

test('a donor that leaves too soon is told with the probability, the bar and the run', () => {
  const pile = sceneOf({ algorithm: { workCoreS: 600 } });
  lends(pile, 'donor', {}, { departureInMs: 120_000 });
  const { donors, wait } = explained(pile, asks(pile, 'r1'));
  assert.match(
    donors[0]?.because.join() ?? '',
    /^leaving too soon: P = 0\.\d\d < 0\.\d\d that it stays for the 600 s of the run$/,
  );
  assert.match(wait.wouldRun[0] ?? '', /^a stay of 600 s with P ≥ 0\.\d\d, on donor$/);
});

test('a deadline that no donor can keep is told with both times', () => {
  const pile = sceneOf({ algorithm: { workCoreS: 600 } });
  lends(pile, 'donor');
  const { donors, wait } = explained(pile, asks(pile, 'r1', undefined, 300_000));
  assert.deepEqual(donors[0]?.because, ['the run takes 600 s there, the deadline is in 300 s']);
  assert.equal(wait.wouldRun[0], 'a later deadline: it needs 600 s and has 300 s, on donor');
  assert.equal(wait.startInMs, null, 'it cannot start in time');
});

test('the place counts those of higher priority, of poorer payers, and of earlier turns', () => {
  const pile = sceneOf();
  const first = asks(pile, 'r1');
  pile.pass(10);
  const second = asks(pile, 'r2');
  pile.pass(10);
  const many = asks(pile, 'r3', { instances: 3 });
  pile.pass(10);
  const urgent = asks(pile, 'r4', { latencyMs: 100 });
  const places = [urgent, many, first, second].map((taskId) => explained(pile, taskId).wait.place);
  assert.deepEqual(places, [1, 2, 5, 6]);
  assert.equal(explained(pile, urgent).wait.priority, 3);
  assert.equal(explained(pile, urgent).wait.priorityBecause, 'it needs its answer within 100 ms');
  assert.equal(explained(pile, many).wait.priorityBecause, 'it asks for 3 instances at once');
});

test('who has had far more than his share stands behind who has not', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 4000 }] });
  // Among few who pay nobody is far above the mean.
  for (let n = 0; n < 12; n += 1)
    pile.state.usage.start(`small-${n}`, { cpuMillicores: 1, memoryMib: 1, threads: 1 }, pile.now());
  lends(pile, 'donor');
  pile.ask('other');
  pile.say('asker.ask-1', request('runs', 'sum'));
  pile.pass(10_000);
  const rich = asks(pile, 'r1');
  pile.pass(10);
  const [accepted] = bodiesOf(pile.say('other.ask-1', request('r2', 'sum')), 'accepted');
  const poor = accepted?.taskId as TaskId;
  assert.deepEqual([explained(pile, poor).wait.place, explained(pile, rich).wait.place], [1, 2]);
  assert.ok(explained(pile, rich).wait.payerBand > 2);
});

test('the start is estimated from the ends of the runs before it, those in the line among them', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 4000 }], algorithm: { workCoreS: 400 } });
  lends(pile, 'donor', {}, { departureInMs: 12 * 3_600_000 });
  pile.say('asker.ask-1', request('runs', 'sum'));
  pile.pass(10_000);
  const [next, afterIt] = [asks(pile, 'r1'), asks(pile, 'r2')];
  assert.equal(explained(pile, next).wait.startInMs, 390_000);
  assert.equal(explained(pile, afterIt).wait.startInMs, 390_000 + 400_001);
});

test('by its progress a run is known to end earlier than its estimate says', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 4000 }], algorithm: { workCoreS: 400 } });
  lends(pile, 'donor', {}, { departureInMs: 12 * 3_600_000 });
  const lease = leaseIn(pile.say('asker.ask-1', request('runs', 'sum')));
  pile.pass(10_000);
  pile.say('donor.lend', { kind: 'renewal', held: [{ lease, progressPermille: 500, cpuMs: 1 }] });
  assert.equal(explained(pile, asks(pile, 'r1')).wait.startInMs, 10_000);
});

test('where nothing ends that would make room, no start is estimated', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 8000 }] });
  lends(pile, 'donor', { cpu: 4000 });
  const { wait } = explained(pile, asks(pile, 'r1'));
  assert.equal(wait.startInMs, null);
  assert.equal(wait.wouldRun[0], '4,000 more millicores lent than its 4,000, on donor');
  assert.match(wait.wouldRun[1] ?? '', /^another donor with 8 cores, 64 MiB, the wasm runtime, a stay of/);
});

test('what would make it run begins with the donor that is nearest to it', () => {
  const pile = sceneOf({ demands: [{ gpu: { shareMillis: 800, vramMib: 8192 } }] });
  lends(pile, 'bare');
  lends(pile, 'nearly', { gpu: 700 });
  pile.lend('away', { gpu: 1000 });
  const { donors, wait } = explained(pile, asks(pile, 'r1'));
  assert.deepEqual(wait.wouldRun.slice(0, 3), [
    'being plugged in, as the firmware says, on away',
    '100 more thousandths of GPU lent than its 700, on nearly',
    'a GPU, 800 thousandths of GPU, on bare',
  ]);
  assert.deepEqual(
    donors.map(({ vehicleId }) => vehicleId),
    ['away', 'nearly', 'bare'],
  );
});

test('of parts that start together it is told which would fit now, and for how many more room is missing', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 3000 }] });
  lends(pile, 'donor');
  const taskId = asks(pile, 'r1', { instances: 3, allAtOnce: true });
  const { donors, parts, wait } = explained(pile, taskId);
  assert.deepEqual(donors[0]?.because, [
    'this part would fit, but all 3 start together, and 1 would fit now',
  ]);
  assert.deepEqual(
    parts.map(({ state, wouldFitOn }) => [state, wouldFitOn]),
    [
      ['waiting', 'donor'],
      ['waiting', null],
      ['waiting', null],
    ],
  );
  assert.equal(wait.wouldRun[0], 'room for 2 more of its 3 parts at once, on donor');
  assert.deepEqual(pile.state.donors.values().next().value?.free.cpuMillicores, 4000, 'nothing was taken');
  pile.unplug('donor');
  const [sentence] = explained(pile, taskId).wait.wouldRun;
  assert.equal(sentence, 'being plugged in, as the firmware says, on donor, for one of its 3 parts');
});

test('a task of which one part runs and another waits says both', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 3000 }] });
  lends(pile, 'donor');
  const explanation = explained(pile, asks(pile, 'r1', { instances: 2 }));
  assert.equal(explanation.state, 'running');
  assert.deepEqual(
    explanation.parts.map(({ state, donor }) => [state, donor]),
    [
      ['running', 'donor'],
      ['waiting', null],
    ],
  );
});

test('its own requester hears why it waits without a name or a condition of anybody else; nobody else hears it', () => {
  const pile = sceneOf({ settings: {} });
  lends(pile, 'secret-donor', {}, { constraint: 'request.requester == "somebody-else"' });
  const taskId = asks(pile, 'r1');
  const entryFor = (clientId: string): StatusEntry | undefined => {
    const sent = pile.say(clientId, { kind: 'statusQuery', taskId, deliver: false, explain: true });
    return bodiesOf(sent, 'statusReport')[0]?.tasks[0];
  };
  const explanation = entryFor('asker.ask-1')?.explanation;
  assert.deepEqual(explanation?.obstacles, [{ test: 'owner_constraint_not_met', donors: 1 }]);
  assert.equal(explanation.place, 1);
  assert.doesNotMatch(JSON.stringify(explanation), /secret|somebody/);
  pile.ask('other');
  assert.equal(entryFor('other.ask-1'), undefined);
});

test('what runs has no explanation of a wait', () => {
  const pile = sceneOf();
  lends(pile, 'donor');
  const taskId = asks(pile, 'r1');
  const sent = pile.say('asker.ask-1', { kind: 'statusQuery', taskId, deliver: false, explain: true });
  assert.equal(bodiesOf(sent, 'statusReport')[0]?.tasks[0]?.explanation, undefined);
  assert.equal(explain(pile.state, taskId, pile.now())?.wait, null);
});

test('a client that asks for many explanations in one message is told to ask for one after the other', () => {
  const pile = sceneOf();
  const taskId = asks(pile, 'r1');
  const query = pile.message('asker.ask-1', { kind: 'statusQuery', taskId, deliver: false, explain: true });
  const sent = pile.step(...Array.from({ length: 200 }, () => query));
  assert.ok(bodiesOf(sent, 'statusReport').length < 10);
  assert.equal(bodiesOf(sent, 'refused')[0]?.reasons[0]?.code, 'rate_limited');
});

test('a donor whose firmware is not heard is told so beside what else forbids it', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 8000 }] });
  lends(pile, 'donor');
  const taskId = asks(pile, 'r1');
  pile.firmware({ kind: 'linkLost', connectorId: connectorOf('donor'), reason: 'x' });
  assert.deepEqual(testsOn(pile, taskId), ['session_unverified', 'cpu']);
});

test('where only a rest stands in the way, the task starts when it is over', () => {
  const pile = sceneOf();
  lends(pile, 'donor');
  const sent = pile.say('asker.ask-1', request('r1', 'sum'));
  pile.say('donor.lend', { kind: 'decline', lease: leaseIn(sent), reason: 'busy' });
  const [taskId] = pile.state.tasks.keys();
  const { donors, wait, lastReason } = explained(pile, taskId as TaskId);
  const forMs = pile.settings.restMs;
  assert.deepEqual(donors[0]?.obstacles, [{ test: 'resting', forMs }]);
  assert.equal(wait.startInMs, forMs);
  assert.match(wait.wouldRun[0] ?? '', /of patience after the try that failed, on donor$/);
  assert.notEqual(lastReason, '');
});

test('a session that does not lend is called by its state', () => {
  const pile = sceneOf();
  lends(pile, 'donor');
  pile.firmware({ kind: 'suspended', connectorId: connectorOf('donor'), by: 'EVSE' });
  const { donors } = explained(pile, asks(pile, 'r1'));
  assert.deepEqual(donors[0]?.because, ['its charging session is suspendedEVSE, which does not lend']);
});

test('as many sentences are written as the wire carries', () => {
  assert.equal(WOULD_RUN_SENTENCES_MAX, WOULD_RUN_MAX);
});
