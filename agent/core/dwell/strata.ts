/**
 * The strata that correct one another, from the widest to the narrowest: each counts departures against what the ones before
 * it expect, so that a thin one changes little, and one without any history nothing.
 */
import {
  ARRIVALS,
  BAND_CELL,
  BAND_CELLS,
  ELAPSED_CELL,
  ELAPSED_CELLS,
  HALF_HOURS,
  halfHoursOf,
  SLICE_MID_MS,
  SLICES,
  type Course,
} from './course.ts';
import { HOUR_MS, MINUTE_MS } from './time-bins.ts';

/** In which cell each slice of a course is counted, to which `plus` is added. */
export interface Cells {
  readonly ofSlice: Uint16Array;
  readonly plus: number;
}

export interface Stratum {
  readonly name: string;
  /** How many departures it takes until its own history weighs as much as the wider strata. */
  readonly pull: number;
  readonly cells: number;
  /** Which of its rows a stay belongs to; undefined: it says nothing of such a stay. */
  rowOf(course: Course): string | undefined;
  /** Good until the next call. */
  cellsOf(course: Course): Cells;
  /** What it is pulled towards where that is not 1. */
  priorOf?(cell: number): number;
}

const ALL = '';

/** From far before the stated departure to long after it. */
const STATED_EDGES_MS = [-480, -240, -120, -60, -30, -15, 0, 15, 30, 60, 120, 240].map(
  (min) => min * MINUTE_MS,
);
const STATED_CELLS = STATED_EDGES_MS.length + 1;

const byElapsed: Cells = { ofSlice: ELAPSED_CELL, plus: 0 };
const byBand: Cells = { ofSlice: BAND_CELL, plus: 0 };
const scratch = new Uint16Array(SLICES);
/** Of the course that was last looked at: two strata ask for them, one after the other. */
const halfHours = { pluggedLocalMs: NaN, ofSlice: new Uint16Array(SLICES) };

function byArrivalAndBand({ arrival }: Course): Cells {
  return { ofSlice: BAND_CELL, plus: arrival * BAND_CELLS };
}

function byHalfHour(course: Course): Cells {
  if (halfHours.pluggedLocalMs !== course.pluggedLocalMs) {
    halfHoursOf(course, halfHours.ofSlice);
    halfHours.pluggedLocalMs = course.pluggedLocalMs;
  }
  return { ofSlice: halfHours.ofSlice, plus: 0 };
}

function byHour(course: Course): Cells {
  const { ofSlice } = byHalfHour(course);
  for (let slice = 0; slice < SLICES; slice += 1) scratch[slice] = (ofSlice[slice] ?? 0) >> 1;
  return { ofSlice: scratch, plus: 0 };
}

function byStated({ statedMs = 0 }: Course): Cells {
  let cell = 0;
  for (let slice = 0; slice < SLICES; slice += 1) {
    const fromStatedMs = (SLICE_MID_MS[slice] ?? 0) - statedMs;
    while (fromStatedMs >= (STATED_EDGES_MS[cell] ?? Infinity)) cell += 1;
    scratch[slice] = cell;
  }
  return { ofSlice: scratch, plus: 0 };
}

/**
 * Before anything is known of a pile's statements they are hardly believed: it is assumed that drivers overstate by hours, so that
 * most are gone long before, and who is not leaves somewhat sooner than others.
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
    cellsOf: () => byElapsed,
  },
  {
    name: 'all stays, by when they began and elapsed time',
    pull: 4,
    cells: ARRIVALS * BAND_CELLS,
    rowOf: () => ALL,
    cellsOf: byArrivalAndBand,
  },
  {
    name: 'all stays, by time of day',
    pull: 4,
    cells: HALF_HOURS,
    rowOf: () => ALL,
    cellsOf: byHalfHour,
  },
  {
    name: 'station, by elapsed time',
    pull: 2,
    cells: BAND_CELLS,
    rowOf: (course) => course.station,
    cellsOf: () => byBand,
  },
  {
    name: 'connector, by elapsed time (coarse)',
    pull: 0.5,
    cells: BAND_CELLS,
    rowOf: (course) => course.connector,
    cellsOf: () => byBand,
  },
  {
    name: 'connector, by elapsed time',
    pull: 5,
    cells: ELAPSED_CELLS,
    rowOf: (course) => course.connector,
    cellsOf: () => byElapsed,
  },
  {
    name: 'connector, by time of day',
    pull: 6,
    cells: HALF_HOURS / 2,
    rowOf: (course) => course.connector,
    cellsOf: byHour,
  },
  {
    name: 'connector, by when it began and elapsed time',
    pull: 7,
    cells: ARRIVALS * BAND_CELLS,
    rowOf: (course) => course.connector,
    cellsOf: byArrivalAndBand,
  },
  {
    name: 'departure stated, by how far it is',
    pull: 5,
    cells: STATED_CELLS,
    rowOf: (course) => (course.statedMs === undefined ? undefined : ALL),
    cellsOf: byStated,
    priorOf: statedPrior,
  },
  {
    name: 'departure stated at the connector, by how far it is',
    pull: 5,
    cells: STATED_CELLS,
    rowOf: (course) => (course.statedMs === undefined ? undefined : course.connector),
    cellsOf: byStated,
  },
];
