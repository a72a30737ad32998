/** What a vehicle is booked of energy: all its leases together no more than the meter of its connector saw, however many ran at once. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { LeaseId, UpBody } from '@plugpool/proto';
import type { Settings } from '../../agent/core/settings.ts';
import { checkLaws } from '../simulation/laws.ts';
import {
  bodiesOf,
  connectorOf,
  request,
  SimulatedPile,
  type SentBody,
} from '../simulation/simulated-pile.ts';

const HOUR_MS = 3_600_000;
const WATTS = 100;

function pileWith(settings: Partial<Settings> = {}): SimulatedPile {
  const times = { leaseMs: 24 * HOUR_MS, capacityStaleMs: 24 * HOUR_MS };
  const pile = new SimulatedPile({ ...times, computingPowerMaxMw: WATTS * 1_000, ...settings });
  pile.afterStep = (sent) => checkLaws(pile, sent);
  const cpu = { cpuMillicores: 500, memoryMib: 64 };
  pile.addAlgorithm('sum', [cpu], { workCoreS: 100 });
  pile.addAlgorithm('kept', [cpu], { workCoreS: 1_000, checkpoints: true });
  pile.plug('donor');
  pile.lend('donor');
  pile.ask('asker');
  return pile;
}

function reads(pile: SimulatedPile, energyMwh: number): void {
  pile.firmware({ kind: 'meter', connectorId: connectorOf('donor'), energyMwh });
}

function ask(pile: SimulatedPile, algorithm: string): LeaseId[] {
  const sent: SentBody[] = pile.say('asker.ask-1', request(`r${pile.sent.length}`, algorithm));
  return bodiesOf(sent, 'offer').map(({ lease }) => lease);
}

function begin(pile: SimulatedPile, algorithm = 'sum'): LeaseId {
  const [lease] = ask(pile, algorithm);
  assert.ok(lease, 'nothing was offered');
  return lease;
}

function usedOf(energyMwh: number): Extract<UpBody, { kind: 'result' }>['used'] {
  return { cpuMs: 100, wallMs: 100, memoryPeakMib: 1, gpuMs: 0, energyMwh };
}

function finish(pile: SimulatedPile, lease: LeaseId, energyMwh: number): void {
  const output = { where: 'inline', bytes: Uint8Array.of(1) } as const;
  pile.say('donor.lend', { kind: 'result', lease, used: usedOf(energyMwh), outcome: { ok: true, output } });
}

function keep(pile: SimulatedPile, lease: LeaseId, energyMwh: number): void {
  const state = { digest: 'a'.repeat(64) as never, sizeBytes: 10 };
  pile.say('donor.lend', { kind: 'checkpoint', lease, state, used: usedOf(energyMwh) });
}

/** Of each booking, in their order. */
function bookedMwh(pile: SimulatedPile): number[] {
  return [...pile.disk.bookings.values()].map(({ entries }) => {
    const entry = entries.find(({ account, unit }) => account === 'vehicle:donor' && unit === 'mWh');
    return entry?.amount ?? 0;
  });
}

test('leases that ran at once are together booked no more than the meter saw, who claims first first', () => {
  const pile = pileWith();
  reads(pile, 1_000);
  const leases = [begin(pile), begin(pile), begin(pile)];
  pile.pass(HOUR_MS / 2);
  reads(pile, 1_900);
  for (const lease of leases) finish(pile, lease, 500);
  assert.deepEqual(bookedMwh(pile), [500, 400, 0]);
});

test('what one lease left of it is there for the next, also of a checkpoint', () => {
  const pile = pileWith({ checkpoints: true });
  reads(pile, 0);
  const [kept, other] = [begin(pile, 'kept'), begin(pile)];
  pile.pass(HOUR_MS);
  reads(pile, 1_000);
  keep(pile, kept, 300);
  finish(pile, other, 900);
  pile.pass(HOUR_MS);
  reads(pile, 1_500);
  finish(pile, kept, 2_000);
  assert.deepEqual(bookedMwh(pile), [300, 700, 500]);
});

test('another stay of the vehicle begins anew, and what its meter saw before is nobody’s', () => {
  const pile = pileWith();
  reads(pile, 1_000_000);
  const before = begin(pile);
  pile.pass(HOUR_MS / 2);
  reads(pile, 1_000_400);
  pile.unplug('donor');
  pile.plug('donor');
  reads(pile, 0);
  finish(pile, before, 1_000);
  assert.ok(bookedMwh(pile).every((mwh) => mwh >= 0));
  pile.pass(1_000);
  pile.lend('donor');
  const after = begin(pile);
  pile.pass(HOUR_MS);
  reads(pile, 250);
  finish(pile, after, 1_000);
  assert.equal(bookedMwh(pile).at(-1), 250);
});

type Act =
  | { readonly act: 'begin'; readonly algorithm: 'sum' | 'kept' }
  | { readonly act: 'finish' | 'keep'; readonly which: number; readonly mwh: number }
  | { readonly act: 'read'; readonly grewMwh: number }
  | { readonly act: 'pass'; readonly ms: number };

const ACT: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    act: fc.constant('begin' as const),
    algorithm: fc.constantFrom('sum' as const, 'kept' as const),
  }),
  fc.record({
    act: fc.constantFrom('finish' as const, 'keep' as const),
    which: fc.nat(3),
    mwh: fc.integer({ min: 0, max: 50_000 }),
  }),
  fc.record({ act: fc.constant('read' as const), grewMwh: fc.nat(2_000) }),
  fc.record({ act: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: HOUR_MS / 4 }) }),
);

function play(pile: SimulatedPile, acts: readonly Act[]): void {
  const live: LeaseId[] = [];
  let [registerMwh, readAtMs, mostMwh] = [0, pile.nowMs, 0];
  reads(pile, 0);
  for (const one of acts) {
    if (one.act === 'begin' && live.length < 4) live.push(...ask(pile, one.algorithm));
    else if (one.act === 'pass') pile.pass(one.ms);
    else if (one.act === 'read') {
      reads(pile, (registerMwh += one.grewMwh));
      readAtMs = pile.nowMs;
    } else if (one.act === 'keep' || one.act === 'finish') {
      const lease = live[one.which];
      if (lease === undefined) continue;
      if (one.act === 'keep') keep(pile, lease, one.mwh);
      else live.splice(one.which, 1).forEach((each) => finish(pile, each, one.mwh));
    }
    // What was booked before a reading that came to less than may have flowed stays booked.
    mostMwh = Math.max(mostMwh, registerMwh + ((pile.nowMs - readAtMs) * WATTS * 1_000) / HOUR_MS);
    const booked = bookedMwh(pile).reduce((sum, mwh) => sum + mwh, 0);
    assert.ok(booked <= mostMwh, `${booked} are booked, and ${mostMwh} is the most that can have flowed`);
  }
}

test('law 5: whatever runs at once, keeps its state, claims and ends, a stay is booked no more than its meter saw', () => {
  fc.assert(
    fc.property(fc.array(ACT, { maxLength: 40 }), (acts) => play(pileWith({ checkpoints: true }), acts)),
    { numRuns: 60 },
  );
});
