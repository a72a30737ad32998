/** A map of many parts beside one that is whole. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { placeOf, SplitMap } from '../../agent/core/split-map.ts';

/** More than are kept in one part. */
const MANY = 5_000;

const key = fc.oneof(fc.string(), fc.integer({ min: 0, max: 2 * MANY }).map(String));
const call = fc.record({ does: fc.constantFrom('set', 'delete', 'get'), key });

test('it says what a map says, small or split, whatever its keys are', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(call), (isSplit, calls) => {
      const split = new SplitMap<string, number>();
      const whole = new Map<string, number>();
      for (let n = 0; isSplit && n < MANY; n += 1) {
        split.set(String(n), n);
        whole.set(String(n), n);
      }
      for (const [value, { does, key: at }] of calls.entries()) {
        if (does === 'set') {
          split.set(at, value);
          whole.set(at, value);
        } else if (does === 'delete') assert.equal(split.delete(at), whole.delete(at));
        else assert.equal(split.get(at), whole.get(at));
        assert.equal(split.size, whole.size);
      }
      for (const [at, value] of whole) assert.equal(split.get(at), value);
    }),
    { numRuns: 60 },
  );
});

test('ids that count up lie in all parts alike', () => {
  const entries = new Map<number, number>();
  for (let n = 0; n < 100_000; n += 1) {
    const place = placeOf(`t1-${n.toString(36)}`);
    entries.set(place, (entries.get(place) ?? 0) + 1);
  }
  assert.equal(entries.size, 64);
  assert.ok(Math.max(...entries.values()) < 4_000, 'one part has more than twice its share');
});
