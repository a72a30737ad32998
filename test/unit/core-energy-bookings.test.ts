/** What a vehicle is booked of energy: all its leases together no more than the meter of its connector saw, however many ran at once. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import type { LeaseId, UpBody } from '@plugpool/proto';
import { loadState } from '../../agent/core/load.ts';
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

function finish(pile: SimulatedPile, lease: LeaseId, energyMwh: number, by = 'donor'): void {
  const output = { where: 'inline', bytes: Uint8Array.of(1) } as const;
  pile.say(`${by}.lend`, { kind: 'result', lease, used: usedOf(energyMwh), outcome: { ok: true, output } });
}

function keep(pile: SimulatedPile, lease: LeaseId, energyMwh: number): void {
  const state = { digest: 'a'.repeat(64) as never, sizeBytes: 10 };
  pile.say('donor.lend', { kind: 'checkpoint', lease, state, used: usedOf(energyMwh) });
}

/** Of each booking, in their order. */
function bookedMwh(pile: SimulatedPile, vehicle = 'donor'): number[] {
  return [...pile.disk.bookings.values()].map(({ entries }) => {
    const entry = entries.find(({ account, unit }) => account === `vehicle:${vehicle}` && unit === 'mWh');
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

test('who pulls the plug before it hands in is booked no more than the meter saw till then', () => {
  const pile = pileWith();
  reads(pile, 1_000);
  const leases = [begin(pile), begin(pile), begin(pile)];
  pile.pass(HOUR_MS / 2);
  reads(pile, 1_900);
  finish(pile, leases[0] as LeaseId, 100);
  pile.unplug('donor');
  for (const lease of leases.slice(1)) finish(pile, lease, 500);
  assert.deepEqual(bookedMwh(pile), [100, 500, 300]);
});

/** The vehicle is there as before, and whoever lends says what it holds. */
function restart(pile: SimulatedPile, held: readonly LeaseId[]): void {
  pile.restart();
  pile.plug('donor');
  pile.lend('donor', {}, [...held]);
  pile.ask('asker');
}

test('after a restart a lease is bounded from where the meter stood at its grant, once the meter is read again', () => {
  const pile = pileWith();
  reads(pile, 1_000);
  const lease = begin(pile);
  pile.pass(HOUR_MS / 4);
  restart(pile, [lease]);
  pile.pass(HOUR_MS / 4);
  reads(pile, 1_700);
  pile.pass(3_600);
  finish(pile, lease, 50_000);
  // What the register grew by since the grant, and what may have flowed since it was read: 3.6 s of 100 W.
  assert.deepEqual(bookedMwh(pile), [800]);
});

test('leases that a restart left share what their meter saw, with those that ended before it', () => {
  const pile = pileWith({ checkpoints: true });
  reads(pile, 1_000);
  const [ended, kept, other] = [begin(pile), begin(pile, 'kept'), begin(pile)];
  pile.pass(HOUR_MS / 4);
  reads(pile, 1_500);
  finish(pile, ended, 200);
  keep(pile, kept, 100);
  restart(pile, [kept, other]);
  reads(pile, 1_600);
  finish(pile, kept, 250);
  finish(pile, other, 50_000);
  assert.deepEqual(bookedMwh(pile), [200, 100, 150, 150]);
  const after = begin(pile);
  pile.pass(HOUR_MS / 4);
  reads(pile, 1_650);
  finish(pile, after, 50_000);
  assert.equal(bookedMwh(pile).at(-1), 50, 'whoever begins after the restart is of the same stay');
});

test('what is claimed before the meter is read again is bounded by nothing but the lease, and is not there for the next', () => {
  const pile = pileWith();
  reads(pile, 0);
  const leases = [begin(pile), begin(pile)];
  pile.pass(HOUR_MS / 4);
  restart(pile, leases);
  for (const lease of leases.splice(0, 1)) finish(pile, lease, 300);
  reads(pile, 500);
  for (const lease of leases) finish(pile, lease, 400);
  assert.deepEqual(bookedMwh(pile), [300, 200]);
});

test('a commit that failed takes nothing: what it had booked is there to be claimed again', () => {
  const pile = pileWith();
  reads(pile, 0);
  const [first, second] = [begin(pile), begin(pile)];
  pile.pass(HOUR_MS / 4);
  reads(pile, 500);
  const output = { where: 'inline', bytes: Uint8Array.of(1) } as const;
  const result = { kind: 'result', lease: first, used: usedOf(400), outcome: { ok: true, output } } as const;
  pile.failedStep(pile.message('donor.lend', result));
  finish(pile, first, 400);
  finish(pile, second, 400);
  assert.deepEqual(bookedMwh(pile), [400, 100]);
});

test('across a restart a meter that began anew, another source or a doubted reading bounds nothing', () => {
  const doubt = { field: 'energyMwh', value: 7, why: 'outOfRange' } as const;
  const connectorId = connectorOf('donor');
  const other = { name: 'other', staleAfterMs: 0 };
  const disturbances: readonly ((pile: SimulatedPile) => unknown)[] = [
    (pile) => reads(pile, 999_999),
    (pile) => pile.firmware({ kind: 'meter', connectorId, doubted: [doubt] }),
    (pile) => pile.firmware({ kind: 'meter', connectorId, energyMwh: 1_000_100 }, other),
    (pile) => {
      pile.unplug('donor');
      pile.plug('donor');
    },
  ];
  for (const disturb of disturbances) {
    const pile = pileWith();
    reads(pile, 1_000_000);
    const lease = begin(pile);
    pile.pass(360_000);
    restart(pile, [lease]);
    disturb(pile);
    reads(pile, 1_000_200);
    finish(pile, lease, 50_000);
    assert.equal(Math.floor((bookedMwh(pile)[0] ?? 0) / 100), 100, 'six minutes of 100 W');
  }
});

test('a break that was seen before a restart is known after it', () => {
  const pile = pileWith();
  const connectorId = connectorOf('donor');
  reads(pile, 500);
  const lease = begin(pile);
  pile.pass(360_000);
  const doubt = { field: 'energyMwh', value: 100, why: 'ranBackwards' } as const;
  pile.firmware({ kind: 'meter', connectorId, doubted: [doubt] });
  reads(pile, 100);
  restart(pile, [lease]);
  // What it counted since it began at 100 is not what flowed since the grant.
  reads(pile, 600);
  finish(pile, lease, 9_000);
  assert.deepEqual(bookedMwh(pile), [9_000]);
});

test('a break of which the commit failed is known after a restart too', () => {
  const connectorId = connectorOf('donor');
  const at = { receivedWallMs: 0 };
  const doubt = { field: 'energyMwh', value: 100, why: 'ranBackwards' } as const;
  const breaks: readonly ((pile: SimulatedPile, lease: LeaseId) => FirmwareEvent)[] = [
    () => ({ kind: 'meter', connectorId, at, doubted: [doubt] }),
    () => ({ kind: 'unplugged', connectorId, at }),
    (pile, lease) => {
      restart(pile, [lease]);
      return { kind: 'meter', connectorId, at, doubted: [doubt] };
    },
  ];
  for (const broken of breaks) {
    const pile = pileWith();
    reads(pile, 500);
    const lease = begin(pile);
    pile.pass(360_000);
    pile.failedStep({ kind: 'firmware', event: broken(pile, lease), source: pile.sourceOf(connectorId) });
    pile.step({ kind: 'tick' });
    restart(pile, [lease]);
    // What it counted since it began at 100 is not what flowed since the grant.
    reads(pile, 600);
    finish(pile, lease, 9_000);
    assert.deepEqual(bookedMwh(pile), [9_000]);
  }
});

test('a vehicle that came while the agent was away shares nothing with the one before', () => {
  const pile = pileWith();
  reads(pile, 0);
  begin(pile);
  pile.pass(360_000);
  pile.restart();
  pile.plug('other', 'donor');
  pile.lend('other');
  pile.ask('asker');
  reads(pile, 5_000);
  const leases = [begin(pile), begin(pile)];
  pile.pass(360_000);
  reads(pile, 5_100);
  for (const lease of leases) finish(pile, lease, 9_000, 'other');
  assert.deepEqual(bookedMwh(pile, 'other'), [100, 0]);
});

test('what is on disk of a meter and cannot be read is said, and bounds nothing', () => {
  const pile = pileWith();
  reads(pile, 0);
  const lease = begin(pile);
  const [name] = [...pile.disk.learned.keys()].filter((each) => each.startsWith('metered'));
  assert.ok(name);
  pile.disk.learned.set(name, '{"from":1,"source":7}');
  pile.nowMs += 360_000;
  const state = loadState(pile.disk.load(), pile.settings, pile.now());
  assert.deepEqual(state.damaged, [name]);
  restart(pile, [lease]);
  reads(pile, 1);
  finish(pile, lease, 9_000);
  assert.deepEqual(bookedMwh(pile), [9_000]);
});

test('what a stay took is written where a claim took something, and once more when the stay is over', () => {
  const pile = pileWith();
  let writes = 0;
  const { learned } = pile.disk;
  const set = learned.set.bind(learned);
  learned.set = (name, value) => {
    if (name.startsWith('metered')) writes += 1;
    return set(name, value);
  };
  reads(pile, 0);
  const leases = [begin(pile), begin(pile), begin(pile)];
  assert.equal(writes, 1, 'the first grant of the stay');
  pile.pass(360_000);
  reads(pile, 1_000);
  for (const [index, lease] of leases.entries()) finish(pile, lease, index === 0 ? 300 : 0);
  assert.equal(writes, 2);
  pile.unplug('donor');
  assert.equal(writes, 3);
  assert.equal(learned.get(`metered:${connectorOf('donor')}`), 'null');
});

test('where no meter tells anything, nothing of one is written', () => {
  const pile = pileWith();
  finish(pile, begin(pile), 400);
  const running = begin(pile);
  pile.unplug('donor');
  assert.deepEqual(
    [...pile.disk.learned.keys()].filter((name) => name.startsWith('metered')),
    [],
  );
  assert.equal(pile.disk.instances.get(running.instanceId)?.lease?.meterMwh, undefined);
});

type Act =
  | { readonly act: 'begin'; readonly algorithm: 'sum' | 'kept' }
  | { readonly act: 'finish' | 'keep'; readonly which: number; readonly mwh: number }
  | { readonly act: 'read'; readonly grewMwh: number }
  | { readonly act: 'pass'; readonly ms: number }
  | { readonly act: 'restart' };

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
  fc.record({ act: fc.constant('restart' as const) }),
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
    } else if (one.act === 'restart') {
      restart(pile, live);
      reads(pile, registerMwh);
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

test('law 5: whatever runs at once, keeps its state, claims, ends and is restarted, a stay is booked no more than its meter saw', () => {
  fc.assert(
    fc.property(fc.array(ACT, { maxLength: 40 }), (acts) => play(pileWith({ checkpoints: true }), acts)),
    { numRuns: 60 },
  );
});
