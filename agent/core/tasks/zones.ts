/** In which service area a requester is, by the name that it gives or by its point on the map, and whether this pile serves it. */
import type { Place, Reason } from '@plugpool/proto';

/** Degrees, WGS 84. */
export interface MapPoint {
  readonly latitude: number;
  readonly longitude: number;
}

/** `rest` holds every point that no other zone holds. */
export type ZoneShape =
  | { readonly kind: 'polygon'; readonly corners: readonly MapPoint[] }
  | { readonly kind: 'circle'; readonly centre: MapPoint; readonly radiusM: number }
  | { readonly kind: 'rest' };

export interface Zone {
  readonly name: string;
  /** This pile takes requests from there. */
  readonly isServed: boolean;
  readonly shape: ZoneShape;
}

export type ZoneFound =
  { readonly ok: true; readonly zone: Zone } | { readonly ok: false; readonly reason: Reason };

export interface ZoneSettings {
  readonly stationId: string;
  /** None: one that is named after the station and holds everything. */
  readonly zones: readonly Zone[];
}

/** Mean radius of the earth (IUGG, R1). */
const EARTH_RADIUS_M = 6_371_008.8;

export function zonesOf({ stationId, zones }: ZoneSettings): readonly Zone[] {
  return zones.length > 0 ? zones : [{ name: stationId, isServed: true, shape: { kind: 'rest' } }];
}

/** A requester that does not say where it is is taken to be where the pile is. */
export function zoneOf(place: Place | undefined, settings: ZoneSettings): ZoneFound {
  const zones = zonesOf(settings);
  if (place === undefined) return servedZone(zones.find(({ isServed }) => isServed));
  if (place.by === 'zone') {
    const zone = zones.find(({ name }) => name === place.zone);
    return zone === undefined
      ? notServed(`no zone is called ${place.zone} here`, zones)
      : judged(zone, zones);
  }
  const point = { latitude: place.latitudeE7 / 1e7, longitude: place.longitudeE7 / 1e7 };
  const zone = zoneAt(point, zones);
  if (zone !== undefined) return judged(zone, zones);
  return notServed(`${point.latitude}, ${point.longitude} is in no zone that is known here`, zones);
}

/** Where zones overlap, one that is served; of several the first. */
function zoneAt(point: MapPoint, zones: readonly Zone[]): Zone | undefined {
  const around = zones.filter(({ shape }) => shape.kind !== 'rest' && isInside(point, shape));
  const rest = zones.find(({ shape }) => shape.kind === 'rest');
  return around.find(({ isServed }) => isServed) ?? around[0] ?? rest;
}

function judged(zone: Zone, zones: readonly Zone[]): ZoneFound {
  return zone.isServed ? { ok: true, zone } : notServed(`this pile does not serve zone ${zone.name}`, zones);
}

function servedZone(zone: Zone | undefined): ZoneFound {
  return zone === undefined ? notServed('this pile serves no zone', []) : { ok: true, zone };
}

function notServed(detail: string, zones: readonly Zone[]): ZoneFound {
  const names = zones.filter(({ isServed }) => isServed).map(({ name }) => name);
  const hint =
    names.length === 0
      ? 'ask a pile of your own zone'
      : `ask a pile of your own zone; here it is ${names.join(', ')}`;
  return { ok: false, reason: { code: 'zone_not_served', detail, hint } };
}

export function isInside(point: MapPoint, shape: ZoneShape): boolean {
  switch (shape.kind) {
    case 'circle':
      return distanceM(point, shape.centre) <= shape.radiusM;
    case 'polygon':
      return isInPolygon(point, shape.corners);
    case 'rest':
      return true;
  }
}

/** Along the great circle, by the haversine formula: exact enough from one metre on. */
export function distanceM(a: MapPoint, b: MapPoint): number {
  const north = sinHalf(b.latitude - a.latitude) ** 2;
  const east = sinHalf(b.longitude - a.longitude) ** 2;
  const half = north + cos(a.latitude) * cos(b.latitude) * east;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(half)));
}

function sinHalf(degrees: number): number {
  return Math.sin((degrees * Math.PI) / 360);
}

function cos(degrees: number): number {
  return Math.cos((degrees * Math.PI) / 180);
}

/**
 * How often a ray to the east crosses the border: an odd number of times from inside. Edges are straight in latitude and
 * longitude, and each takes the shorter way round, so that a polygon may lie across the 180th meridian; none holds a pole.
 */
function isInPolygon({ latitude, longitude }: MapPoint, corners: readonly MapPoint[]): boolean {
  let isIn = false;
  let east = eastOf(longitude, corners.at(-1)?.longitude ?? 0);
  let before = corners.at(-1);
  for (const corner of corners) {
    if (before === undefined) return false;
    const nextEast = east + eastOf(before.longitude, corner.longitude);
    if (corner.latitude > latitude !== before.latitude > latitude) {
      const share = (latitude - before.latitude) / (corner.latitude - before.latitude);
      if (east + share * (nextEast - east) > 0) isIn = !isIn;
    }
    east = nextEast;
    before = corner;
  }
  return isIn;
}

/** Degrees to the east from one meridian to another, the shorter way: −180 … 180. */
function eastOf(from: number, to: number): number {
  return ((((to - from + 180) % 360) + 360) % 360) - 180;
}
