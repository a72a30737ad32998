/** Vehicles that mean harm, as the decisions see them: what one message may cost, and what a lying donor may take or earn. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { TaskId, UpBody, VehicleId } from '@plugpool/proto';
import { loadState } from '../../agent/core/load.ts';
import { nextDueMs, step } from '../../agent/core/step.ts';
import {
  CONSTRAINTS_PER_VEHICLE_MAX,
  EXPLANATIONS_PER_STEP_MAX,
  NEEDS_PER_VEHICLE_MAX,
  OWNER_VERDICTS_AT_ONCE_MAX,
  OWNER_VERDICTS_EVERY_MS,
} from '../../agent/core/limits.ts';
import {
  bodiesOf,
  capacityReport,
  completed,
  digestOf,
  hello,
  request,
  type SentBody,
  leaseIn,
  pileWith,
  type SimulatedPile,
} from '../simulation/simulated-pile.ts';

type ResultBody = Extract<UpBody, { kind: 'result' }>;

const ASKS: UpBody = { kind: 'hello', clientVersion: '1', held: [], runtimes: [] };

test('a frame full of hellos repeats what is owed a few times, and not hundreds of times', () => {
  const pile = pileWith('donor');
  for (let i = 0; i < 10; i++)
    pile.say('donor.lend', completed(leaseIn(pile.say('asker.ask-1', request(`r${i}`, 'sum')))));
  const hellos = Array.from({ length: 256 }, () => pile.message('asker.ask-1', ASKS));
  const { recalls, sends } = step(pile.state, hellos, pile.now());
  assert.ok(recalls.length <= 80, `${recalls.length} deliveries are read from disk`);
  const refused = sends.filter(({ envelope }) => envelope.body.kind === 'refused');
  assert.equal(refused.length, 248, 'each of the others is told so');
});

test('a frame full of questions for all tasks is answered a few times', () => {
  const pile = pileWith('donor');
  pile.say('donor.lend', completed(leaseIn(pile.say('asker.ask-1', request('r1', 'sum')))));
  const question = pile.message('asker.ask-1', { kind: 'statusQuery', deliver: true });
  const { recalls } = step(pile.state, Array<typeof question>(256).fill(question), pile.now());
  assert.ok(recalls.length <= 8, `${recalls.length} deliveries are read from disk`);
});

test('questions for tasks that never were cost no reading of the disk; one for an own closed task does', () => {
  const pile = pileWith('donor');
  const [accepted] = bodiesOf(pile.say('asker.ask-1', request('r1', 'sum')), 'accepted');
  assert.ok(accepted);
  const ask = (clientId: string, taskId: string) => {
    const event = pile.message(clientId, { kind: 'statusQuery', taskId: taskId as TaskId, deliver: true });
    return step(pile.state, [event], pile.now());
  };
  const unknown = (effects: ReturnType<typeof step>): string | undefined => {
    const body = effects.sends[0]?.envelope.body;
    return body?.kind === 'refused' ? body.reasons[0]?.code : undefined;
  };
  for (const taskId of ['t1-zz', 'never-was', `${accepted.taskId}_0`]) {
    const effects = ask('asker.ask-1', taskId);
    assert.deepEqual([effects.recalls, unknown(effects)], [[], 'task_unknown']);
  }
  pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'task', taskId: accepted.taskId } });
  pile.say('asker.ask-1', { kind: 'deliveryAck', taskId: accepted.taskId });
  assert.equal(ask('asker.ask-1', accepted.taskId).recalls.length, 1);
  pile.ask('other');
  assert.equal(unknown(ask('other.ask-1', accepted.taskId)), 'task_unknown', 'and nobody else’s');
  pile.pass(pile.settings.retentionMs + 1);
  pile.step({ kind: 'housekeeping' });
  assert.equal(unknown(ask('asker.ask-1', accepted.taskId)), 'task_unknown', 'forgotten');
});

test('arguments count as the memory that they take, and take none when the task has ended', () => {
  const pile = pileWith();
  const args = Array.from({ length: 16 }, () => 'x'.repeat(4_000));
  let accepted = 0;
  for (let i = 0; i < 1_000; i++)
    accepted += bodiesOf(pile.say('asker.ask-1', request(`r${i}`, 'sum', { args })), 'accepted').length;
  assert.ok(accepted > 200 && accepted < 300, `${accepted} requests of 64 kB of arguments were accepted`);
  for (const taskId of [...pile.state.tasks.keys()])
    pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'task', taskId } });
  assert.equal(pile.state.inlineBytes, 0);
  assert.ok([...pile.state.tasks.values()].every(({ record }) => record.args.length === 0));
});

test('who announces many inputs and sends none leaves room for the input of another', () => {
  const pile = pileWith();
  pile.ask('other');
  const upload = (clientId: string, id: string): SentBody[] => {
    const input = { where: 'blob', blob: { digest: digestOf(id), sizeBytes: 100_000 } } as const;
    const asked = pile.message(clientId, request(id, 'sum', { input }));
    return pile.step({ ...asked, blobHeld: false } as typeof asked);
  };
  const refused = Array.from({ length: 300 }, (_, i) => upload('asker.ask-1', `mine${i}`)).flat();
  assert.equal(pile.state.awaitedBlobs.size, 16);
  assert.ok(bodiesOf(refused, 'refused').every(({ retryable }) => retryable));
  assert.deepEqual(upload('other.ask-1', 'theirs'), []);
  assert.equal(pile.state.awaitedBlobs.size, 17);
});

test('one upload does not make room for any number of requests that wait for it', () => {
  const pile = pileWith();
  const input = { where: 'blob', blob: { digest: digestOf('one'), sizeBytes: 100_000 } } as const;
  for (let i = 0; i < 300; i++) {
    const asked = pile.message('asker.ask-1', request(`r${i}`, 'sum', { input }));
    pile.step({ ...asked, blobHeld: false } as typeof asked);
  }
  assert.equal(pile.state.awaitedBlobs.get(digestOf('one'))?.waiting.length, 128);
});

test('bytes that trickle in are not pulled for longer than somebody waits for them', () => {
  const pile = pileWith();
  const digest = digestOf('slow');
  const input = { where: 'blob', blob: { digest, sizeBytes: 100_000 } } as const;
  const asked = pile.message('asker.ask-1', request('r1', 'sum', { input }));
  pile.step({ ...asked, blobHeld: false } as typeof asked);
  pile.nowMs += pile.settings.blobWaitMs;
  const { abandons } = step(pile.state, [{ kind: 'tick' }], pile.now());
  assert.deepEqual(abandons, [{ digest, vehicleId: 'asker', keep: true }]);
});

test('bytes of a request that was taken back are not pulled any more, and what arrived is removed', () => {
  const pile = pileWith();
  const digest = digestOf('unwanted');
  const body = request('r1', 'sum', { input: { where: 'blob', blob: { digest, sizeBytes: 100_000 } } });
  const asked = pile.message('asker.ask-1', body);
  pile.step({ ...asked, blobHeld: false } as typeof asked);
  const cancel: UpBody = { kind: 'cancel', which: { by: 'request', requestId: body.requestId } };
  const { abandons } = step(pile.state, [pile.message('asker.ask-1', cancel)], pile.now());
  assert.deepEqual(abandons, [{ digest, vehicleId: 'asker', keep: false }]);
  assert.equal(pile.state.awaitedBlobs.size, 0);
});

test('a donor that gives every attempt back does not kill a task while another one could run it', () => {
  const pile = pileWith('evil');
  let sent = pile.say('asker.ask-1', request('r1', 'sum'));
  for (let i = 0; i < 50; i++) {
    const [offer] = bodiesOf(sent, 'offer');
    if (offer === undefined) break;
    const failure = { code: 'revoked', detail: 'unplugged', stderrTail: '' } as const;
    const { used } = completed(offer.lease) as ResultBody;
    sent = pile.say('evil.lend', {
      kind: 'result',
      lease: offer.lease,
      used,
      outcome: { ok: false, failure },
    });
  }
  const [task] = [...pile.state.tasks.values()];
  assert.equal(task?.end, undefined, 'the task is given up');
  pile.plug('honest');
  pile.lend('honest');
  assert.equal(task?.instances[0]?.lease?.vehicleId, 'honest');
});

test('a core that says it is a thousand times faster, and holds its result back, earns no more than a run may take', () => {
  const pile = pileWith();
  pile.plug('liar');
  pile.connect('liar.lend');
  const said = hello({}) as Extract<UpBody, { kind: 'hello' }>;
  assert.ok(said.hardware);
  pile.say('liar.lend', { ...said, hardware: { ...said.hardware, speedMillis: 1_000_000 } });
  pile.say('liar.lend', capacityReport({}));
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  for (let i = 0; i < 45; i++) {
    pile.pass(10_000);
    pile.say('liar.lend', { kind: 'renewal', held: [{ lease, progressPermille: 1, cpuMs: 1 }] });
  }
  const result = completed(lease) as ResultBody;
  pile.say('liar.lend', { ...result, used: { ...result.used, cpuMs: 1_000_000 } });
  const [booking] = [...pile.disk.bookings.values()];
  const chargedMncs = -(booking?.entries[0]?.amount ?? 0);
  assert.ok(chargedMncs > 0 && chargedMncs <= 600_000, `${chargedMncs} were charged`);
});

test('a donor that renews without end keeps a task no longer than a run may take, and another one runs it', () => {
  const pile = pileWith('hoarder');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'sum')));
  const [task] = [...pile.state.tasks.values()];
  const report = capacityReport({});
  for (let i = 0; i < 200 && task?.instances[0]?.lease?.vehicleId === 'hoarder'; i++) {
    if (i === 100) {
      pile.plug('honest');
      pile.lend('honest');
    }
    pile.pass(5_000);
    pile.say('hoarder.lend', { kind: 'renewal', held: [{ lease, progressPermille: 1, cpuMs: 1 }] });
    pile.say('hoarder.lend', report);
    if (i >= 100) pile.say('honest.lend', report);
  }
  assert.equal(task?.end, undefined);
  assert.notEqual(task?.instances[0]?.lease?.fencingToken, lease.fencingToken, 'it is held still');
});

test('a donor that changes its report ten times a second is granted and loses a lease a few times a minute, not at each change', () => {
  for (const less of [capacityReport({ cpu: 500 }), capacityReport({}, { lending: false })]) {
    const pile = pileWith('fickle');
    for (let i = 0; i < 40; i++) pile.say('asker.ask-1', request(`r${i}`, 'sum'));
    const before = pile.state.counters.granted;
    for (let i = 0; i < 600; i++) {
      pile.pass(100);
      pile.say('fickle.lend', i % 2 === 0 ? less : capacityReport({}));
    }
    const granted = pile.state.counters.granted - before;
    assert.ok(granted <= 4 * 8, `${granted} leases were granted in a minute`);
  }
});

test('a donor that reports more than its hardware is lent no more than that, and loses nothing by it', () => {
  const pile = pileWith('boaster');
  const granted: SentBody[] = [];
  for (let i = 0; i < 8; i++) granted.push(...pile.say('asker.ask-1', request(`r${i}`, 'sum')));
  assert.equal(bodiesOf(granted, 'offer').length, 4);
  const boast = pile.say('boaster.lend', capacityReport({ cpu: 1_000_000, memory: 1_000_000, gpu: 1000 }));
  assert.deepEqual(bodiesOf(boast, 'offer'), []);
  assert.deepEqual(bodiesOf(boast, 'revoke'), []);
});

test('a wall clock that jumps moves no turn, no lease and no deadline of what waits', () => {
  const pile = pileWith();
  pile.say('asker.ask-1', request('r1', 'sum', { deadlineMs: 100_000 }));
  const turns = (): number[] => [...pile.state.waiting.instances()].map(({ turnMonoMs }) => turnMonoMs);
  const before = turns();
  for (const ms of [3_600_000, -7_200_000, 1e12]) {
    pile.jump(ms);
    pile.step({ kind: 'tick' });
    assert.deepEqual(turns(), before);
  }
  pile.plug('donor');
  const lease = leaseIn(pile.lend('donor'));
  pile.jump(1e10);
  pile.pass(pile.settings.leaseMs - 1);
  assert.equal(bodiesOf(pile.say('donor.lend', completed(lease)), 'resultAck')[0]?.accepted, true);
});

test('a wall clock that was set forward or back while the agent was away ends no task early, and forgets no end', () => {
  const { retentionMs } = pileWith().settings;
  for (const jumpMs of [1e11, -1e11]) {
    const pile = pileWith();
    pile.say('asker.ask-1', request('r1', 'sum', { deadlineMs: 100_000 }));
    pile.say('asker.ask-1', request('r2', 'sum', { deadlineMs: 1_000 }));
    pile.pass(1_000);
    const stored = pile.disk.load();
    const now = { monoMs: 5, wallMs: pile.now().wallMs + jumpMs };
    // As a store says it that knows the boot of the machine.
    const openTasks = stored.openTasks.map((open) => ({
      ...open,
      acceptedAgoMs: 11_000,
      ...(open.end === undefined ? {} : { endedAgoMs: 10_000 }),
    }));
    const state = loadState({ ...stored, openTasks }, pile.settings, now);
    assert.equal(nextDueMs(state), 5 + 89_000);
    const later = (ms: number) => ({ monoMs: 5 + ms, wallMs: now.wallMs - jumpMs });
    step(state, [{ kind: 'housekeeping' }], later(retentionMs - 10_001));
    assert.equal(state.tasks.size, 2, 'both are owed still');
    step(state, [{ kind: 'housekeeping' }], later(retentionMs - 9_999));
    assert.equal(state.tasks.size, 1);
  }
});

function groupsOf(pile: SimulatedPile): number {
  return [...pile.state.waiting.groups()].length;
}

test('a requester has so many different needs, which donors look at one by one; what is needed again is still taken, and others are', () => {
  const pile = pileWith('donor');
  pile.ask('other');
  const asked = (clientId: string, id: string, memoryMib: number): SentBody[] =>
    pile.say(clientId, request(id, 'sum', { wants: { demand: { memoryMib } } }));
  const sent = Array.from({ length: 300 }, (_, i) => asked('asker.ask-1', `r${i}`, 10_000 + i)).flat();
  assert.equal(groupsOf(pile), NEEDS_PER_VEHICLE_MAX);
  const [refused] = bodiesOf(sent, 'refused');
  assert.equal(refused?.reasons[0]?.code, 'too_many_tasks');
  assert.equal(refused.retryable, true);
  assert.equal(bodiesOf(asked('asker.ask-1', 'again', 10_000), 'accepted').length, 1);
  assert.equal(bodiesOf(asked('other.ask-1', 'r1', 20_000), 'accepted').length, 1);
});

test('a requester has so many different constraints, and room for others when one has ended', () => {
  const pile = pileWith('donor');
  const asked = (id: number): SentBody[] =>
    pile.say(
      'asker.ask-1',
      request(`r${id}`, 'sum', { wants: { constraint: `donor.memoryMib > ${100_000 + id}` } }),
    );
  const sent = Array.from({ length: 100 }, (_, i) => asked(i)).flat();
  const accepted = bodiesOf(sent, 'accepted');
  assert.equal(accepted.length, CONSTRAINTS_PER_VEHICLE_MAX);
  assert.ok(bodiesOf(sent, 'refused').every(({ retryable }) => retryable));
  const [first] = accepted;
  assert.ok(first);
  pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'task', taskId: first.taskId } });
  assert.equal(bodiesOf(asked(200), 'accepted').length, 1);
});

test('what a requester asks for is counted anew after a restart', () => {
  const pile = pileWith('donor');
  const wants = { constraint: 'donor.memoryMib > 100000', instances: 3 };
  pile.say('asker.ask-1', request('r1', 'sum', { wants }));
  pile.say('asker.ask-1', request('r2', 'sum', { wants: { instances: 2 } }));
  const before = pile.state.asked;
  pile.restart();
  assert.deepEqual(pile.state.asked, before);
  pile.ask('asker');
  for (const taskId of [...pile.state.tasks.keys()])
    pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'task', taskId } });
  assert.equal(pile.state.asked.all.parts, 0);
  assert.equal(pile.state.asked.all.constraints.size, 0);
  assert.equal(pile.state.asked.all.needs.size, 0);
});

test('each of the parts of a request counts as a task', () => {
  const pile = pileWith();
  let accepted = 0;
  for (let i = 0; i < 400; i++) {
    const sent = pile.say('asker.ask-1', request(`r${i}`, 'sum', { wants: { instances: 16 } }));
    accepted += bodiesOf(sent, 'accepted').length;
  }
  assert.equal(accepted, Math.floor(pile.settings.openTasksPerVehicleMax / 16));
});

test('parts that wait to start together stand in no donor’s way, after a restart neither', () => {
  const pile = pileWith('donor');
  const wants = { instances: 16, allAtOnce: true };
  for (let i = 0; i < 3; i++) pile.say('asker.ask-1', request(`r${i}`, 'sum', { wants }));
  const areForGangs = (): boolean[] => [...pile.state.waiting.groups()].map(({ need }) => need.isForGangs);
  pile.say('asker.ask-1', request('alone', 'sum', { wants: { instances: 16, latencyMs: 10_000 } }));
  assert.deepEqual(areForGangs(), [true, false]);
  pile.restart();
  assert.deepEqual(areForGangs(), [true, false]);
  const alone = [...pile.state.tasks.keys()].at(-1);
  pile.plug('donor');
  const offers = bodiesOf(pile.lend('donor'), 'offer');
  assert.deepEqual(
    offers.map(({ taskId }) => taskId),
    Array(4).fill(alone),
  );
});

test('an owner who changes his constraint with each report has a bounded number of requests judged, and in time all of them', () => {
  const pile = pileWith();
  const count = 4 * OWNER_VERDICTS_AT_ONCE_MAX;
  for (let i = 0; i < count; i++) pile.say('asker.ask-1', request(`r${i}`, 'sum'));
  pile.plug('owner');
  pile.connect('owner.lend');
  pile.say('owner.lend', hello({}));
  const judgedBy = (text: string): number =>
    [...pile.state.tasks.values()].filter(({ ownerVerdicts }) => ownerVerdicts?.has(text)).length;
  for (const runS of [1_000, 1_001, 1_002])
    pile.say('owner.lend', capacityReport({}, { constraint: `request.runS > ${runS}` }));
  assert.equal(judgedBy('request.runS > 1000'), OWNER_VERDICTS_AT_ONCE_MAX);
  assert.equal(judgedBy('request.runS > 1001') + judgedBy('request.runS > 1002'), 0);
  pile.pass(5 * OWNER_VERDICTS_EVERY_MS);
  assert.equal(judgedBy('request.runS > 1002'), count);
});

test('the requests that an owner allows are found behind however many that he does not', () => {
  const pile = pileWith();
  for (let i = 0; i < 2 * OWNER_VERDICTS_AT_ONCE_MAX; i++) pile.say('asker.ask-1', request(`r${i}`, 'sum'));
  pile.ask('friend');
  pile.say('friend.ask-1', request('r1', 'sum'));
  pile.plug('owner');
  pile.connect('owner.lend');
  pile.say('owner.lend', hello({}));
  pile.say('owner.lend', capacityReport({}, { constraint: "request.requester == 'friend'" }));
  const offers = bodiesOf(pile.pass(3 * OWNER_VERDICTS_EVERY_MS), 'offer');
  const [friends] = pile.state.openTasksOf.get('friend' as VehicleId) ?? [];
  assert.ok(
    offers.length === 1 || pile.state.tasks.get(friends as TaskId)?.instances[0]?.lease !== undefined,
    'it waits behind them',
  );
});

test('a vehicle asks for so many explanations at once, over all its connections together', () => {
  const pile = pileWith('donor');
  pile.say('asker.ask-1', request('r1', 'sum', { wants: { demand: { memoryMib: 10_000 } } }));
  const [taskId] = pile.state.tasks.keys();
  assert.ok(taskId);
  const slots = Array.from({ length: 10 }, (_, i) => `asker.ask-${i + 1}`);
  for (let i = 2; i <= 10; i++) pile.ask('asker', `ask-${i}`);
  const sent = pile.step(
    ...slots.map((slot) =>
      pile.message(slot, { kind: 'statusQuery', taskId, deliver: false, explain: true }),
    ),
  );
  assert.equal(bodiesOf(sent, 'statusReport').length, EXPLANATIONS_PER_STEP_MAX);
  const refused = bodiesOf(sent, 'refused');
  assert.equal(refused.length, 10 - EXPLANATIONS_PER_STEP_MAX);
  assert.ok(refused.every(({ reasons, retryable }) => retryable && reasons[0]?.code === 'rate_limited'));
});

test('a pile that is slow to answer makes no donor look slow, and none of them rest', () => {
  const pile = pileWith('donor');
  const run = (id: string, tookMs: number): SentBody[] => {
    const lease = leaseIn(pile.say('asker.ask-1', request(id, 'sum')));
    pile.pass(tookMs);
    const outcome = { ok: true, output: { where: 'inline', bytes: Uint8Array.of(1) } } as const;
    const used = { cpuMs: 0, wallMs: 0, memoryPeakMib: 1, gpuMs: 0 };
    const sent = pile.say('donor.lend', { kind: 'result', lease, used, outcome });
    pile.say('donor.lend', capacityReport({}));
    return sent;
  };
  for (let i = 0; i < 10; i++) run(`quick${i}`, 5);
  for (let i = 0; i < 10; i++) run(`slow${i}`, 8_000);
  assert.equal(bodiesOf(pile.say('asker.ask-1', request('after', 'sum')), 'offer').length, 1);
});
