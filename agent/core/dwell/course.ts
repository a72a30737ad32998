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

const ARRIVAL_MS = 4 * HOUR_MS;
export const ARRIVALS = (2 * DAY_MS) / ARRIVAL_MS;
const HALF_HOUR_MS = HOUR_MS / 2;
const HALF_HOURS_A_DAY = 48;
/** Of a working day, then of another. */
export const HALF_HOURS = 2 * HALF_HOURS_A_DAY;

/** A stay is counted, and foretold, in these slices. */
export const SLICE_EDGES_MS = wholeMinutes(growingEdges(3 * MINUTE_MS, 1.2, widestSliceMs, STAY_MAX_MS));
/** Slices that are counted apart: minutes at first, hours later. */
const ELAPSED = new TimeBins(wholeMinutes(growingEdges(3 * MINUTE_MS, 1.2, widestElapsedMs, STAY_MAX_MS)));
const BANDS = new TimeBins(
  [0, 10, 20, 40, 80, 160, 320, 640, 960, 1440, 2880].map((minutes) => minutes * MINUTE_MS),
);
export const ELAPSED_CELLS = ELAPSED.count;
export const BAND_CELLS = BANDS.count;

export const SLICES = SLICE_EDGES_MS.length - 1;
/** The middle of each slice, from plugging in. */
export const SLICE_MID_MS = SLICE_EDGES_MS.subarray(1).map(
  (untilMs, slice) => (untilMs + startOf(slice)) / 2,
);
export const ELAPSED_CELL = Uint16Array.from(SLICE_MID_MS, (ms) => ELAPSED.of(ms));
export const BAND_CELL = Uint16Array.from(SLICE_MID_MS, (ms) => BANDS.of(ms));
const SLICE_OF = new TimeBins(SLICE_EDGES_MS);

function widestSliceMs(atMs: number): number {
  if (atMs < DAY_MS) return 15 * MINUTE_MS;
  return atMs < 2 * DAY_MS ? HOUR_MS : 6 * HOUR_MS;
}

function widestElapsedMs(atMs: number): number {
  if (atMs < 6 * HOUR_MS) return 30 * MINUTE_MS;
  return atMs < 36 * HOUR_MS ? HOUR_MS : 6 * HOUR_MS;
}

/** When a slice begins, from plugging in; the one after the last ends. */
export function startOf(slice: number): number {
  return SLICE_EDGES_MS[Math.min(slice, SLICES)] ?? 0;
}

export function sliceOf(elapsedMs: number): number {
  return Math.min(SLICES - 1, SLICE_OF.of(elapsedMs));
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
    arrival: ofDay + (isWeekendDay(Math.floor(pluggedLocalMs / DAY_MS)) ? ARRIVALS / 2 : 0),
    ...(statedMs === undefined ? {} : { statedMs }),
  };
}

/** Which half hour of a working day, or of another, the middle of each slice lies in. */
export function halfHoursOf({ pluggedLocalMs }: Course, into: Uint16Array): void {
  for (let slice = 0; slice < SLICES; slice += 1) {
    const halfHour = Math.floor((pluggedLocalMs + (SLICE_MID_MS[slice] ?? 0)) / HALF_HOUR_MS);
    const day = Math.floor(halfHour / HALF_HOURS_A_DAY);
    into[slice] = halfHour - HALF_HOURS_A_DAY * day + (isWeekendDay(day) ? HALF_HOURS_A_DAY : 0);
  }
}

function timeOfDayMs(localMs: number): number {
  return localMs - Math.floor(localMs / DAY_MS) * DAY_MS;
}

/** 1 January 1970 was a Thursday. */
function isWeekendDay(day: number): boolean {
  const days = day + 3;
  return days - 7 * Math.floor(days / 7) >= 5;
}
