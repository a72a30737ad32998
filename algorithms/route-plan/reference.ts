/**
 * The route planners' model of roads, battery and charging, written again in TypeScript, and the least time of a trip by
 * plain Dijkstra over every state: slow, but with nothing of the image's bounds and prunings in it.
 */
import { CITIES, LINKS, ROADS } from './europe.ts';
import { CHARGE_OVERHEAD_S, ROAD_FACTOR_PERCENT } from './trip.ts';
import type { City } from './europe.ts';
import type { Trip, Vehicle } from './trip.ts';

const EARTH_RADIUS_M = 6_371_008.8;

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/** Great circle by the haversine times the road factor, to the metre. */
export function roadM(a: City, b: City): number {
  const sinLat = Math.sin(radians(b.latDeg - a.latDeg) / 2);
  const sinLon = Math.sin(radians(b.lonDeg - a.lonDeg) / 2);
  const h = sinLat ** 2 + Math.cos(radians(a.latDeg)) * Math.cos(radians(b.latDeg)) * sinLon ** 2;
  return Math.round((2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(h)) * ROAD_FACTOR_PERCENT) / 100);
}

export function driveMs(distanceM: number, speedKmh: number): number {
  return Math.ceil((distanceM * 3600) / speedKmh);
}

/** Steps of the battery that a drive takes. */
export function driveSoc(trip: Trip, distanceM: number, speedKmh: number): number {
  const { vehicle, socSteps } = trip;
  const microWhPerKm = vehicle.baseWhPerKm * 1e6 + vehicle.aeroMicro * speedKmh ** 2;
  const milliWh = Math.ceil((distanceM * microWhPerKm) / 1e6);
  return Math.ceil((milliWh * socSteps) / (vehicle.batteryWh * 1000));
}

function acceptedW(vehicle: Vehicle, step: number, socSteps: number): number {
  const { curve } = vehicle;
  for (const [i, [percent, kw]] of curve.entries()) {
    const [leftPercent, leftKw] = curve[i - 1] ?? [0, kw];
    if (i === 0 || step * 100 > percent * socSteps) continue;
    const fromLeft = step * 100 - leftPercent * socSteps;
    const fromRight = percent * socSteps - step * 100;
    return Math.floor((leftKw * 1000 * fromRight + kw * 1000 * fromLeft) / (fromLeft + fromRight));
  }
  throw new Error(`the curve of the vehicle does not reach step ${step} of ${socSteps}`);
}

/** From a step of charge to the next. */
export function chargeStepMs(trip: Trip, siteKw: number, step: number): number {
  const watts = Math.min(siteKw * 1000, acceptedW(trip.vehicle, step, trip.socSteps));
  return Math.ceil((trip.vehicle.batteryWh * 3_600_000) / (trip.socSteps * watts));
}

export function chargeMs(trip: Trip, siteKw: number, fromStep: number, toStep: number): number {
  let ms = CHARGE_OVERHEAD_S * 1000;
  for (let step = fromStep; step < toStep; step++) ms += chargeStepMs(trip, siteKw, step);
  return ms;
}

export function percentInSteps(trip: Trip, percent: number): number {
  return Math.floor((percent * trip.socSteps) / 100);
}

interface Leg {
  readonly to: number;
  readonly ms: number;
  readonly soc: number;
}

function indexOf(name: string): number {
  const index = CITIES.findIndex((city) => city.name === name);
  if (index < 0) throw new Error(`the map has no city "${name}"`);
  return index;
}

/** Every way to leave each city: each road at each speed, and the ferries. */
function legsOf(trip: Trip): Leg[][] {
  const legs: Leg[][] = CITIES.map(() => []);
  const both = (a: number, b: number, ms: number, soc: number): void => {
    legs[a]?.push({ to: b, ms, soc });
    legs[b]?.push({ to: a, ms, soc });
  };
  for (const [from, to] of ROADS) {
    const [a, b] = [indexOf(from), indexOf(to)];
    const distanceM = roadM(CITIES[a] as City, CITIES[b] as City);
    for (const speed of trip.speedsKmh)
      both(a, b, driveMs(distanceM, speed), driveSoc(trip, distanceM, speed));
  }
  for (const link of LINKS) both(indexOf(link.from), indexOf(link.to), link.minutes * 60_000, 0);
  return legs;
}

/** States in order of time: a binary heap. */
class TimeHeap {
  private readonly entries: { ms: number; state: number }[] = [];

  push(ms: number, state: number): void {
    const { entries } = this;
    let hole = entries.length;
    entries.push({ ms, state });
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      const above = entries[parent];
      if (above === undefined || above.ms <= ms) break;
      entries[hole] = above;
      hole = parent;
    }
    entries[hole] = { ms, state };
  }

  pop(): { ms: number; state: number } | undefined {
    const { entries } = this;
    const top = entries[0];
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return top;
    let hole = 0;
    for (;;) {
      const left = entries[2 * hole + 1];
      const right = entries[2 * hole + 2];
      const [child, at] = right && left && right.ms < left.ms ? [right, 2 * hole + 2] : [left, 2 * hole + 1];
      if (child === undefined || child.ms >= last.ms) break;
      entries[hole] = child;
      hole = at;
    }
    entries[hole] = last;
    return top;
  }
}

/** The least time of any plan of the trip, or undefined where there is none. */
export function leastTotalMs(trip: Trip): number | undefined {
  const levels = trip.socSteps + 1;
  const legs = legsOf(trip);
  const stops = trip.stops.map(indexOf);
  const reserve = percentInSteps(trip, trip.reservePercent);
  const arrive = percentInSteps(trip, trip.arrivePercent);
  const visit = (done: number, city: number): number => {
    const stop = stops.indexOf(city);
    return stop < 0 ? done : done | (1 << stop);
  };
  const stateOf = (done: number, city: number, plugged: number, soc: number): number =>
    ((done * CITIES.length + city) * 2 + plugged) * levels + soc;
  const bestMs = new Float64Array((1 << stops.length) * CITIES.length * 2 * levels).fill(Infinity);
  const heap = new TimeHeap();
  const reach = (ms: number, state: number): void => {
    if (ms >= (bestMs[state] ?? 0)) return;
    bestMs[state] = ms;
    heap.push(ms, state);
  };
  const from = indexOf(trip.from);
  reach(0, stateOf(visit(0, from), from, 0, percentInSteps(trip, trip.startPercent)));
  const goal = indexOf(trip.to);
  for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
    const { ms, state } = next;
    if (ms > (bestMs[state] ?? 0)) continue;
    const soc = state % levels;
    const plugged = Math.floor(state / levels) % 2;
    const place = Math.floor(state / levels / 2);
    const city = place % CITIES.length;
    const done = Math.floor(place / CITIES.length);
    if (city === goal && done === (1 << stops.length) - 1 && soc >= arrive) return ms;
    for (const leg of legs[city] ?? []) {
      if (soc - leg.soc < reserve && leg.soc > 0) continue;
      reach(ms + leg.ms, stateOf(visit(done, leg.to), leg.to, 0, soc - leg.soc));
    }
    const siteKw = CITIES[city]?.chargeKw ?? 0;
    if (siteKw === 0 || soc === trip.socSteps) continue;
    if (plugged === 0) reach(ms + CHARGE_OVERHEAD_S * 1000, stateOf(done, city, 1, soc));
    else reach(ms + chargeStepMs(trip, siteKw, soc), stateOf(done, city, 1, soc + 1));
  }
  return undefined;
}
