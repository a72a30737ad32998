/** A donor that is kept for a large request: who may run there meanwhile, and what is said of it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { LeaseId, TaskId } from '@plugpool/proto';
import { explain, type Explanation } from '../../agent/core/explain/explain.ts';
import {
  bodiesOf,
  completed,
  leaseIn,
  request,
  SimulatedPile,
  type SentBody,
} from '../simulation/simulated-pile.ts';

interface Scene {
  readonly pile: SimulatedPile;
  readonly long: LeaseId;
  readonly quick: LeaseId;
  readonly large: TaskId;
}

/** `large` takes the whole donor and is due; a run of 2 cores that ends in 58 s and one of 1 core are in its way. */
function scene(): Scene {
  const pile = new SimulatedPile({
    ageBoundMs: 1_000,
    dueEvery: 1,
    stayBarMillis: [0, 0, 0, 0],
    subPools: false,
  });
  for (const [id, cores, workCoreS] of PROGRAMS)
    pile.addAlgorithm(id, [{ cpuMillicores: cores * 1000, threads: cores }], { workCoreS });
  pile.ask('asker');
  pile.plug('donor');
  pile.lend('donor');
  const long = leaseIn(ask(pile, 'long'));
  const large = waits(pile, ask(pile, 'large'));
  pile.nowMs += 2_000;
  const quick = leaseIn(ask(pile, 'quick'));
  return { pile, long, quick, large };
}

const PROGRAMS = [
  ['long', 2, 120],
  ['large', 4, 40],
  ['quick', 1, 1],
  ['slow', 1, 600],
] as const;

function ask(pile: SimulatedPile, program: string): SentBody[] {
  return pile.say('asker.ask-1', request(`${program}-${pile.state.tasks.size}`, program));
}

function told(pile: SimulatedPile, taskId: TaskId): Explanation {
  return explain(pile.state, taskId, pile.now()) ?? assert.fail();
}

function waits(pile: SimulatedPile, sent: readonly SentBody[]): TaskId {
  assert.deepEqual(bodiesOf(sent, 'offer'), []);
  return [...pile.state.tasks.keys()].at(-1) as TaskId;
}

test('on a kept donor only what is through before the start runs, and the kept request starts when it is empty', () => {
  const { pile, long, quick } = scene();
  waits(pile, ask(pile, 'slow'));
  const other = leaseIn(ask(pile, 'quick'));
  for (const lease of [quick, other]) pile.say('donor.lend', completed(lease));
  const [offer] = bodiesOf(pile.say('donor.lend', completed(long)), 'offer');
  assert.equal(offer?.algorithmId, 'large');
});

test('who is refused there is told that it is kept for another; the kept one, which donor and until when', () => {
  const { pile, large } = scene();
  const slow = told(pile, waits(pile, ask(pile, 'slow')));
  assert.deepEqual(
    slow.donors.map(({ obstacles }) => obstacles.map(({ test: name }) => name)),
    [['kept_for_another']],
  );
  assert.match(slow.donors[0]?.because.join() ?? '', /kept for a request whose turn came first, .* in 58 s/);
  const { wait } = told(pile, large);
  assert.deepEqual([wait?.keptDonors, wait?.startInMs], [['donor'], 58_000]);
});

test('when the kept request is cancelled, its donor serves who was refused in the same step', () => {
  const { pile, large } = scene();
  waits(pile, ask(pile, 'slow'));
  const [offer] = bodiesOf(
    pile.say('asker.ask-1', { kind: 'cancel', which: { by: 'task', taskId: large } }),
    'offer',
  );
  assert.equal(offer?.algorithmId, 'slow');
});
