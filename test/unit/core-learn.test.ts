/** What results, failures and leases teach the agent, and what of it outlives a restart and a commit that failed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { TimerName } from '../../agent/core/timer-name.ts';
import type { FailureCode, LeaseId, UpBody, VehicleId } from '@plugpool/proto';
import {
  capacityReport,
  completed,
  leaseIn,
  pileWith,
  request,
  type SimulatedPile,
} from '../simulation/simulated-pile.ts';

const CAR = 'donor' as VehicleId;
const KEY = 'sum@1';

function ask(pile: SimulatedPile, id: string): LeaseId {
  return leaseIn(pile.say('asker.ask-1', request(id, 'sum')));
}

function failed(lease: LeaseId, code: FailureCode): UpBody {
  const failure = { code, detail: '', stderrTail: '' };
  const used = { cpuMs: 1, wallMs: 1, memoryPeakMib: 1, gpuMs: 0 };
  return { kind: 'result', lease, used, outcome: { ok: false, failure } };
}

function complete(pile: SimulatedPile, id: string, runMs: number): void {
  pile.say('donor.lend', capacityReport({}));
  const lease = ask(pile, id);
  pile.pass(runMs);
  pile.say('donor.lend', completed(lease, runMs));
}

test('runs that take three times as long as estimated are expected to, but for no other algorithm', () => {
  const pile = pileWith('donor');
  for (let i = 0; i < 60; i++) complete(pile, `r${i}`, 3_000);
  assert.equal(pile.state.runTimes.runs(KEY), 60);
  const { medianMs } = pile.state.runTimes.expect(KEY, 1_000);
  assert.ok(medianMs > 2_500 && medianMs < 3_100, String(medianMs));
  assert.equal(pile.state.runTimes.expect('other@1', 1_000).medianMs, 1_000);
  assert.ok(pile.state.health.slowness(CAR, 'cpu') < 1.5, 'the estimate was wrong, the donor is not slow');
});

test('a donor says no longer run-time than the pile saw', () => {
  const pile = pileWith('donor');
  const lease = ask(pile, 'r1');
  pile.pass(1_000);
  pile.say('donor.lend', completed(lease, 3_600_000));
  assert.ok(pile.state.runTimes.expect(KEY, 1_000).medianMs < 1_100);
});

test('what was learned outlives a restart once it was written, and a commit that failed at once', () => {
  const pile = pileWith('donor');
  for (let i = 0; i < 5; i++) complete(pile, `r${i}`, 2_000);
  const before = pile.state.runTimes.expect(KEY, 1_000);
  const share = pile.state.usage.share('asker', pile.now());
  assert.ok(share > 0);
  pile.step({ kind: 'housekeeping' });
  complete(pile, 'last', 1);
  pile.restart();
  assert.deepEqual(pile.state.runTimes.expect(KEY, 1_000), before);
  assert.equal(pile.state.runTimes.runs(KEY), 5);
  assert.ok(Math.abs(pile.state.usage.share('asker', pile.now()) / share - 1) < 0.01);
});

test('what a payer holds counts from grant to end, after a restart too', () => {
  const pile = pileWith('donor');
  const none = pile.state.usage.share('asker', pile.now());
  const lease = ask(pile, 'r1');
  const held = pile.state.usage.share('asker', pile.now());
  assert.equal(none, 0);
  // One of the 32 cores that the largest donor has: capacity that is all but the pile's.
  assert.ok(held > 0.03, String(held));
  pile.restart();
  assert.ok(Math.abs(pile.state.usage.share('asker', pile.now()) - held) < 1e-6);
  pile.plug('donor');
  pile.lend('donor', {}, [lease]);
  pile.say('donor.lend', completed(lease));
  assert.ok(pile.state.usage.share('asker', pile.now()) < 0.001);
});

test('a donor that fails where the algorithm has succeeded falls ill; before any success nobody is blamed', () => {
  const pile = pileWith('donor');
  const fail = (id: string): void => {
    const lease = ask(pile, id);
    pile.say('donor.lend', failed(lease, 'runtime_crashed'));
    pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'task', taskId: taskOf(lease) } });
  };
  for (const id of ['a', 'b', 'c', 'd']) fail(id);
  assert.equal(pile.state.health.verdict(CAR, 'cpu', pile.now()).state, 'well');
  complete(pile, 'works', 1_000);
  for (const id of ['e', 'f', 'g']) fail(id);
  assert.equal(pile.state.health.verdict(CAR, 'cpu', pile.now()).state, 'resting');
  assert.equal(pile.state.health.verdict(CAR, 'gpu', pile.now()).state, 'well');
});

test('a departure says nothing about health', () => {
  const pile = pileWith('donor');
  complete(pile, 'works', 1_000);
  for (let i = 0; i < 6; i++) {
    const lease = ask(pile, `r${i}`);
    // No restless driver: he was there for a while each time.
    pile.pass(60_000);
    pile.unplug('donor');
    pile.say('donor.lend', failed(lease, 'revoked'));
    pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'task', taskId: taskOf(lease) } });
    pile.plug('donor');
    pile.lend('donor');
  }
  assert.equal(pile.state.health.verdict(CAR, 'cpu', pile.now()).state, 'well');
});

function taskOf({ instanceId }: LeaseId): never {
  return instanceId.slice(0, instanceId.lastIndexOf('_')) as never;
}

test('a donor that rests is looked at when its rest is over, after a failed commit too', () => {
  const pile = pileWith('donor');
  pile.state.health.learn('donor' as VehicleId, 'cpu', { kind: 'outvoted' }, pile.now());
  pile.failedStep();
  assert.ok(pile.state.timers.has('rested:donor/cpu' as TimerName));
});
