/**
 * The strata that correct one another, from the widest to the narrowest: each counts departures against what the ones before
 * it expect, so that a thin one changes little, and one without any history nothing.
 */
import { ARRIVALS, BAND_CELLS, ELAPSED_CELLS, HALF_HOURS, type Course, type Moment } from './course.ts';
import { HOUR_MS, MINUTE_MS } from './time-bins.ts';

export interface Stratum {
  readonly name: string;
  /** How many departures it takes until its own history weighs as much as the wider strata. */
  readonly pull: number;
  readonly cells: number;
  /** Which of its rows a stay belongs to; undefined: it says nothing of such a stay. */
  rowOf(course: Course): string | undefined;
  /** -1: it says nothing of that moment. */
  cellOf(moment: Moment, course: Course): number;
  /** What it is pulled towards where that is not 1. */
  priorOf?(cell: number): number;
}

const ALL = '';
const HOURS = HALF_HOURS / 2;

function arrivalBand(moment: Moment, course: Course): number {
  return course.arrival * BAND_CELLS + moment.band;
}

/** From far before the stated departure to long after it. */
const STATED_EDGES_MS = [-480, -240, -120, -60, -30, -15, 0, 15, 30, 60, 120, 240].map(
  (min) => min * MINUTE_MS,
);
const STATED_CELLS = STATED_EDGES_MS.length + 1;
function cellAmong(edgesMs: readonly number[], ms: number): number {
  let cell = 0;
  while (cell < edgesMs.length && ms >= (edgesMs[cell] ?? 0)) cell += 1;
  return cell;
}

function statedCell(moment: Moment, { statedMs }: Course): number {
  return statedMs === undefined ? -1 : cellAmong(STATED_EDGES_MS, moment.elapsedMs - statedMs);
}

/**
 * Before anything is known of a pile's statements they are hardly believed: drivers were found to overstate by a median of more
 * than two hours, so most are gone long before, and who is not leaves somewhat sooner than others.
 */
function statedPrior(cell: number): number {
  const fromMs = STATED_EDGES_MS[cell - 1] ?? -Infinity;
  if (fromMs >= 0) return 2;
  return fromMs >= -HOUR_MS ? 1.5 : 1;
}

export const STRATA: readonly Stratum[] = [
  {
    name: 'all stays, by elapsed time',
    pull: 2,
    cells: ELAPSED_CELLS,
    rowOf: () => ALL,
    cellOf: (moment) => moment.elapsed,
  },
  {
    name: 'all stays, by when they began and elapsed time',
    pull: 4,
    cells: ARRIVALS * BAND_CELLS,
    rowOf: () => ALL,
    cellOf: arrivalBand,
  },
  {
    name: 'all stays, by time of day',
    pull: 4,
    cells: HALF_HOURS,
    rowOf: () => ALL,
    cellOf: (moment) => moment.halfHour,
  },
  {
    name: 'station, by elapsed time',
    pull: 4,
    cells: BAND_CELLS,
    rowOf: (course) => course.station,
    cellOf: (moment) => moment.band,
  },
  {
    name: 'connector, by elapsed time (coarse)',
    pull: 2,
    cells: BAND_CELLS,
    rowOf: (course) => course.connector,
    cellOf: (moment) => moment.band,
  },
  {
    name: 'connector, by elapsed time',
    pull: 3,
    cells: ELAPSED_CELLS,
    rowOf: (course) => course.connector,
    cellOf: (moment) => moment.elapsed,
  },
  {
    name: 'connector, by time of day',
    pull: 3,
    cells: HOURS,
    rowOf: (course) => course.connector,
    cellOf: (moment) => moment.halfHour >> 1,
  },
  {
    name: 'connector, by when it began and elapsed time',
    pull: 4,
    cells: ARRIVALS * BAND_CELLS,
    rowOf: (course) => course.connector,
    cellOf: arrivalBand,
  },
  {
    name: 'departure stated, by how far it is',
    pull: 5,
    cells: STATED_CELLS,
    rowOf: (course) => (course.statedMs === undefined ? undefined : ALL),
    cellOf: statedCell,
    priorOf: statedPrior,
  },
  {
    name: 'departure stated at the connector, by how far it is',
    pull: 5,
    cells: STATED_CELLS,
    rowOf: (course) => (course.statedMs === undefined ? undefined : course.connector),
    cellOf: statedCell,
  },
];
