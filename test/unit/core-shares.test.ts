/** Many vehicles that take all they may: what is left for another, and for one that is plugged in here. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { mayTake, mostOfOne } from '../../agent/core/clients/share.ts';
import { standingOf } from '../../agent/core/clients/standing.ts';
import { CONSTRAINTS_ASKED_MAX } from '../../agent/core/limits.ts';
import type { Settings } from '../../agent/core/settings.ts';
import type { TaskRequest, VehicleId } from '../../proto/index.ts';
import {
  bodiesOf,
  digestOf,
  pileWith,
  request,
  SimulatedPile,
  type SentBody,
} from '../simulation/simulated-pile.ts';

function pileOf(settings: Partial<Settings> = {}): SimulatedPile {
  const pile = new SimulatedPile(settings);
  pile.addAlgorithm('sum');
  return pile;
}

/** Each asks until it is refused; how many requests of each were taken. */
function takeAll(
  pile: SimulatedPile,
  vehicles: number,
  ask: (index: number) => Partial<TaskRequest>,
): number[] {
  let asked = 0;
  return Array.from({ length: vehicles }, (_, vehicle) => {
    pile.ask(`made-up-${vehicle}`);
    for (let taken = 0; ; taken++) {
      asked += 1;
      const sent = pile.say(`made-up-${vehicle}.ask-1`, request(`r${asked}`, 'sum', ask(asked)));
      if (bodiesOf(sent, 'refused').length > 0) return taken;
    }
  });
}

function isTaken(sent: readonly SentBody[]): boolean {
  return bodiesOf(sent, 'accepted').length === 1;
}

test('four strangers cannot take all open tasks, and forty leave a quarter of them to who is plugged in', () => {
  const pile = pileOf({ openTasksMax: 400, openTasksPerVehicleMax: 100 });
  const [first = 0, ...others] = takeAll(pile, 4, () => ({}));
  assert.equal(first, 100, 'one alone has what one vehicle may have');
  assert.ok(
    others.every((taken) => taken > 20 && taken < 100),
    `${others.join()} tasks of the others`,
  );
  pile.ask('honest');
  assert.ok(isTaken(pile.say('honest.ask-1', request('one', 'sum'))), 'a fifth has its turn');
  takeAll(pile, 40, () => ({}));
  assert.equal(pile.state.tasks.size, 300);
  assert.ok(!isTaken(pile.say('honest.ask-1', request('two', 'sum'))), 'it is a stranger as well');
  pile.plug('honest');
  assert.ok(isTaken(pile.say('honest.ask-1', request('two', 'sum'))));
});

test('parts of requests are shared as tasks are', () => {
  const pile = pileOf({ openTasksMax: 400, openTasksPerVehicleMax: 400 });
  takeAll(pile, 40, () => ({ wants: { instances: 16 } }));
  assert.ok(pile.state.asked.all.parts <= 300, `${pile.state.asked.all.parts} parts`);
  pile.plug('honest');
  pile.ask('honest');
  assert.ok(isTaken(pile.say('honest.ask-1', request('one', 'sum', { wants: { instances: 16 } }))));
});

test('a pile of few places takes a request of many parts while it has nothing else to do', () => {
  const pile = pileOf({ openTasksMax: 16, openTasksPerVehicleMax: 16 });
  const parts = { wants: { instances: 16 } };
  for (const vehicle of ['first', 'second']) pile.ask(vehicle);
  assert.ok(isTaken(pile.say('first.ask-1', request('one', 'sum', parts))));
  assert.ok(!isTaken(pile.say('second.ask-1', request('one', 'sum', parts))));
});

test('sixteen vehicles, and sixty, cannot take all constraints; who is plugged in has its own', () => {
  for (const vehicles of [16, 60]) {
    const pile = pileOf();
    takeAll(pile, vehicles, (index) => ({
      wants: { constraint: `donor.memoryMib > ${100_000 + index}` },
    }));
    const taken = pile.state.asked.all.constraints.size;
    assert.ok(taken <= 0.75 * CONSTRAINTS_ASKED_MAX, `${taken} constraints`);
    pile.plug('honest');
    pile.ask('honest');
    for (let i = 0; i < 16; i++) {
      const wants = { constraint: `donor.memoryMib > ${i}` };
      assert.ok(isTaken(pile.say('honest.ask-1', request(`r${i}`, 'sum', { wants }))));
    }
  }
});

test('twenty vehicles cannot take all needs from a stranger that has none yet', () => {
  const pile = pileOf();
  takeAll(pile, 20, (index) => ({ wants: { demand: { memoryMib: index } } }));
  pile.ask('honest');
  assert.ok(
    isTaken(pile.say('honest.ask-1', request('one', 'sum', { wants: { demand: { memoryMib: 8_191 } } }))),
  );
});

test('a hundred vehicles that announce inputs and send none leave room for the input of who is plugged in', () => {
  const pile = pileWith();
  const announce = (vehicle: string, id: string): SentBody[] => {
    const input = { where: 'blob', blob: { digest: digestOf(id), sizeBytes: 100_000 } } as const;
    const asked = pile.message(`${vehicle}.ask-1`, request(id, 'sum', { input }));
    return pile.step({ ...asked, blobHeld: false } as typeof asked);
  };
  for (let vehicle = 0; vehicle < 100; vehicle++) {
    pile.ask(`made-up-${vehicle}`);
    for (let i = 0; i < 20; i++) announce(`made-up-${vehicle}`, `${vehicle}-${i}`);
  }
  pile.ask('honest');
  assert.equal(bodiesOf(announce('honest', 'as-a-stranger'), 'refused').length, 1);
  pile.plug('honest');
  assert.deepEqual(announce('honest', 'plugged-in'), []);
});

test('who is plugged in, or holds a lease, is a resident; who is owed something is a guest', () => {
  const pile = pileWith('donor');
  const standing = (vehicle: string) => standingOf(pile.state, vehicle as VehicleId);
  assert.deepEqual(['donor', 'asker', 'nobody'].map(standing), ['resident', 'stranger', 'stranger']);
  pile.say('asker.ask-1', request('r1', 'sum'));
  assert.equal(standing('asker'), 'guest');
  pile.unplug('donor');
  assert.equal(standing('donor'), 'resident', 'until its lease is over');
  pile.pass(pile.settings.revokeGraceMs + 1);
  assert.equal(standing('donor'), 'stranger');
});

test('whatever strangers take and give back in whatever order, a resident finds a quarter, and nobody has more than a third', () => {
  const pile = pileWith();
  pile.plug('resident');
  const [max, resident] = [400, 'resident' as VehicleId];
  const moves = fc.array(
    fc.record({ vehicle: fc.nat(30), more: fc.integer({ min: 1, max: 20 }), back: fc.boolean() }),
  );
  const isShared = fc.property(moves, (made) => {
    const own = new Map<number, number>();
    let used = 0;
    for (const { vehicle, more, back } of made) {
      const has = own.get(vehicle) ?? 0;
      const table = { max, used, own: has };
      const by = back
        ? -Math.min(has, more)
        : mayTake(pile.state, `s${vehicle}` as VehicleId, table, more)
          ? more
          : 0;
      own.set(vehicle, has + by);
      used += by;
    }
    assert.ok(used <= 300);
    assert.ok([...own.values()].every((has) => has <= 100));
    assert.ok(mayTake(pile.state, resident, { max, used, own: 0 }, 100));
  });
  fc.assert(isShared, { numRuns: 300 });
});

test('one vehicle comes to what is said to be the most it can have, and no further, whatever it asks for at once', () => {
  const pile = pileWith();
  pile.plug('resident');
  const has = (max: number, steps: readonly number[]): number =>
    steps.reduce((own, more) => {
      const isTaken = mayTake(pile.state, 'resident' as VehicleId, { max, used: own, own }, more);
      return isTaken ? own + more : own;
    }, 0);
  const asks = fc.integer({ min: 1, max: 16 }).chain((atOnce) =>
    fc.record({
      atOnce: fc.constant(atOnce),
      max: fc.integer({ min: 1, max: 500 }),
      steps: fc.array(fc.integer({ min: 1, max: atOnce }), { maxLength: 200 }),
    }),
  );
  fc.assert(
    fc.property(asks, ({ atOnce, max, steps }) => {
      const most = mostOfOne(max, atOnce);
      assert.ok(has(max, steps) <= most);
      const ones = Array.from({ length: most - atOnce }, () => 1);
      assert.equal(has(max, [...ones, atOnce]), most);
    }),
  );
});
