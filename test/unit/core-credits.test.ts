/** One record for each stay that earned something: what is in it, when it is made, and what becomes of it at the back office. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ControlOutcome } from '@plugpool/firmware-bridge';
import { vehicleIdOf } from '@plugpool/proto';
import type { LeaseId, VehicleId } from '@plugpool/proto';
import { CREDIT_GIVEN_UP_MS, CREDIT_SETTLES_MS_MAX, CREDIT_UNSEEN_MS_MAX } from '../../agent/core/limits.ts';
import type { CreditRecord } from '../../agent/core/records.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { checkLaws } from '../simulation/laws.ts';
import {
  capacityReport,
  completed,
  connectorOf,
  leaseIn,
  request,
  SimulatedPile,
} from '../simulation/simulated-pile.ts';

const DAY = {
  name: 'day',
  currency: 'EUR',
  cpuHourMicros: 3_600_000,
  gpuHourMicros: 0,
  operatorShareMillis: 100,
  energyKwhMicros: 0,
};
const MINUTE_MS = 60_000;

function pileThatKeeps(settings: Partial<Settings> = {}): SimulatedPile {
  const pile = new SimulatedPile({ credits: 'keep', trustAfter: 0, tariffs: [DAY], ...settings });
  pile.afterStep = (sent) => checkLaws(pile, sent);
  pile.addAlgorithm('sum', [{}], { compare: { by: 'bytes' } });
  pile.ask('asker');
  return pile;
}

let requests = 0;

/** Asks for a run; returns the lease of whoever got it. */
function grant(pile: SimulatedPile): LeaseId {
  requests += 1;
  return leaseIn(pile.say('asker.ask-1', request(`r${requests}`, 'sum')));
}

function earn(pile: SimulatedPile, car: string, cpuMs: number): void {
  const lease = grant(pile);
  pile.pass(cpuMs);
  pile.say(`${car}.lend`, completed(lease, cpuMs));
}

/** For longer than a stay that would be none. */
function come(pile: SimulatedPile, car: string): void {
  pile.plug(car);
  pile.pass(MINUTE_MS);
  pile.lend(car);
}

function madeOf(pile: SimulatedPile): CreditRecord[] {
  return [...pile.disk.credits.values()].flatMap(({ credit }) =>
    credit.madeWallMs === undefined ? [] : [credit],
  );
}

function onlyMade(pile: SimulatedPile): CreditRecord {
  const made = madeOf(pile);
  assert.equal(made.length, 1);
  return made[0] as CreditRecord;
}

const inUnit = ({ earned }: CreditRecord, unit: string): number =>
  earned.find((each) => each.unit === unit)?.amount ?? 0;

test('a stay that earned something has one record when it is over: what its donor was credited, and nothing of the operator’s', () => {
  const pile = pileThatKeeps();
  const pluggedWallMs = pile.now().wallMs;
  come(pile, 'a');
  pile.firmware({ kind: 'transactionStarted', connectorId: connectorOf('a'), transactionId: 'tx-9' });
  earn(pile, 'a', 1_000);
  earn(pile, 'a', 2_000);
  assert.deepEqual(madeOf(pile), [], 'the stay goes on');
  pile.firmware({ kind: 'transactionEnded', connectorId: connectorOf('a'), transactionId: 'tx-9' });
  pile.unplug('a');
  pile.pass(10);
  const record = onlyMade(pile);
  assert.equal(record.vehicleId, 'a');
  assert.equal(record.transactionId, 'tx-9');
  assert.deepEqual([record.bookings, record.tariffs], [2, ['day']]);
  assert.equal(inUnit(record, 'cpuMncs'), 2_700);
  // 3 s at 3.6 cent-millionths … an hour of the reference core is 3,600,000 millionths: 1,000 a second, nine tenths the donor's.
  assert.equal(inUnit(record, 'EURe-6'), 2_700);
  assert.deepEqual([record.pluggedWallMs, record.ended?.how], [pluggedWallMs, 'unplugged']);
  assert.equal(pile.state.credits.open.size, 0);
});

test('what the records of a vehicle say is what its account was credited', () => {
  const pile = pileThatKeeps();
  for (const cpuMs of [700, 1_300, 90]) {
    come(pile, 'a');
    earn(pile, 'a', cpuMs);
    pile.unplug('a');
    pile.disconnect('a.lend');
    pile.pass(MINUTE_MS);
  }
  const credited = [...pile.disk.bookings.values()]
    .flatMap(({ entries }) => entries)
    .filter(({ account, unit }) => account === 'vehicle:a' && unit === 'cpuMncs')
    .reduce((sum, { amount }) => sum + amount, 0);
  const made = madeOf(pile);
  assert.equal(made.length, 3);
  assert.equal(new Set(made.map(({ creditId }) => creditId)).size, 3);
  assert.equal(
    made.reduce((sum, record) => sum + inUnit(record, 'cpuMncs'), 0),
    credited,
  );
});

test('nobody who earned nothing has a record, and where records are off nothing is kept at all', () => {
  const pile = pileThatKeeps();
  come(pile, 'a');
  grant(pile);
  pile.unplug('a');
  pile.pass(CREDIT_SETTLES_MS_MAX);
  const off = pileThatKeeps({ credits: 'off' });
  come(off, 'a');
  earn(off, 'a', 1_000);
  off.unplug('a');
  off.pass(MINUTE_MS);
  assert.deepEqual([pile.disk.credits.size, off.disk.credits.size], [0, 0]);
  assert.equal(pile.state.credits.open.size + off.state.credits.open.size, 0);
});

test('a result that comes within the grace after the plug was pulled is of the stay that it was granted in', () => {
  const pile = pileThatKeeps();
  come(pile, 'a');
  earn(pile, 'a', 1_000);
  const lease = grant(pile);
  pile.pass(1_000);
  pile.unplug('a');
  pile.pass(500);
  assert.deepEqual(madeOf(pile), []);
  pile.say('a.lend', completed(lease, 1_000));
  pile.pass(10_000);
  assert.equal(inUnit(onlyMade(pile), 'cpuMncs'), 1_800);
});

test('a result that waits for a second one holds the record back, and is in it', () => {
  const pile = pileThatKeeps();
  come(pile, 'a');
  earn(pile, 'a', 1_000);
  come(pile, 'b');
  pile.say('a.lend', capacityReport({}));
  requests += 1;
  const sent = pile.say('asker.ask-1', request(`r${requests}`, 'sum', { wants: { quorum: 2 } }));
  const leases = new Map<string, LeaseId>(
    sent.flatMap(({ clientId, body }) => (body.kind === 'offer' ? [[clientId, body.lease] as const] : [])),
  );
  assert.equal(leases.size, 2);
  pile.pass(1_000);
  const [first, second] = ['a.lend', 'b.lend'].map((clientId) => leases.get(clientId));
  assert.ok(first && second);
  pile.say('a.lend', completed(first, 800));
  pile.unplug('a');
  pile.pass(9_000);
  assert.deepEqual(madeOf(pile), [], 'its part of the second is not booked yet');
  pile.say('b.lend', completed(second, 900));
  pile.pass(20_000);
  assert.equal(inUnit(onlyMade(pile), 'cpuMncs'), 900 + 720);
  assert.equal(onlyMade(pile).vehicleId, 'a');
});

test('a restart in the middle of a stay makes no second record of it', () => {
  const pile = pileThatKeeps();
  come(pile, 'a');
  earn(pile, 'a', 1_000);
  const plugged = [...pile.disk.credits.values()][0]?.credit.pluggedWallMs;
  pile.restart();
  pile.ask('asker');
  come(pile, 'a');
  earn(pile, 'a', 1_000);
  pile.unplug('a');
  pile.pass(10);
  assert.equal(inUnit(onlyMade(pile), 'cpuMncs'), 1_800);
  assert.equal(onlyMade(pile).pluggedWallMs, plugged, 'it began before the restart');
});

test('a vehicle that left while the agent was away has its record when the firmware says so, or names it no more', () => {
  for (const how of ['unplugged', 'silent'] as const) {
    const pile = pileThatKeeps();
    come(pile, 'a');
    earn(pile, 'a', 1_000);
    const lastWallMs = pile.now().wallMs;
    pile.restart();
    pile.pass(1_000);
    assert.deepEqual(madeOf(pile), [], 'the firmware has said nothing yet');
    if (how === 'unplugged') pile.unplug('a');
    pile.pass(10);
    if (how === 'silent') {
      pile.pass(CREDIT_UNSEEN_MS_MAX - 10_000);
      assert.deepEqual(madeOf(pile), []);
      pile.pass(20_000);
      assert.deepEqual(onlyMade(pile).ended, { wallMs: lastWallMs, how: 'unseen' });
    } else assert.equal(onlyMade(pile).ended?.how, 'unplugged');
  }
});

test('a vehicle that left unseen has its record when the stay of who is there now is over, as of when that one was named', () => {
  const pile = pileThatKeeps();
  come(pile, 'a');
  earn(pile, 'a', 1_000);
  pile.restart();
  pile.plug('b', 'a');
  const namedWallMs = pile.now().wallMs;
  pile.pass(CREDIT_UNSEEN_MS_MAX + MINUTE_MS);
  assert.deepEqual(madeOf(pile), [], 'it may be the same stay yet');
  pile.unplug('a');
  pile.pass(10);
  assert.deepEqual(onlyMade(pile).ended, { wallMs: namedWallMs, how: 'unplugged' });
});

test('a vehicle has one record of its stay, though another was named in the middle of it, which has its own', () => {
  const pile = pileThatKeeps();
  const connectorId = connectorOf('a');
  const breakDown = (): void => {
    pile.firmware({ kind: 'faulted', connectorId, reason: 'x' });
  };
  come(pile, 'a');
  earn(pile, 'a', 1_000);
  breakDown();
  pile.plug('b', 'a');
  const namedWallMs = pile.now().wallMs;
  pile.lend('b');
  earn(pile, 'b', 500);
  pile.pass(CREDIT_SETTLES_MS_MAX + MINUTE_MS);
  breakDown();
  pile.plug('a');
  pile.lend('a');
  earn(pile, 'a', 2_000);
  pile.pass(MINUTE_MS);
  assert.deepEqual(madeOf(pile), []);
  pile.unplug('a');
  pile.pass(10);
  const made = madeOf(pile).map((record) => [record.vehicleId, inUnit(record, 'cpuMncs')]);
  assert.deepEqual(made, [
    ['a', 2_700],
    ['b', 450],
  ]);
  const [one, other] = madeOf(pile);
  assert.deepEqual(one?.ended, { wallMs: pile.now().wallMs - 10, how: 'unplugged' });
  assert.ok(other?.ended !== undefined && other.ended.wallMs > namedWallMs);
});

test('a vehicle that is named late after a restart has one record of its stay', () => {
  for (const lateMs of [1_000, 2 * CREDIT_UNSEEN_MS_MAX]) {
    const pile = pileThatKeeps();
    come(pile, 'a');
    earn(pile, 'a', 1_000);
    pile.restart();
    pile.ask('asker');
    pile.firmware({ kind: 'plugged', connectorId: connectorOf('a') });
    pile.pass(lateMs);
    come(pile, 'a');
    earn(pile, 'a', 1_000);
    pile.unplug('a');
    pile.pass(10);
    assert.equal(inUnit(onlyMade(pile), 'cpuMncs'), 1_800, `named after ${lateMs} ms`);
    assert.deepEqual(onlyMade(pile).ended?.how, 'unplugged');
  }
});

test('a result that is handed in after a restart, before the firmware has named its vehicle, begins no record beside that of the stay', () => {
  const pile = pileThatKeeps();
  come(pile, 'a');
  const lease = grant(pile);
  pile.pass(1_000);
  pile.restart();
  pile.lend('a', {}, [lease]);
  pile.say('a.lend', completed(lease, 1_000));
  pile.pass(MINUTE_MS);
  pile.ask('asker');
  come(pile, 'a');
  earn(pile, 'a', 1_000);
  pile.unplug('a');
  pile.pass(10);
  assert.equal(inUnit(onlyMade(pile), 'cpuMncs'), 1_800);
});

test('what the meter signed is kept byte for byte: the first and the last of the stay, also one that comes after the plug was pulled', () => {
  const pile = pileThatKeeps();
  const sign = (data: string): void => {
    pile.firmware({ kind: 'meter', connectorId: connectorOf('a'), signed: { format: 'OCMF', data } });
  };
  pile.plug('a');
  const [begin, middle, end] = [
    'OCMF|{"PG":"T1", "ü": 1}|{"SD":"3f"}',
    'OCMF|{}|{}',
    ' OCMF|{"PG":"T9"}|{}\n',
  ];
  sign(begin);
  pile.lend('a');
  const lease = grant(pile);
  pile.pass(1_000);
  sign(middle);
  pile.unplug('a');
  sign(end);
  sign('x'.repeat(8_193));
  pile.say('a.lend', completed(lease, 1_000));
  pile.pass(10_000);
  assert.deepEqual(onlyMade(pile).signed, { first: begin, last: end });
});

test('a made record is sent until the back office takes it, ever more seldom, and it is the same record each time', () => {
  const pile = pileThatKeeps({ credits: 'send' });
  pile.answerControl = () => ({ ok: false, code: 'no_answer', message: 'nobody' });
  come(pile, 'a');
  earn(pile, 'a', 1_000);
  pile.unplug('a');
  pile.pass(10);
  const { creditId } = onlyMade(pile);
  assert.deepEqual(pile.controls, [{ kind: 'sendCredit', connectorId: connectorOf('a'), creditId }]);
  pile.pass(24 * 60 * MINUTE_MS);
  const tries = pile.controls.length;
  assert.ok(tries >= 9 && tries <= 14, `tried ${tries} times in a day`);
  pile.restart();
  pile.pass(MINUTE_MS);
  assert.equal(pile.controls.length, tries + 1, 'a restart asks again');
  pile.answerControl = () => ({ ok: true });
  pile.pass(7 * 60 * MINUTE_MS);
  assert.equal(pile.disk.credits.get(creditId)?.sending?.state, 'accepted');
  const { length } = pile.controls;
  pile.pass(24 * 60 * MINUTE_MS);
  assert.equal(pile.controls.length, length);
  assert.ok(pile.controls.every((control) => control.kind === 'sendCredit' && control.creditId === creditId));
});

test('a back office that never will is asked once, one that refuses some hours long, and one that never answers is given up', () => {
  const outcomes: [ControlOutcome, string, number?][] = [
    [{ ok: false, code: 'unsupported', message: 'UnknownVendorId' }, 'refused', 1],
    [{ ok: false, code: 'refused', message: 'Rejected' }, 'refused', 8],
    [{ ok: false, code: 'link_lost', message: 'down' }, 'given_up'],
  ];
  for (const [outcome, state, tries] of outcomes) {
    const pile = pileThatKeeps({ credits: 'send' });
    pile.answerControl = () => outcome;
    come(pile, 'a');
    earn(pile, 'a', 1_000);
    pile.unplug('a');
    pile.pass(10);
    if (state === 'given_up') pile.pass(CREDIT_GIVEN_UP_MS + 24 * 60 * MINUTE_MS);
    else pile.pass(24 * 60 * MINUTE_MS);
    const { sending } = pile.disk.credits.get(onlyMade(pile).creditId) ?? {};
    assert.equal(sending?.state, state);
    if (tries !== undefined) assert.equal(pile.controls.length, tries);
    assert.equal(pile.state.credits.unsent.size, 0);
  }
});

test('whatever plugs, results, restarts and failed commits come, each stay has one record and all of them what was credited', () => {
  const car = fc.constantFrom('a', 'b');
  const work = fc.record({ do: fc.constant('work' as const), car });
  const act = fc.oneof(
    fc.record({ do: fc.constantFrom('come' as const, 'leave' as const), car }),
    work,
    work,
    fc.record({ do: fc.constantFrom('restart' as const, 'fail' as const, 'wait' as const) }),
  );
  let made = 0;
  fc.assert(
    fc.property(fc.array(act, { minLength: 10, maxLength: 40, size: 'max' }), (acts) => {
      const pile = pileThatKeeps();
      const here = new Set<string>();
      const worked = new Set<string>();
      let [stays, n] = [0, 0];
      for (const one of acts) {
        for (const each of here) pile.say(`${each}.lend`, capacityReport({}));
        if (one.do === 'come' && !here.has(one.car)) {
          here.add(one.car);
          come(pile, one.car);
        } else if (one.do === 'leave' && here.delete(one.car)) {
          pile.unplug(one.car);
          pile.disconnect(`${one.car}.lend`);
          worked.delete(one.car);
        } else if (one.do === 'work' && here.size > 0) {
          n += 1;
          const sent = pile.say('asker.ask-1', request(`p${n}`, 'sum'));
          const offer = sent.find(({ body }) => body.kind === 'offer');
          if (offer === undefined) continue;
          const worker = vehicleIdOf(offer.clientId);
          pile.pass(100);
          pile.say(offer.clientId, completed(leaseIn([offer]), 100));
          if (!worked.has(worker)) stays += 1;
          worked.add(worker);
        } else if (one.do === 'restart') {
          pile.restart();
          pile.ask('asker');
          for (const each of here) come(pile, each);
        } else if (one.do === 'fail') pile.failedStep({ kind: 'tick' });
        else pile.pass(3_000);
      }
      for (const each of here) pile.unplug(each);
      pile.pass(CREDIT_UNSEEN_MS_MAX + CREDIT_SETTLES_MS_MAX);
      const records = madeOf(pile);
      assert.equal(records.length, stays, 'one record for each stay that earned something');
      assert.equal(pile.disk.credits.size, stays, 'none is left unmade');
      for (const vehicle of ['a', 'b']) {
        const credited = [...pile.disk.bookings.values()]
          .flatMap(({ entries }) => entries)
          .filter(({ account, unit }) => account === `vehicle:${vehicle}` && unit === 'cpuMncs')
          .reduce((sum, { amount }) => sum + amount, 0);
        const own = records.filter(({ vehicleId }) => vehicleId === (vehicle as VehicleId));
        assert.equal(
          own.reduce((sum, record) => sum + inUnit(record, 'cpuMncs'), 0),
          credited,
        );
      }
      made += records.length;
    }),
    { numRuns: 50 },
  );
  assert.ok(made > 50, `only ${made} records were made`);
});
