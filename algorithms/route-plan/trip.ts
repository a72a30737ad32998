/** A trip and its vehicle as the input text of the route planners; what the lines mean is in docs/algorithms.md. */
import { CITIES, LINKS, ROADS } from './europe.ts';

export interface Vehicle {
  readonly batteryWh: number;
  readonly baseWhPerKm: number;
  /** Wh a km for each (km/h)², in millionths. */
  readonly aeroMicro: number;
  /** What the battery takes, kW, at a percentage of charge; from 0 to 100. */
  readonly curve: readonly (readonly [percent: number, kw: number])[];
}

export interface Trip {
  readonly from: string;
  readonly to: string;
  /** To be visited in any order. */
  readonly stops: readonly string[];
  readonly vehicle: Vehicle;
  /** Into how many steps the battery is divided: finer plans take longer. */
  readonly socSteps: number;
  readonly speedsKmh: readonly number[];
  readonly startPercent: number;
  readonly reservePercent: number;
  readonly arrivePercent: number;
  readonly seed: number;
  /** How long `route-plan-anneal` looks for an order, in 100,000 moves. */
  readonly effort: number;
}

/** A middling electric car: 77 kWh, 175 kW, about 145 Wh a km at 90 km/h and 191 at 120. */
export const MIDSIZE_CAR: Vehicle = {
  batteryWh: 77_000,
  baseWhPerKm: 87,
  aeroMicro: 7_200,
  curve: [
    [0, 120],
    [10, 175],
    [40, 165],
    [60, 110],
    [80, 70],
    [100, 10],
  ],
};

/** A delivery van: 113 kWh, blunt and heavy. */
export const DELIVERY_VAN: Vehicle = {
  batteryWh: 113_000,
  baseWhPerKm: 160,
  aeroMicro: 14_500,
  curve: [
    [0, 90],
    [10, 115],
    [60, 110],
    [80, 60],
    [100, 15],
  ],
};

export const CHARGE_OVERHEAD_S = 300;
export const ROAD_FACTOR_PERCENT = 122;

export function tripText(trip: Trip): string {
  const { vehicle } = trip;
  const lines = [
    'route-plan 1',
    `battery ${vehicle.batteryWh} ${trip.socSteps}`,
    `consumption ${vehicle.baseWhPerKm} ${vehicle.aeroMicro}`,
    `charge-overhead-s ${CHARGE_OVERHEAD_S}`,
    ...vehicle.curve.map(([percent, kw]) => `curve ${percent} ${kw}`),
    `speeds ${trip.speedsKmh.join(' ')}`,
    `road-factor-percent ${ROAD_FACTOR_PERCENT}`,
    `start-soc ${trip.startPercent}`,
    `reserve-soc ${trip.reservePercent}`,
    `arrive-soc ${trip.arrivePercent}`,
    ...CITIES.map((c) => `city ${c.name} ${c.latDeg.toFixed(2)} ${c.lonDeg.toFixed(2)} ${c.chargeKw}`),
    ...ROADS.map(([from, to]) => `road ${from} ${to}`),
    ...LINKS.map((l) => `link ${l.from} ${l.to} ${l.minutes}`),
    `from ${trip.from}`,
    `to ${trip.to}`,
    ...trip.stops.map((stop) => `stop ${stop}`),
    `seed ${trip.seed}`,
    `effort ${trip.effort}`,
  ];
  return lines.join('\n') + '\n';
}
