/** The course of a stay, in slices: where each lies on the clocks by which departures are counted. */
import type { ConnectorId } from '@plugpool/proto';
import {
  DAY_MS,
  growingEdges,
  HOUR_MS,
  MINUTE_MS,
  STAY_MAX_MS,
  TimeBins,
  wholeMinutes,
} from './time-bins.ts';

/** What is known of a whole stay; times of it count from plugging in. */
export interface Course {
  readonly connector: string;
  readonly station: string;
  readonly pluggedLocalMs: number;
  /** In which four hours of a working day, or of another, it was plugged in. */
  readonly arrival: number;
  /** When it is said to leave; never a form's default. */
  readonly statedMs?: number;
}

/** One slice of a course. Changed in place, since there are hundreds in each. */
export interface Moment {
  elapsedMs: number;
  elapsed: number;
  band: number;
  halfHour: number;
}

const ARRIVAL_MS = 4 * HOUR_MS;
export const ARRIVALS = (2 * DAY_MS) / ARRIVAL_MS;
/** Of a working day, then of another. */
export const HALF_HOURS = 96;

/** A stay is counted, and foretold, in these slices. */
export const SLICE_EDGES_MS = wholeMinutes(growingEdges(3 * MINUTE_MS, 1.2, widestSliceMs, STAY_MAX_MS));
/** Slices that are counted apart: minutes at first, hours later. */
const ELAPSED = new TimeBins(wholeMinutes(growingEdges(3 * MINUTE_MS, 1.2, widestElapsedMs, STAY_MAX_MS)));
const BANDS = new TimeBins(
  [0, 10, 20, 40, 80, 160, 320, 640, 960, 1440, 2880].map((minutes) => minutes * MINUTE_MS),
);
export const ELAPSED_CELLS = ELAPSED.count;
export const BAND_CELLS = BANDS.count;

const SLICES = Array.from(SLICE_EDGES_MS, (fromMs, slice) => {
  const elapsedMs = (fromMs + (SLICE_EDGES_MS[slice + 1] ?? fromMs)) / 2;
  return { elapsedMs, elapsed: ELAPSED.of(elapsedMs), band: BANDS.of(elapsedMs) };
});
const SLICE_OF = new TimeBins(SLICE_EDGES_MS);

function widestSliceMs(atMs: number): number {
  if (atMs < DAY_MS) return 15 * MINUTE_MS;
  return atMs < 2 * DAY_MS ? HOUR_MS : 6 * HOUR_MS;
}

function widestElapsedMs(atMs: number): number {
  if (atMs < 6 * HOUR_MS) return 30 * MINUTE_MS;
  return atMs < 36 * HOUR_MS ? HOUR_MS : 6 * HOUR_MS;
}

export function midOf(slice: number): number {
  return SLICES[Math.min(slice, SLICES.length - 1)]?.elapsedMs ?? Infinity;
}

export function sliceOf(elapsedMs: number): number {
  return SLICE_OF.of(elapsedMs);
}

export function courseOf(
  connectorId: ConnectorId,
  pluggedLocalMs: number,
  statedMs: number | undefined,
): Course {
  const ofDay = Math.floor(timeOfDayMs(pluggedLocalMs) / ARRIVAL_MS);
  return {
    connector: connectorId,
    station: connectorId.slice(0, connectorId.indexOf('/')),
    pluggedLocalMs,
    arrival: ofDay + (isWeekend(pluggedLocalMs) ? ARRIVALS / 2 : 0),
    ...(statedMs === undefined ? {} : { statedMs }),
  };
}

export function newMoment(): Moment {
  return { elapsedMs: 0, elapsed: 0, band: 0, halfHour: 0 };
}

export function moveTo(moment: Moment, course: Course, slice: number): void {
  const found = SLICES[Math.min(slice, SLICES.length - 1)];
  if (found === undefined) return;
  const localMs = course.pluggedLocalMs + found.elapsedMs;
  moment.elapsedMs = found.elapsedMs;
  moment.elapsed = found.elapsed;
  moment.band = found.band;
  moment.halfHour =
    Math.floor(timeOfDayMs(localMs) / (HOUR_MS / 2)) + (isWeekend(localMs) ? HALF_HOURS / 2 : 0);
}

function timeOfDayMs(localMs: number): number {
  return localMs - Math.floor(localMs / DAY_MS) * DAY_MS;
}

/** 1 January 1970 was a Thursday. */
function isWeekend(localMs: number): boolean {
  const days = Math.floor(localMs / DAY_MS) + 3;
  return days - 7 * Math.floor(days / 7) >= 5;
}
