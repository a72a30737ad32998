/** The checker of recorded histories finds each promise that is broken, and nothing in a history that keeps them. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { DownBody, UpBody } from '@plugpool/proto';
import type { TaskHistory } from '../../agent/core/records.ts';
import { deliveryOf } from '../../agent/core/tasks/task-end.ts';
import { checkHistory, type HistoryEntry, type HistoryQuestion } from '../simulation/history.ts';
import { lifeOf } from '../store-records.ts';

const DONOR = 'donor-1.lend';
const ASKER = 'vehicle-1.ask-1';

/** One task from its request to its acknowledgement, as both ends lived it and as the disk keeps it. */
function told(): { history: HistoryEntry[]; kept: TaskHistory } {
  const kept = keptTask();
  const { task, end, instances, attempts } = kept;
  const [instance] = instances;
  const [attempt] = attempts;
  assert.ok(end && instance && attempt && task.input.where === 'inline');
  const { taskId, requestId, selector, args, input } = task;
  const { instanceId, fencingToken } = attempt;
  const lease = { instanceId, fencingToken };
  const output = { where: 'inline', bytes: new Uint8Array(100) } as const;
  const bodies: [string, 'said' | 'heard', UpBody | DownBody][] = [
    [ASKER, 'said', { kind: 'request', requestId, selector, args, input }],
    [ASKER, 'heard', { kind: 'accepted', requestId, taskId, deadlineMs: 60_000 }],
    [DONOR, 'heard', { kind: 'offer', lease, taskId, attempt: 1 } as DownBody],
    [DONOR, 'said', { kind: 'result', lease, used: end.used!, outcome: { ok: true, output } }],
    [DONOR, 'heard', { kind: 'resultAck', lease, accepted: true, reason: '' }],
    [ASKER, 'heard', deliveryOf(task, end)],
    [ASKER, 'said', { kind: 'deliveryAck', taskId }],
  ];
  const history = bodies.map(([client, way, body], atMs) => ({ atMs, client, way, body }) as HistoryEntry);
  return { history, kept };
}

function keptTask(): TaskHistory {
  const changes = lifeOf(1).flat();
  const one = <Kind extends (typeof changes)[number]['change']>(kind: Kind) =>
    changes.find((each) => each.change === kind) as Extract<(typeof changes)[number], { change: Kind }>;
  return {
    task: one('insertTask').task,
    end: one('endTask').end,
    delivered: true,
    instances: [one('putInstance').instance],
    attempts: [one('insertAttempt').attempt],
    bookings: [one('book').booking],
  };
}

function promisesBroken(question: Partial<HistoryQuestion> & { kept: TaskHistory; history: HistoryEntry[] }) {
  const { kept, ...rest } = question;
  const store = { tasks: [kept] };
  return checkHistory({ store, isOver: true, present: new Set([ASKER]), ...rest }).map(
    ({ promise }) => promise,
  );
}

function changed(history: HistoryEntry[], kind: string, change: object): HistoryEntry[] {
  return history.map((entry) =>
    entry.body.kind === kind ? ({ ...entry, body: { ...entry.body, ...change } } as HistoryEntry) : entry,
  );
}

test('a task that is asked for, run, delivered and acknowledged breaks no promise', () => {
  const { history, kept } = told();
  assert.deepEqual(promisesBroken({ history, kept }), []);
});

test('an accepted task that the disk does not know is missed', () => {
  const { history } = told();
  const broken = checkHistory({ history, store: { tasks: [] } }).map(({ promise }) => promise);
  assert.deepEqual(broken, [
    'an accepted request is on disk',
    'a delivery is what the store says',
    'an acknowledged result counts',
  ]);
});

test('one request that became two tasks is seen', () => {
  const { history, kept } = told();
  const [, accepted] = history;
  assert.ok(accepted);
  const again = changed([accepted], 'accepted', { taskId: 't9-9' });
  assert.ok(promisesBroken({ history: [...history, ...again], kept }).includes('a request becomes one task'));
});

test('an end that is told in two ways is seen, and so is one that the disk does not say', () => {
  const { history, kept } = told();
  const delivered = history.filter(({ body }) => body.kind === 'delivery');
  const other = changed(delivered, 'delivery', { chargedMncs: 11 });
  assert.deepEqual(promisesBroken({ history: [...history, ...other], kept }), [
    'what was told once is told again',
    'a delivery is what the store says',
  ]);
  assert.deepEqual(promisesBroken({ history: changed(history, 'delivery', { chargedMncs: 11 }), kept }), [
    'a delivery is what the store says',
  ]);
});

test('a task that never ends is seen once it is over, and not before', () => {
  const { history, kept } = told();
  const { end: _end, ...open } = kept;
  const cut = history.slice(0, 3);
  const question = { history: cut, kept: { ...open, delivered: false, attempts: [], bookings: [] } };
  assert.deepEqual(promisesBroken(question), ['an accepted task ends']);
  assert.deepEqual(promisesBroken({ ...question, isOver: false }), []);
});

test('a requester that is there and hears no end is seen, one that left is not', () => {
  const { history, kept } = told();
  const unheard = { history: history.slice(0, 5), kept: { ...kept, delivered: false } };
  assert.deepEqual(promisesBroken(unheard), ['whoever is there hears the end']);
  assert.deepEqual(promisesBroken({ ...unheard, present: new Set() }), []);
});

test('a task counts as delivered only where its requester said so', () => {
  const { history, kept } = told();
  assert.deepEqual(promisesBroken({ history: history.slice(0, 6), kept }), [
    'only what was delivered counts as delivered',
  ]);
});

test('news of a task after its end is seen', () => {
  const { history, kept } = told();
  const { taskId } = kept.task;
  const late = { kind: 'taskUpdate', taskId, state: 'running' } as DownBody;
  const entry: HistoryEntry = { atMs: 99, client: ASKER, way: 'heard', body: late };
  assert.deepEqual(promisesBroken({ history: [...history, entry], kept }), [
    'after the end there is no other news',
  ]);
});

test('a result that was acknowledged and does not count is seen', () => {
  const { history, kept } = told();
  const lost = { ...kept, attempts: kept.attempts.map((each) => ({ ...each, outcome: 'expired' as const })) };
  assert.deepEqual(promisesBroken({ history, kept: lost }), ['an acknowledged result counts']);
});

test('where a failure was taken, a good result under the same lease is answered as it was, and does not count', () => {
  const { history, kept } = told();
  const at = history.findIndex(({ body }) => body.kind === 'result');
  const failure = { code: 'input_unavailable', detail: 'gone' } as const;
  const failed = changed(history.slice(at, at + 1), 'result', { outcome: { ok: false, failure } });
  const lost = { ...kept, attempts: kept.attempts.map((each) => ({ ...each, outcome: 'crashed' as const })) };
  const both = history.toSpliced(at, 0, ...failed);
  assert.deepEqual(promisesBroken({ history: both, kept: lost }), []);
  assert.deepEqual(promisesBroken({ history: both, kept }), [], 'the good one was taken');
});

test('a result that is answered in two ways is seen in either order, and so is one that the disk answers otherwise', () => {
  const { history, kept } = told();
  const acks = history.filter(({ body }) => body.kind === 'resultAck');
  const voided = changed(acks, 'resultAck', { accepted: false, reason: 'lease_void' });
  const broken = ['a result has one answer'];
  assert.deepEqual(promisesBroken({ history: [...history, ...acks], kept }), [], 'the same answer again');
  assert.deepEqual(promisesBroken({ history: [...history, ...voided], kept }), broken);
  const at = history.indexOf(acks[0]!);
  assert.deepEqual(promisesBroken({ history: history.toSpliced(at, 0, ...voided), kept }), broken);
  const alone = history.toSpliced(at, 1, ...voided);
  const taken = { ...kept, attempts: kept.attempts.map((each) => ({ ...each, handedIn: true as const })) };
  assert.deepEqual(promisesBroken({ history: alone, kept: taken }), broken);
});

test('what was said of a lease before it was offered is no result of its', () => {
  const { history, kept } = told();
  const acks = history.filter(({ body }) => body.kind === 'resultAck');
  const voided = changed(acks, 'resultAck', { accepted: false, reason: 'lease_void' });
  assert.deepEqual(promisesBroken({ history: [...voided, ...history], kept }), []);
});

test('two accepted results of one instance are seen, and tokens that do not grow', () => {
  const { history, kept } = told();
  const [, , offer, result, ack] = history;
  assert.ok(offer && result && ack);
  const { lease } = kept.attempts.map(({ instanceId }) => ({ lease: { instanceId, fencingToken: 0 } }))[0]!;
  const second = [offer, result, ack].map(
    (entry) => changed([entry], entry.body.kind, { lease, attempt: 2 })[0]!,
  );
  const broken = promisesBroken({ history: [...history, ...second], kept });
  assert.ok(broken.includes('an instance has one accepted result'));
  assert.ok(broken.includes('fencing tokens only grow'));
});

test('a credit for what nobody handed in is seen, and a booking that does not add up', () => {
  const { history, kept } = told();
  const silent = history.filter(({ client }) => client !== DONOR);
  assert.deepEqual(promisesBroken({ history: silent, kept }), ['only work that was handed in is credited']);
  const [booking] = kept.bookings;
  assert.ok(booking);
  const lopsided = { ...kept, bookings: [{ ...booking, entries: booking.entries.slice(1) }] };
  assert.deepEqual(promisesBroken({ history, kept: lopsided }), ['debits equal credits']);
});
