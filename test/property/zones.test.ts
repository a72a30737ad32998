/** Zones: the point on the map decides, and whoever is in none that this pile serves is told so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { configOf } from '@plugpool/agent';
import {
  distanceM,
  isInside,
  zoneOf,
  type MapPoint,
  type ZoneFound,
  type ZoneShape,
} from '../../agent/core/tasks/zones.ts';

const at = (latitude: number, longitude: number): MapPoint => ({ latitude, longitude });
const polygon = (...corners: MapPoint[]): ZoneShape => ({ kind: 'polygon', corners });
/** An L: the square of two degrees without its north-eastern quarter. */
const ELL = polygon(at(0, 0), at(0, 2), at(1, 2), at(1, 1), at(2, 1), at(2, 0));

const { settings } = configOf({
  zones: [
    {
      name: 'town',
      served: false,
      polygon: [
        [53.5, 9.9],
        [53.6, 9.9],
        [53.6, 10.1],
        [53.5, 10.1],
      ],
    },
    { name: 'harbour', circle: { latitude: 53.5436, longitude: 9.9884, radiusM: 1_500 } },
  ],
});

function found(latitude: number, longitude: number): ZoneFound {
  const place = { by: 'point', latitudeE7: latitude * 1e7, longitudeE7: longitude * 1e7 } as const;
  return zoneOf(place, settings);
}

function nameOf(result: ZoneFound): string {
  return result.ok ? result.zone.name : `${result.reason.code}: ${result.reason.detail}`;
}

test('a point is in the zone whose shape holds it; where zones overlap one that is served goes first', () => {
  assert.equal(nameOf(found(53.5436, 9.9884)), 'harbour');
  assert.equal(nameOf(found(53.55, 10.05)), 'zone_not_served: this pile does not serve zone town');
  assert.match(nameOf(found(48.1, 11.5)), /^zone_not_served: 48\.1, 11\.5 is in no zone/);
});

test('a zone that is named needs no map, and who says nothing is where the pile is', () => {
  assert.equal(nameOf(zoneOf({ by: 'zone', zone: 'harbour' }, settings)), 'harbour');
  assert.equal(nameOf(zoneOf(undefined, settings)), 'harbour');
  const refused = zoneOf({ by: 'zone', zone: 'habour' }, settings);
  assert.ok(!refused.ok);
  assert.match(refused.reason.hint, /here it is harbour$/);
});

test('without any zone there is one, named after the station, that holds everything', () => {
  const alone = configOf({ station: 'north' }).settings;
  for (const place of [
    undefined,
    { by: 'zone', zone: 'north' },
    { by: 'point', latitudeE7: 1, longitudeE7: 2 },
  ] as const)
    assert.equal(nameOf(zoneOf(place, alone)), 'north');
  assert.equal(zoneOf({ by: 'zone', zone: 'south' }, alone).ok, false);
});

test('a zone without a shape holds what no other holds', () => {
  const { settings: rest } = configOf({
    zones: [
      { name: 'all' },
      { name: 'spot', served: false, circle: { latitude: 0, longitude: 0, radiusM: 10 } },
    ],
  });
  assert.equal(nameOf(zoneOf({ by: 'point', latitudeE7: 1e7, longitudeE7: 0 }, rest)), 'all');
  assert.match(
    nameOf(zoneOf({ by: 'point', latitudeE7: 0, longitudeE7: 0 }, rest)),
    /does not serve zone spot/,
  );
});

test('what cannot be a zone is refused', () => {
  const circle = { latitude: 0, longitude: 0, radiusM: 1 };
  const corners: [number, number][] = [
    [0, 0],
    [0, 1],
    [1, 1],
  ];
  assert.throws(
    () => configOf({ zones: [{ name: 'a', circle, polygon: corners }] }),
    /both a polygon and a circle/,
  );
  assert.throws(() => configOf({ zones: [{ name: 'a' }, { name: 'b' }] }), /several zones without/);
  assert.throws(() => configOf({ zones: [{ name: 'a' }, { name: 'a', circle }] }), /two zones of one name/);
  assert.throws(() => configOf({ zones: [{ name: 'a', served: false }] }), /no zone that is served/);
  assert.throws(
    () =>
      configOf({
        zones: [
          {
            name: 'a',
            polygon: [
              [91, 0],
              [0, 1],
              [1, 1],
            ],
          },
        ],
      }),
    /at most 90/,
  );
  assert.throws(() => configOf({ zones: [{ name: 'a', polygon: corners.slice(1) }] }));
});

test('distances are those along the ground', () => {
  // One minute of latitude is a nautical mile, 1852 m, on a sphere of 6366.7 km; ours is the mean earth.
  const minuteM = distanceM(at(0, 0), at(1 / 60, 0));
  assert.ok(Math.abs(minuteM - 1_853.25) < 0.1, String(minuteM));
  assert.ok(Math.abs(distanceM(at(0, 179.99), at(0, -179.99)) - 2_223.9) < 0.1);
  assert.ok(Math.abs(distanceM(at(90, 0), at(-90, 77)) - Math.PI * 6_371_008.8) < 1);
  const point = fc.record({
    latitude: fc.double({ min: -90, max: 90, noNaN: true }),
    longitude: fc.double({ min: -180, max: 180, noNaN: true }),
  });
  fc.assert(
    fc.property(point, point, point, (a, b, c) => {
      assert.ok(Math.abs(distanceM(a, b) - distanceM(b, a)) < 1e-6);
      assert.ok(distanceM(a, c) <= distanceM(a, b) + distanceM(b, c) + 0.01);
    }),
  );
});

/** Never on the border itself, where a point may be in or out. */
const degree = fc.integer({ min: -900, max: 2_899 }).map((millis) => (millis + 0.5) / 1_000);

test('a point is in a polygon as its parts say, wherever on the map that lies and whichever corner is the first', () => {
  const shift = fc.oneof(fc.integer({ min: -180, max: 180 }), fc.constantFrom(178, 179, -181));
  fc.assert(
    fc.property(degree, degree, shift, fc.nat(5), fc.boolean(), (north, east, by, turn, isReversed) => {
      const inEll = north > 0 && east > 0 && north < 2 && east < 2 && !(north > 1 && east > 1);
      assert.ok(ELL.kind === 'polygon');
      const corners = [...ELL.corners.slice(turn), ...ELL.corners.slice(0, turn)];
      if (isReversed) corners.reverse();
      const moved = corners.map(({ latitude, longitude }) => at(latitude, wrapped(longitude + by)));
      assert.equal(isInside(at(north, wrapped(east + by)), polygon(...moved)), inEll);
    }),
  );
});

function wrapped(longitude: number): number {
  return longitude > 180 ? longitude - 360 : longitude < -180 ? longitude + 360 : longitude;
}
