/** A quorum that more owners must meet than are known: nothing is computed for nothing, and everybody is told what is missing. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { DownBody, TaskId, UpBody, Wants } from '@plugpool/proto';
import { knownVehicles } from '../../agent/core/donors/known-vehicles.ts';
import { explain, explainToRequester, type Explanation } from '../../agent/core/explain/explain.ts';
import { IDLE_DONORS_MAX } from '../../agent/core/limits.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { openTasksView } from '../../agent/core/views.ts';
import { bodiesOf, request, SimulatedPile, type SentBody } from '../simulation/simulated-pile.ts';

type Offer = Extract<DownBody, { kind: 'offer' }>;

function pileWith(donors: readonly string[], settings: Partial<Settings> = {}): SimulatedPile {
  const pile = new SimulatedPile({ trustAfter: 0, ...settings });
  pile.addAlgorithm('sum', [{}], { compare: { by: 'bytes' } });
  for (const donor of donors) arrives(pile, donor);
  pile.ask('asker');
  return pile;
}

function arrives(pile: SimulatedPile, donor: string): SentBody[] {
  pile.plug(donor);
  return pile.lend(donor);
}

function ask(pile: SimulatedPile, wants: Wants): SentBody[] {
  return pile.say('asker.ask-1', request(`r${pile.sent.length}`, 'sum', { wants }));
}

function explained(pile: SimulatedPile): Explanation {
  const [taskId] = [...pile.state.tasks.keys()].slice(-1);
  const explanation = explain(pile.state, taskId as TaskId, pile.now());
  assert.ok(explanation);
  return explanation;
}

function offersIn(sent: readonly SentBody[]): { donor: string; offer: Offer }[] {
  return sent.flatMap(({ clientId, body }) =>
    body.kind === 'offer' ? [{ donor: clientId.replace('.lend', ''), offer: body }] : [],
  );
}

function answered(pile: SimulatedPile, sent: readonly SentBody[], byte = 1): SentBody[] {
  const used = { cpuMs: 10, wallMs: 10, memoryPeakMib: 1, gpuMs: 0 };
  return offersIn(sent).flatMap(({ donor, offer: { lease } }) => {
    const output = { where: 'inline', bytes: Uint8Array.of(byte) } as const;
    const body: UpBody = { kind: 'result', lease, used, outcome: { ok: true, output } };
    return pile.say(`${donor}.lend`, body);
  });
}

test('no replica starts while vehicles of fewer owners are known than must agree', () => {
  const pile = pileWith(['a', 'b']);
  assert.deepEqual(offersIn(ask(pile, { quorum: 3 })), []);
  const { quorum, summary, donors, wait } = explained(pile);
  assert.deepEqual(quorum, {
    part: 0,
    need: 3,
    answered: 0,
    running: 0,
    ownersNeeded: 3,
    ownersKnown: 2,
    isAskedFor: true,
  });
  assert.match(summary, /^0 of 3 owners have answered; vehicles of 2 are known here/);
  for (const donor of donors) {
    assert.deepEqual(donor.obstacles, [{ test: 'too_few_owners', need: 3, have: 2 }]);
    assert.match(donor.because[0] ?? '', /3 owners must agree, and vehicles of 2 are known/);
  }
  assert.match(wait?.wouldRun.at(-1) ?? '', /of an owner of whom no vehicle is known here yet/);
  const [view] = openTasksView(pile.state);
  assert.match(view?.waitsFor ?? '', /vehicles of 2 are known here/);
});

test('the vehicle that makes them enough starts them all, whoever else has not changed', () => {
  const pile = pileWith(['a', 'b']);
  ask(pile, { quorum: 3 });
  // It is not plugged in yet: the others begin.
  const offers = offersIn(pile.lend('c'));
  assert.deepEqual(offers.map(({ donor }) => donor).sort(), ['a', 'b']);
  pile.plug('c');
  assert.equal(offersIn(pile.sent).filter(({ donor }) => donor === 'c').length, 1);
});

test('parts that start together wait for owners together', () => {
  const pile = pileWith(['a']);
  assert.deepEqual(offersIn(ask(pile, { quorum: 2, instances: 2, allAtOnce: true })), []);
  assert.equal(offersIn(arrives(pile, 'b')).length, 4);
});

test('neither the vehicle that asks nor a second one of a fleet is one owner more', () => {
  const vehicles = knownVehicles([{ id: 'van-*', make: '', fleet: 'north' }]);
  const pile = pileWith(['van-1', 'van-2', 'asker'], { vehicles });
  assert.deepEqual(offersIn(ask(pile, { quorum: 2 })), []);
  assert.equal(explained(pile).quorum?.ownersKnown, 1);
  assert.equal(offersIn(arrives(pile, 'a')).length, 2);
});

test('who was here and left is counted with: it may come back, and what others gave is kept for it', () => {
  const pile = pileWith(['a', 'b', 'c']);
  pile.unplug('c');
  const given = ask(pile, { quorum: 3 });
  assert.equal(offersIn(given).length, 2);
  answered(pile, given);
  const { summary, quorum } = explained(pile);
  assert.match(summary, /^2 of 3 owners have answered; waits for another owner’s vehicle/);
  assert.equal(quorum?.ownersKnown, 3);
  const [task] = pile.state.tasks.values();
  const told = task && explainToRequester(pile.state, task, pile.now());
  assert.match(told?.summary ?? '', /^2 of 3 owners have answered/);
  const [delivery] = bodiesOf(answered(pile, arrives(pile, 'c')), 'delivery');
  assert.equal(delivery?.agreeing, 3);
});

test('a task whose first part has answered runs on the vehicle of its replica, and waits for its owner’s word', () => {
  const pile = pileWith(['a', 'b']);
  const given = ask(pile, { quorum: 2 });
  const [first, second] = offersIn(given);
  assert.ok(first && second && first.offer.lease.instanceId.endsWith('_0'));
  answered(
    pile,
    given.filter(({ clientId }) => clientId === `${first.donor}.lend`),
  );
  const [view] = openTasksView(pile.state);
  assert.equal(view?.state, 'running');
  assert.equal(view.donor, second.donor);
  assert.equal(view.reason, null);
  assert.equal(view.waitsFor, '1 of 2 owners has answered');
});

test('who answered counts although its vehicle is forgotten', () => {
  const pile = pileWith(['a', 'b', 'c']);
  pile.unplug('c');
  answered(pile, ask(pile, { quorum: 3 }));
  for (const vehicleId of ['a', 'b']) pile.disconnect(`${vehicleId}.lend`);
  for (let n = 0; n <= IDLE_DONORS_MAX; n += 1) {
    pile.lend(`van-${n}`);
    pile.disconnect(`van-${n}.lend`);
  }
  assert.ok(!pile.state.donors.has('a' as never));
  assert.ok((explained(pile).quorum?.ownersKnown ?? 0) >= 3);
});

test('a dispute that needs more owners than are known says so, and computes no more until they are', () => {
  const pile = pileWith(['a', 'b', 'c']);
  const [first, second] = offersIn(ask(pile, { quorum: 2 }));
  assert.ok(first && second);
  const used = { cpuMs: 10, wallMs: 10, memoryPeakMib: 1, gpuMs: 0 };
  const sent = [first, second].flatMap(({ donor, offer: { lease } }, i) => {
    const output = { where: 'inline', bytes: Uint8Array.of(i) } as const;
    return pile.say(`${donor}.lend`, { kind: 'result', lease, used, outcome: { ok: true, output } });
  });
  assert.deepEqual(offersIn(sent), [], 'four would have to run, and there are three');
  assert.match(explained(pile).summary, /vehicles of 3 are known here/);
  const [delivery] = bodiesOf(answered(pile, arrives(pile, 'd'), 1), 'delivery');
  assert.equal(delivery?.state, 'completed');
});

test('at the deadline it is said how many owners there were', () => {
  const pile = pileWith(['a']);
  const asked = request('late', 'sum', { wants: { quorum: 2 }, deadlineMs: 60_000 });
  pile.say('asker.ask-1', asked);
  const [delivery] = bodiesOf(pile.pass(60_001), 'delivery');
  assert.equal(delivery?.state, 'expired');
  assert.match(delivery.failure?.detail ?? '', /2 vehicles of different owners .* vehicles of 1 were known/);
  assert.equal(delivery.attempts, 0);
});

test('a quorum within the one fleet that is trusted can never be met, and is refused at once', () => {
  const vehicles = knownVehicles([
    { id: 'van-*', make: '', fleet: 'north' },
    { id: 'asker', make: '', fleet: 'north' },
  ]);
  const pile = pileWith(['van-1', 'van-2'], { vehicles });
  const [refused] = bodiesOf(ask(pile, { quorum: 2, trust: { whom: 'fleet' } }), 'refused');
  assert.equal(refused?.reasons[0]?.code, 'never_feasible');
  assert.match(refused.reasons[0].hint, /without a quorum/);
  assert.equal(refused.retryable, false);
});

test('what the pile alone wants confirmed is named too', () => {
  const pile = pileWith(['a', 'b'], { trustAfter: 2 });
  const given = ask(pile, {});
  assert.equal(offersIn(given).length, 2);
  const { quorum, summary } = explained(pile);
  assert.equal(quorum?.isAskedFor, false);
  assert.match(summary, /^0 of 2 owners have answered; of its 2 replicas 2 run/);
});

test('one result that will do has no quorum to tell of', () => {
  const pile = pileWith(['a', 'b']);
  ask(pile, {});
  assert.equal(explained(pile).quorum, null);
  assert.equal(openTasksView(pile.state)[0]?.waitsFor, null);
});
