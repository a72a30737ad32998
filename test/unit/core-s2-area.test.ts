/**
 * From a need to the program that serves it, as the source document of docs/claims.md goes: place → zone, type → sub-pool, type →
 * program among those installed there, run with the request's parameters, the result to where the user is.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Place } from '@plugpool/proto';
import type { AlgorithmClass } from '../../agent/core/algorithms/feature.ts';
import { poolsView } from '../../agent/core/pools/view.ts';
import { classOfAlgorithm } from '../../agent/core/algorithms/profile.ts';
import { checkLaws } from '../simulation/laws.ts';
import {
  bodiesOf,
  completed,
  leaseIn,
  request,
  SimulatedPile,
  type SentBody,
} from '../simulation/simulated-pile.ts';

/** Two areas beside each other; this pile serves the western one. */
const EAST_OF_DEGREES = 10;

function townPile(): SimulatedPile {
  const half = (name: string, isServed: boolean, [west, east]: readonly [number, number]) => ({
    name,
    isServed,
    shape: {
      kind: 'polygon' as const,
      corners: [
        { latitude: 50, longitude: west },
        { latitude: 51, longitude: west },
        { latitude: 51, longitude: east },
        { latitude: 50, longitude: east },
      ],
    },
  });
  const pile = new SimulatedPile({
    zones: [half('a', true, [9, EAST_OF_DEGREES]), half('b', false, [EAST_OF_DEGREES, 11])],
  });
  pile.afterStep = (sent) => checkLaws(pile, sent);
  pile.addAlgorithm('route-plan-anneal', [{ cpuMillicores: 1000, memoryMib: 128 }], { type: 'route-plan' });
  pile.addAlgorithm('sign-text', [
    { cpuMillicores: 500, memoryMib: 512, gpu: { shareMillis: 500, vramMib: 4096 } },
  ]);
  pile.plug('donor');
  pile.lend('donor', { gpu: 1000 });
  pile.ask('driver');
  return pile;
}

function askFrom(pile: SimulatedPile, id: string, type: string, place: Place): SentBody[] {
  const more = { selector: { by: 'type' as const, type }, args: ['--seed', '7'], wants: { place } };
  return pile.say('driver.ask-1', request(id, '', more));
}

const at = (longitude: number): Place => ({ by: 'point', latitudeE7: 50.5e7, longitudeE7: longitude * 1e7 });

function usedMillicores(pile: SimulatedPile): Map<AlgorithmClass, number> {
  const { subPools } = poolsView(pile.state, pile.now());
  return new Map(subPools.map(({ subPool, used }) => [subPool, used.cpuMillicores]));
}

test('S2-area: a route from a served place is planned by annealing, in the sub-pool where that is deployed', () => {
  const pile = townPile();
  const sent = askFrom(pile, 'trip', 'route-plan', at(9.5));
  const [offer] = bodiesOf(sent, 'offer');
  assert.equal(offer?.algorithmId, 'route-plan-anneal');
  assert.deepEqual(offer.args, ['--seed', '7'], 'with the parameters of the need');
  const [annealing] = pile.state.algorithms.values();
  assert.ok(annealing);
  assert.equal(classOfAlgorithm(pile.state, annealing), 'cpu');
  assert.deepEqual(
    [...usedMillicores(pile)],
    [
      ['cpu', 1000],
      ['gpu', 0],
    ],
  );

  pile.pass(1_000);
  const [delivery] = bodiesOf(pile.say('donor.lend', completed(leaseIn(sent))), 'delivery');
  assert.equal(delivery?.state, 'completed');
  assert.deepEqual(delivery.output, { where: 'inline', bytes: new Uint8Array([42]) });
  assert.equal(usedMillicores(pile).get('cpu'), 0);
});

test('S2-area: another type from the same place is served by another sub-pool', () => {
  const pile = townPile();
  const [offer] = bodiesOf(askFrom(pile, 'sign', 'sign-text', at(9.5)), 'offer');
  assert.equal(offer?.algorithmId, 'sign-text');
  assert.deepEqual(
    [...usedMillicores(pile)],
    [
      ['cpu', 0],
      ['gpu', 500],
    ],
  );
});

test('S2-area: the same need from a zone that is another pile’s is refused, and runs nowhere', () => {
  const pile = townPile();
  for (const place of [at(10.5), { by: 'zone', zone: 'b' } as const]) {
    const sent = askFrom(pile, `trip-${place.by}`, 'route-plan', place);
    assert.deepEqual(
      bodiesOf(sent, 'refused').flatMap(({ reasons }) => reasons.map(({ code }) => code)),
      ['zone_not_served'],
    );
    assert.equal(bodiesOf(sent, 'offer').length, 0);
  }
  assert.equal(pile.state.tasks.size, 0);
});
