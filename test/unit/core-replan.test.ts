/** What arrives while one commit is under way is decided together. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Event } from '../../agent/core/events.ts';
import type { Wants } from '@plugpool/proto';
import {
  bodiesOf,
  capacityReport,
  request,
  SimulatedPile,
  type SentBody,
} from '../simulation/simulated-pile.ts';

/** A pile with these donors, each with a program that only its owner allows beside `any`. */
function pileWith(cpuOf: Readonly<Record<string, number>>): SimulatedPile {
  const pile = new SimulatedPile({ subPools: false });
  const donors = Object.keys(cpuOf);
  pile.addAlgorithm('any', [{ cpuMillicores: 4000 }]);
  for (const donor of donors) pile.addAlgorithm(`only-${donor}`, [{ cpuMillicores: 4000 }]);
  for (const donor of donors) {
    pile.plug(donor);
    pile.lend(donor, { cpu: cpuOf[donor] ?? 0 });
    const report = capacityReport(
      { cpu: cpuOf[donor] ?? 0 },
      { allowedAlgorithms: ['any', `only-${donor}`] },
    );
    pile.say(`${donor}.lend`, report);
  }
  pile.ask('asker');
  return pile;
}

interface Asked {
  readonly program: string;
  readonly wants?: Wants;
}

/** All in one step, in their order; which program each donor is offered. */
function asked(pile: SimulatedPile, all: readonly Asked[]): string[] {
  const sent = pile.step(
    ...all.map(({ program, wants }, n) =>
      pile.message(
        'asker.ask-1',
        request(`r${pile.nowMs}-${n}`, program, wants === undefined ? {} : { wants }),
      ),
    ),
  );
  return offersIn(sent);
}

function offersIn(sent: readonly SentBody[]): string[] {
  return sent
    .flatMap(({ clientId, body }) => (body.kind === 'offer' ? [`${body.algorithmId} on ${clientId}`] : []))
    .sort();
}

function demand(cpuMillicores: number, workMncs: number): Wants {
  return { demand: { cpuMillicores, workMncs } };
}

test('a request that runs anywhere makes room for one that came with it and runs only there', () => {
  for (const donor of ['a', 'b'])
    assert.deepEqual(
      asked(pileWith({ a: 4000, b: 4000 }), [
        { program: 'any', wants: demand(4000, 90_000) },
        { program: `only-${donor}`, wants: demand(4000, 9_000) },
      ]),
      [`any on ${donor === 'a' ? 'b' : 'a'}.lend`, `only-${donor} on ${donor}.lend`],
    );
});

test('where not all fits, those stay that are worth more together', () => {
  const small = { program: 'only-a', wants: demand(2000, 40_000) };
  const large = { program: 'any', wants: demand(3000, 50_000) };
  assert.deepEqual(asked(pileWith({ a: 4000 }), [small, large, small]), [
    'only-a on a.lend',
    'only-a on a.lend',
  ]);
});

test('parts that start together give way to a higher priority that came with them', () => {
  const parts = { program: 'any', wants: { instances: 2, allAtOnce: true } };
  const urgent = { program: 'only-a', wants: { latencyMs: 500 } };
  const pile = pileWith({ a: 4000, b: 4000 });
  assert.deepEqual(asked(pile, [parts, urgent]), ['only-a on a.lend']);
  pile.plug('c');
  const offers = offersIn(pile.lend('c', { cpu: 4000 }));
  assert.deepEqual(offers, ['any on b.lend', 'any on c.lend'], 'they still start, and together');
});

test('who waited before keeps its place from one of the same priority that comes with the donor', () => {
  const pile = pileWith({ a: 4000 });
  const idle = (cpu: number): Event =>
    pile.message('a.lend', capacityReport({ cpu }, { allowedAlgorithms: ['only-a'] }));
  pile.step(idle(0));
  const ask = (requestId: string): Event =>
    pile.message('asker.ask-1', request(requestId, 'only-a', { wants: demand(4000, 90_000) }));
  const [earlier] = bodiesOf(pile.step(ask('earlier')), 'accepted');
  pile.nowMs += 1_000;
  const [offer] = bodiesOf(pile.step(ask('later'), idle(4000)), 'offer');
  assert.equal(offer?.taskId, earlier?.taskId);
});
