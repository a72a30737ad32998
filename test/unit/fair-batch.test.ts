/** Vehicles that flood the pile: nobody waits behind them, and who says what cannot be read is not read for ever. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ConnectionNumber, Event } from '../../agent/core/events.ts';
import { laneOf, takeFairly } from '../../agent/fair-batch.ts';
import { Strikes } from '../../agent/strikes.ts';
import { clientName } from '../simulation/simulated-pile.ts';

function from(vehicle: string): Event {
  return { kind: 'disconnected', client: clientName(`${vehicle}.lend`), connection: 1 as ConnectionNumber };
}

const TICK: Event = { kind: 'tick' };

test('what one vehicle says is in the next step, however much others said before it', () => {
  const flood = Array.from({ length: 5_000 }, (_, i) => from(`hostile-${i % 20}`));
  const honest = from('honest');
  const { taken, left } = takeFairly([...flood, honest, TICK], 100);
  assert.equal(taken.length, 100);
  assert.ok(taken.includes(honest) && taken.includes(TICK));
  assert.equal(left.length, 4_902);
});

test('whoever is alone has the whole step, and what fits is taken as it came', () => {
  const alone = Array.from({ length: 300 }, () => from('busy'));
  assert.equal(takeFairly(alone, 200).taken.length, 200);
  const few = [from('b'), TICK, from('a'), from('b')];
  assert.deepEqual(takeFairly(few, 4), { taken: few, left: [] });
});

test('who has more to say than others has a turn too, however many they are and however long they go on', () => {
  for (const others of [100, 300]) {
    const first = from('busy');
    let queue = [first, from('busy'), from('busy')];
    let steps = 0;
    for (; queue.includes(first) && steps < 10; steps++) {
      const waiting = new Set(queue.map(laneOf));
      // Whoever was served has as much to say again.
      for (let i = 0; i < others; i++)
        if (!waiting.has(laneOf(from(`other-${i}`)))) queue.push(from(`other-${i}`), from(`other-${i}`));
      queue = takeFairly(queue, 128).left;
    }
    assert.ok(steps <= 3, `of ${others} others the busy one waits for ${steps} steps`);
  }
});

test('nothing is lost, nothing is said twice, and what one vehicle said stays in its order', () => {
  const said = fc.array(fc.nat(6), { maxLength: 60 });
  fc.assert(
    fc.property(said, fc.integer({ min: 1, max: 40 }), (vehicles, max) => {
      const queue = vehicles.map((vehicle) => (vehicle === 0 ? { ...TICK } : from(`car-${vehicle}`)));
      const gone: Event[] = [];
      for (let left: Event[] = [...queue]; left.length > 0;) {
        const batch = takeFairly(left, max);
        assert.ok(batch.taken.length > 0 && batch.taken.length <= max);
        gone.push(...batch.taken);
        left = batch.left;
      }
      assert.deepEqual(new Set(gone), new Set(queue));
      assert.equal(gone.length, queue.length);
      for (const lane of new Set(queue.map(laneOf))) {
        const of = (events: readonly Event[]) => events.filter((event) => laneOf(event) === lane);
        assert.ok(
          of(gone).every((event, i) => event === of(queue)[i]),
          `the order of ${lane}`,
        );
      }
    }),
  );
});

test('what cannot be read is answered now and then, and not when it is all that is said', () => {
  let nowMs = 0;
  const strikes = new Strikes(() => nowMs);
  const { clientId } = clientName('newer.lend');
  for (let i = 0; i < 5_000; i++) {
    nowMs += 1_000;
    assert.ok(strikes.mayErr(clientId, 1, 100), 'a body that the pile does not know yet, each second');
  }
  assert.ok(strikes.mayErr(clientId, 256, 2_000));
  assert.ok(!strikes.mayErr(clientId, 256, 2_000));
  strikes.forget(clientId);
  assert.ok(!strikes.mayErr(clientId, 1, 600 * 1024), 'rubbish counts by its size');
});
