/** What an explanation says of a task that waits: every test that fails, its place, when it may start, what would make it run. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { CapacityReport, Demand, StatusEntry, TaskId, Wants } from '@plugpool/proto';
import { WOULD_RUN_MAX } from '@plugpool/proto';
import { knownVehicles } from '../../agent/core/donors/known-vehicles.ts';
import { explain, type Explanation } from '../../agent/core/explain/explain.ts';
import { barInWords, probability } from '../../agent/core/explain/figures.ts';
import {
  EXPLAINED_DONORS_MAX,
  EXPLAINED_LOOKED_AT_MAX,
  WOULD_RUN_SENTENCES_MAX,
} from '../../agent/core/limits.ts';
import { rebuildLine } from '../../agent/core/waiting/line.ts';
import type { AlgorithmRecord } from '../../agent/core/records.ts';
import type { Settings } from '../../agent/core/settings.ts';
import {
  bodiesOf,
  capacityReport,
  connectorOf,
  digestOf,
  hello,
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
    settings: { vehicles: knownVehicles([{ id: 'elsewhere', make: 'X', fleet: '' }]) },
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
    'a GPU that lends 800 thousandths, on bare',
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

test('whose class has no room in its sub-pool stands behind whose has', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 3000 }], algorithm: { workCoreS: 40_000 } });
  pile.addAlgorithm('wide', [{ cpuMillicores: 500, memoryMib: 4096 }], { workCoreS: 40_000 });
  lends(pile, 'donor', {}, { departureInMs: 60_000 });
  const shareMillis = { cpuMillicores: 200, memoryMib: 100 };
  const setPool = { verb: 'setPool', algorithmClass: 'cpu', shareMillis } as const;
  pile.step({ kind: 'operator', question: 1, command: setPool });
  const borrows = asks(pile, 'r1');
  pile.pass(10);
  const [accepted] = bodiesOf(pile.say('asker.ask-1', request('r2', 'wide')), 'accepted');
  const within = explained(pile, accepted?.taskId as TaskId).wait;
  assert.deepEqual([within.subPool, within.place], ['room', 1]);
  assert.deepEqual([explained(pile, borrows).wait.subPool, explained(pile, borrows).wait.place], ['full', 2]);
});

test('what goes on from a checkpoint stands before what begins', () => {
  const pile = sceneOf();
  const begins = asks(pile, 'r1');
  pile.pass(10);
  const goesOn = asks(pile, 'r2');
  const [instance] = pile.state.tasks.get(goesOn)?.instances ?? [];
  assert.ok(instance);
  instance.checkpoint = { state: { digest: digestOf('kept'), sizeBytes: 1 }, doneMncs: 1 };
  rebuildLine(pile.state);
  assert.deepEqual([explained(pile, goesOn).wait.place, explained(pile, begins).wait.place], [1, 2]);
});

test('who asks for more than the donors have delays no start', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 4000 }], algorithm: { workCoreS: 400 } });
  pile.addAlgorithm('seer', [{ gpu: { shareMillis: 500, vramMib: 512 } }]);
  lends(pile, 'donor', {}, { departureInMs: 12 * 3_600_000 });
  pile.say('asker.ask-1', request('seen', 'seer'));
  pile.pass(10);
  pile.say('asker.ask-1', request('runs', 'sum'));
  const { wait } = explained(pile, asks(pile, 'r1'));
  assert.deepEqual([wait.place, wait.startInMs], [2, 400_000]);
});

test('for parts that start together nothing is kept free, and so no start is estimated', () => {
  const startFor = (wants: Wants): number | null => {
    const pile = sceneOf({ demands: [{ cpuMillicores: 4000 }], algorithm: { workCoreS: 400 } });
    lends(pile, 'donor', {}, { departureInMs: 12 * 3_600_000 });
    pile.say('asker.ask-1', request('runs', 'sum'));
    return explained(pile, asks(pile, 'r1', wants)).wait.startInMs;
  };
  assert.equal(startFor({ instances: 2 }), 400_000);
  assert.equal(startFor({ instances: 2, allAtOnce: true }), null);
});

test('a run that is being taken back ends with its grace', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 4000 }], algorithm: { workCoreS: 400 } });
  pile.addAlgorithm('small', [{ cpuMillicores: 500 }]);
  lends(pile, 'donor');
  pile.say('asker.ask-1', request('runs', 'sum'));
  pile.say('donor.lend', capacityReport({ cpu: 2000 }));
  const [accepted] = bodiesOf(pile.say('asker.ask-1', request('r1', 'small')), 'accepted');
  assert.equal(explained(pile, accepted?.taskId as TaskId).wait.startInMs, pile.settings.revokeGraceMs);
});

test('a donor that leaves before a second run is through counts for none', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 4000 }], algorithm: { workCoreS: 400 } });
  lends(pile, 'donor', {}, { departureInMs: 12 * 3_600_000 });
  pile.say('asker.ask-1', request('runs', 'sum'));
  pile.say('donor.lend', capacityReport({}, { departureInMs: 700_000 }));
  assert.equal(explained(pile, asks(pile, 'r1')).wait.startInMs, null);
});

test('how long a vehicle stays is told while its owner does not lend; what it would lend is not', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 8000 }], algorithm: { workCoreS: 600 } });
  lends(pile, 'donor', {}, { lending: false, departureInMs: 60_000 });
  assert.deepEqual(testsOn(pile, asks(pile, 'r1')), ['policy_not_lending', 'leaving_too_soon']);
});

test('no constraint is held against a vehicle that has not said yet what it has', () => {
  const pile = sceneOf();
  pile.plug('donor');
  pile.connect('donor.lend');
  pile.say('donor.lend', hello({}));
  assert.deepEqual(testsOn(pile, asks(pile, 'r1', { constraint: 'donor.cores > 99' })), ['capacity_stale']);
});

test('nothing on the vehicle that asks would make its own request run', () => {
  const pile = sceneOf();
  pile.ask('donor');
  lends(pile, 'donor');
  const [accepted] = bodiesOf(pile.say('donor.ask-1', request('own', 'sum')), 'accepted');
  const { wouldRun } = explained(pile, accepted?.taskId as TaskId).wait;
  assert.equal(wouldRun.length, 1);
  assert.match(wouldRun[0] ?? '', /^another donor/);
});

test('a donor that is busy is nearer than one that would have to lend more', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 4000 }], algorithm: { workCoreS: 400 } });
  lends(pile, 'busy');
  pile.say('asker.ask-1', request('runs', 'sum'));
  lends(pile, 'almost', { cpu: 3900 });
  const { donors } = explained(pile, asks(pile, 'r1'));
  assert.deepEqual(
    donors.map(({ vehicleId }) => vehicleId),
    ['busy', 'almost'],
  );
});

test('of many donors so many are looked at, and the nearest listed', () => {
  const pile = sceneOf({ demands: [{ cpuMillicores: 8000 }] });
  for (let n = 0; n <= EXPLAINED_LOOKED_AT_MAX; n += 1) lends(pile, `donor-${n}`, { cpu: 1000 });
  const { donors, wait, summary } = explained(pile, asks(pile, 'r1'));
  assert.equal(wait.donorsLookedAt, EXPLAINED_LOOKED_AT_MAX);
  assert.equal(wait.donorsKnown, EXPLAINED_LOOKED_AT_MAX + 1);
  assert.equal(donors.length, EXPLAINED_DONORS_MAX);
  assert.match(
    summary,
    /^501 donors are known, of the 500 looked at 500 may lend now, it fits on none: cpu on 500$/,
  );
});

test('a probability below a bar never reads as equal to it', () => {
  assert.deepEqual([probability(599), barInWords(600), barInWords(625)], ['0.59', '0.60', '0.625']);
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
