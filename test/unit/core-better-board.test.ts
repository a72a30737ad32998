/** The moves by which a step's plan gets better, on boards small enough to see. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { makeBetter } from '../../agent/core/matching/better-board.ts';
import { Board, isPlaced, type Spot, type Unit } from '../../agent/core/matching/board.ts';

interface Sketch {
  readonly tier?: number;
  readonly worth?: number;
  readonly yieldsTo?: Unit['yieldsTo'];
  /** Of each part: how much it takes, on which donors it may stand, and where it stands. */
  readonly parts: readonly { readonly takes: number; readonly on: readonly number[]; readonly at?: number }[];
}

const TRIALS = 1_000;

function spotOn(donor: number, amount: number): Spot {
  return { donor, takes: [{ dimension: 0, amount }] };
}

function unitOf({ tier = 0, worth = 1, yieldsTo = 'more_worth', parts }: Sketch): Unit {
  const unit: Unit = { tier, worth, yieldsTo, parts: [] };
  for (const { takes, on, at } of parts)
    unit.parts.push({
      unit,
      spots: on.map((donor) => spotOn(donor, takes)),
      at: at === undefined ? undefined : spotOn(at, takes),
    });
  return unit;
}

/** Donors of one dimension that have this much in all; where each part stands in the end. */
function played(
  sizes: readonly number[],
  sketches: readonly Sketch[],
  trials = TRIALS,
): (number | undefined)[][] {
  const units = sketches.map(unitOf);
  makeBetter(new Board(units, freeUnder(sizes, units)), trials);
  return units.map(({ parts }) => parts.map(({ at }) => at?.donor));
}

function freeUnder(sizes: readonly number[], units: readonly Unit[]): number[][] {
  return sizes.map((size, donor) => [size - takenOn(donor, units)]);
}

function takenOn(donor: number, units: readonly Unit[]): number {
  return units
    .flatMap(({ parts }) => parts)
    .reduce((sum, { at }) => (at?.donor === donor ? sum + (at.takes[0]?.amount ?? 0) : sum), 0);
}

/** One part. */
function one(takes: number, on: readonly number[], at?: number): Sketch['parts'] {
  return [{ takes, on, ...(at === undefined ? {} : { at }) }];
}

test('one that stands moves on where what waits then fits, and nobody is left out', () => {
  const stands = { worth: 9, parts: one(4, [0, 1], 0) };
  const waits = { worth: 1, parts: one(4, [0]) };
  assert.deepEqual(played([4, 4], [stands, waits]), [[1], [0]]);
});

test('one that is pushed pushes another on in turn', () => {
  const first = { worth: 9, yieldsTo: 'nobody', parts: one(4, [0, 1], 0) } as const;
  const second = { worth: 9, yieldsTo: 'nobody', parts: one(4, [1, 2], 1) } as const;
  const waits = { worth: 1, parts: one(4, [0]) };
  assert.deepEqual(played([4, 4, 4], [first, second, waits]), [[1], [2], [0]]);
});

test('two small ones that stand are left out for one that is worth more than both', () => {
  const small = { worth: 2, parts: one(2, [0], 0) };
  assert.deepEqual(played([4], [small, small, { worth: 5, parts: one(4, [0]) }]), [
    [undefined],
    [undefined],
    [0],
  ]);
  assert.deepEqual(played([4], [small, small, { worth: 3, parts: one(4, [0]) }]), [[0], [0], [undefined]]);
});

test('one that stands is left out for several that are worth more together', () => {
  const large = { worth: 3, parts: one(4, [0], 0) };
  const small = { worth: 2, parts: one(2, [0]) };
  assert.deepEqual(played([4], [large, small, small]), [[undefined], [0], [0]]);
});

test('one that is pushed may push out what is worth less, where that is a gain in all', () => {
  const pushed = { tier: 0, worth: 5, parts: one(4, [0, 1], 0) };
  const little = { tier: 1, worth: 1, parts: one(4, [1], 1) };
  const waits = { tier: 1, worth: 9, parts: one(4, [0]) };
  assert.deepEqual(played([4, 4], [pushed, little, waits]), [[1], [undefined], [0]]);
});

test('no worth of a later tier makes up for one of an earlier tier', () => {
  const urgent = { tier: 0, worth: 1, parts: one(4, [0], 0) };
  const large = { tier: 1, worth: 1e9, parts: one(4, [0]) };
  assert.deepEqual(played([4], [urgent, large]), [[0], [undefined]]);
  const waits = { tier: 0, worth: 1, parts: one(4, [0]) };
  assert.deepEqual(played([4], [{ ...large, parts: one(4, [0], 0) }, waits]), [[undefined], [0]]);
});

test('who waited before yields to an earlier tier and to no worth; who is due yields to nobody', () => {
  const waited = (yieldsTo: Unit['yieldsTo']): Sketch => ({ tier: 1, yieldsTo, parts: one(4, [0], 0) });
  const better = { tier: 1, worth: 9, parts: one(4, [0]) };
  const urgent = { tier: 0, parts: one(4, [0]) };
  assert.deepEqual(played([4], [waited('earlier_tiers'), better]), [[0], [undefined]]);
  assert.deepEqual(played([4], [waited('earlier_tiers'), urgent]), [[undefined], [0]]);
  assert.deepEqual(played([4], [waited('nobody'), urgent]), [[0], [undefined]]);
});

test('what starts together enters as a whole or not at all, and is left out as a whole', () => {
  const pair = { worth: 5, parts: [...one(2, [0, 1]), ...one(2, [0, 1])] };
  const stands = { worth: 1, parts: one(2, [0], 0) };
  assert.deepEqual(played([2, 2], [stands, pair]), [[undefined], [1, 0]]);
  assert.deepEqual(played([2, 1], [stands, pair]), [[0], [undefined, undefined]]);
  const placed = { worth: 2, parts: [...one(2, [0], 0), ...one(2, [1], 1)] };
  assert.deepEqual(played([2, 2], [placed, { worth: 3, parts: one(2, [0]) }]), [[undefined, undefined], [0]]);
});

test('without trials nothing that stands is pushed', () => {
  const stands = { parts: one(4, [0, 1], 0) };
  assert.deepEqual(played([4, 4], [stands, { parts: one(4, [0]) }], 0), [[0], [undefined]]);
});

const DONORS = 4;
const SIZE = 8;
const sketch = fc.record({
  tier: fc.nat(2),
  worth: fc.integer({ min: 1, max: 20 }),
  yieldsTo: fc.constantFrom<Unit['yieldsTo']>('nobody', 'earlier_tiers', 'more_worth'),
  parts: fc.array(
    fc.record({
      takes: fc.integer({ min: 1, max: SIZE }),
      on: fc.uniqueArray(fc.nat(DONORS - 1), { minLength: 1, maxLength: DONORS }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

test('however it moves, no donor is overdrawn, no unit is torn, who is due stands, and no earlier tier loses', () => {
  fc.assert(
    fc.property(fc.array(sketch, { maxLength: 10 }), (sketches) => {
      const units = sketches.map(unitOf);
      const sizes = Array.from({ length: DONORS }, () => SIZE);
      placeGreedily(units, sizes);
      const before = units.filter(isPlaced);
      makeBetter(new Board(units, freeUnder(sizes, units)), TRIALS);
      const after = units.filter(isPlaced);
      for (const [donor, size] of sizes.entries()) assert.ok(takenOn(donor, units) <= size);
      for (const { parts } of units) assert.equal(new Set(parts.map(({ at }) => at === undefined)).size, 1);
      for (const unit of before) if (unit.yieldsTo === 'nobody') assert.ok(isPlaced(unit));
      assert.ok(firstDifference(after, before) >= 0);
    }),
  );
});

/** The last first: a plan that can be bettered. */
function placeGreedily(units: readonly Unit[], sizes: readonly number[]): void {
  for (const unit of [...units].reverse()) {
    for (const part of unit.parts)
      part.at = part.spots.find(
        ({ donor, takes: [taken] }) => takenOn(donor, units) + (taken?.amount ?? 0) <= (sizes[donor] ?? 0),
      );
    if (!isPlaced(unit)) for (const part of unit.parts) part.at = undefined;
  }
}

function firstDifference(a: readonly Unit[], b: readonly Unit[]): number {
  const worth = (units: readonly Unit[], of: number): number =>
    units.reduce((sum, unit) => (unit.tier === of ? sum + unit.worth : sum), 0);
  const differences = [0, 1, 2].map((tier) => worth(a, tier) - worth(b, tier));
  return differences.find((difference) => difference !== 0) ?? 0;
}
