/** Who waits stands once in the line, with those who need the same, in the order of turns. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Need } from '../../agent/core/waiting/need.ts';
import type { Instance } from '../../agent/core/state.ts';
import { TurnQueue } from '../../agent/core/waiting/turn-queue.ts';
import { WaitingLine, type WaitingGroup } from '../../agent/core/waiting/waiting.ts';

/** All that the line looks at. */
function instanceOf(turnMonoMs: number, order: number, payer = 'x'): Instance {
  return { turnMonoMs, order, task: { payer } } as Instance;
}

function inOrder(instances: Iterable<Instance>): Instance[] {
  return [...instances].sort((a, b) => a.turnMonoMs - b.turnMonoMs || a.order - b.order);
}

/** Many turns are equal; most come at the end of the queue and leave at its front, as they do in life. */
const queueAct = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('join' as const), turn: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('return' as const), turn: fc.nat(500) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('takeFirst' as const), turn: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), turn: fc.nat(500) }) },
);

test('a queue of turns is a sorted list, whatever joins and leaves it, and where', () => {
  fc.assert(
    fc.property(
      fc.array(queueAct, { minLength: 50, maxLength: 600, size: 'max' }),
      fc.nat(500),
      (acts, early) => {
        const queue = new TurnQueue('payer');
        const members = new Set<Instance>();
        let clock = 0;
        acts.forEach((act, order) => {
          clock += act.do === 'join' ? act.turn : 0;
          const sorted = inOrder(members);
          if (act.do === 'join' || act.do === 'return') {
            const joins = instanceOf(act.do === 'join' ? clock : Math.min(act.turn, clock), order);
            queue.add(joins);
            members.add(joins);
          } else {
            const leaves = act.do === 'takeFirst' ? sorted[0] : sorted[act.turn % (sorted.length || 1)];
            if (leaves === undefined) return;
            queue.remove(leaves);
            members.delete(leaves);
            // Twice is once.
            queue.remove(leaves);
          }
          assert.equal(queue.size, members.size);
          if (queue.size > 0) assert.equal(queue.first(), inOrder(members)[0]);
        });
        assert.deepEqual([...queue], inOrder(members));
        const isLate = (instance: Instance): boolean => instance.turnMonoMs > early;
        assert.equal(queue.find(isLate), inOrder(members).find(isLate));
      },
    ),
    { numRuns: 300 },
  );
});

interface Place {
  readonly instance: Instance;
  readonly need: Need;
}

const NEEDS = ['a', 'b', 'c'].map((key) => ({ key }) as Need);
const place: fc.Arbitrary<Place> = fc
  .tuple(fc.nat(20), fc.nat(1_000_000), fc.constantFrom('x', 'y', 'z'), fc.constantFrom(...NEEDS))
  .map(([turn, order, payer, need]) => ({ instance: instanceOf(turn, order, payer), need }));
const lineAct = fc.oneof(
  { weight: 3, arbitrary: place.map((joins) => ({ do: 'join' as const, joins })) },
  { weight: 2, arbitrary: fc.nat(100).map((nth) => ({ do: 'leave' as const, nth })) },
);

/** No two instances were accepted at the same place; who leaves may leave twice. */
function orderOf(act: { readonly do: string; readonly joins?: Place; readonly nth?: number }): number {
  return act.joins === undefined ? -1 - (act.nth ?? 0) : act.joins.instance.order;
}

function checkGroups(line: WaitingLine, places: readonly Place[]): void {
  const groups = [...line.groups()];
  assert.equal(new Set(groups.map(({ need }) => need.key)).size, groups.length);
  assert.equal(
    groups.reduce((sum, { size }) => sum + size, 0),
    places.length,
  );
  for (const group of groups) {
    const own = places.filter(({ need }) => need.key === group.need.key);
    assert.ok(own.length > 0, 'a group of nobody is kept');
    checkQueues(group, own);
  }
}

function checkQueues(group: WaitingGroup, own: readonly Place[]): void {
  assert.equal(group.size, own.length);
  const payers = new Set(own.map(({ instance }) => instance.task.payer));
  assert.deepEqual(new Set(group.queues.keys()), payers);
  assert.deepEqual(
    group.inTurn.map((queue) => queue.first()),
    inOrder([...group.queues.values()].map((queue) => queue.first())),
  );
  const firsts = group.inTurn.map((queue) => queue.first());
  assert.deepEqual(firsts, inOrder(firsts));
  assert.deepEqual(new Set(group.inTurn), new Set(group.queues.values()));
  for (const [payer, queue] of group.queues) {
    const ofPayer = own.filter(({ instance }) => instance.task.payer === payer);
    assert.deepEqual([...queue], inOrder(ofPayer.map(({ instance }) => instance)));
  }
}

test('each who waits stands in one group and in one queue, and no empty one is kept', () => {
  fc.assert(
    fc.property(fc.uniqueArray(lineAct, { maxLength: 200, size: 'max', selector: orderOf }), (acts) => {
      const line = new WaitingLine();
      const places: Place[] = [];
      for (const act of acts) {
        if (act.do === 'join') {
          line.add(act.joins.instance, act.joins.need);
          places.push(act.joins);
          assert.equal(act.joins.instance.waitsIn?.need.key, act.joins.need.key);
        } else if (places.length > 0) {
          const [left] = places.splice(act.nth % places.length, 1);
          if (left === undefined) continue;
          line.remove(left.instance);
          line.remove(left.instance);
          assert.ok(!line.has(left.instance));
        }
        assert.equal(line.size, places.length);
      }
      checkGroups(line, places);
      assert.deepEqual(new Set(line.instances()), new Set(places.map(({ instance }) => instance)));
    }),
    { numRuns: 200 },
  );
});
