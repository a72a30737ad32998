/** Whose bytes a vehicle may pull: what it runs, asked with or is owed, and images; nothing that it only knows the digest of. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { mayPull } from '../../agent/core/payloads/may-pull.ts';
import type { LeaseId, Payload, UpBody, VehicleId } from '../../proto/index.ts';
import { digestOf, leaseIn, request, SimulatedPile } from '../simulation/simulated-pile.ts';

const VEHICLES = ['asker', 'donor', 'other-donor', 'stranger'];

function blob(name: string): Payload {
  return { where: 'blob', blob: { digest: digestOf(name), sizeBytes: 100_000 } };
}

function pileOf(): SimulatedPile {
  const pile = new SimulatedPile({ checkpoints: true, progressMinMs: 1_000 });
  pile.addAlgorithm('long', [{}], { checkpoints: true, workCoreS: 100 });
  pile.plug('donor');
  pile.lend('donor');
  pile.ask('asker');
  return pile;
}

function whoMayPull(pile: SimulatedPile, name: string): string[] {
  return VEHICLES.filter((vehicle) => mayPull(pile.state, vehicle as VehicleId, digestOf(name)));
}

function ended(lease: LeaseId, outcome: Extract<UpBody, { kind: 'result' }>['outcome']): UpBody {
  return { kind: 'result', lease, used: { cpuMs: 500, wallMs: 500, memoryPeakMib: 1, gpuMs: 0 }, outcome };
}

test('an input is its requester’s and, while it holds the lease, its donor’s', () => {
  const pile = pileOf();
  const lease = leaseIn(pile.say('asker.ask-1', request('r', 'long', { input: blob('input') })));
  assert.deepEqual(whoMayPull(pile, 'input'), ['asker', 'donor']);
  pile.say('donor.lend', ended(lease, { ok: true, output: blob('output') }));
  assert.deepEqual(whoMayPull(pile, 'input'), ['asker']);
});

test('an output is its requester’s until the delivery is acknowledged', () => {
  const pile = pileOf();
  const lease = leaseIn(pile.say('asker.ask-1', request('r', 'long', { input: blob('input') })));
  pile.say('donor.lend', ended(lease, { ok: true, output: blob('output') }));
  assert.deepEqual(whoMayPull(pile, 'output'), ['asker']);
  const [taskId] = pile.state.tasks.keys();
  assert.ok(taskId);
  pile.say('asker.ask-1', { kind: 'deliveryAck', taskId });
  assert.deepEqual(whoMayPull(pile, 'output'), []);
});

test('a checkpoint is for whoever goes on from it', () => {
  const pile = pileOf();
  const lease = leaseIn(pile.say('asker.ask-1', request('r', 'long', { input: blob('input') })));
  pile.pass(5_000);
  const used = { cpuMs: 5_000, wallMs: 5_000, memoryPeakMib: 1, gpuMs: 0 };
  const state = { digest: digestOf('state'), sizeBytes: 100_000 };
  pile.say('donor.lend', { kind: 'checkpoint', lease, state, used });
  pile.unplug('donor');
  pile.plug('other-donor');
  pile.lend('other-donor');
  const failure = { code: 'revoked', detail: 'unplugged', stderrTail: '' } as const;
  pile.say('donor.lend', ended(lease, { ok: false, failure }));
  assert.deepEqual(whoMayPull(pile, 'state'), ['other-donor']);
});

test('an image of the catalogue is anybody’s, and what was never heard of is nobody’s', () => {
  const pile = pileOf();
  const [algorithm] = pile.state.algorithms.values();
  assert.ok(algorithm);
  const { digest } = algorithm.image;
  assert.ok(VEHICLES.every((vehicle) => mayPull(pile.state, vehicle as VehicleId, digest)));
  assert.deepEqual(whoMayPull(pile, 'never heard of'), []);
});
