/** A request from a zone that this pile does not serve is refused with that reason, and any other is not. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Place } from '@plugpool/proto';
import { bodiesOf, request, SimulatedPile } from '../simulation/simulated-pile.ts';

function refusalOf(place: Place | undefined): string | undefined {
  const pile = new SimulatedPile({
    zones: [
      {
        name: 'here',
        isServed: true,
        shape: { kind: 'circle', centre: { latitude: 1, longitude: 1 }, radiusM: 1e4 },
      },
      { name: 'there', isServed: false, shape: { kind: 'rest' } },
    ],
  });
  pile.addAlgorithm('sum');
  pile.ask('asker');
  const wants = place === undefined ? {} : { place };
  const sent = pile.say('asker.ask-1', request('r1', 'sum', { wants }));
  const [refused] = bodiesOf(sent, 'refused');
  assert.equal(bodiesOf(sent, 'accepted').length, refused === undefined ? 1 : 0);
  return refused?.reasons.map(({ code, detail }) => `${code}: ${detail}`).join();
}

test('a request is taken from a zone that is served, by name, by point, and without a word', () => {
  assert.equal(refusalOf({ by: 'zone', zone: 'here' }), undefined);
  assert.equal(refusalOf({ by: 'point', latitudeE7: 1.01e7, longitudeE7: 1e7 }), undefined);
  assert.equal(refusalOf(undefined), undefined);
});

test('a request from elsewhere is refused, and told so', () => {
  const reason = 'zone_not_served: this pile does not serve zone there';
  assert.equal(refusalOf({ by: 'zone', zone: 'there' }), reason);
  assert.equal(refusalOf({ by: 'point', latitudeE7: 0, longitudeE7: 0 }), reason);
  assert.match(refusalOf({ by: 'zone', zone: 'nowhere' }) ?? '', /no zone is called nowhere/);
});
