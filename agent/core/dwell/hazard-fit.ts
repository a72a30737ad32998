/** Departures as they were counted in every stratum, and the hazard that follows from them for a stay. */
import { DWELL_STRATA_MAX } from '../limits.ts';
import { SLICE_EDGES_MS, SLICE_MID_MS, sliceOf, SLICES, startOf, type Course } from './course.ts';
import { priorHazardPerMs } from './prior.ts';
import { count, ratio, RatioTable, type RatioRow } from './ratio-table.ts';
import { LEAD_EDGES_MS } from './residual.ts';
import { STRATA, type Stratum } from './strata.ts';
import { MINUTE_MS, TimeBins } from './time-bins.ts';

/** A stay that is over. */
export interface Lasted {
  readonly course: Course;
  readonly lastedMs: number;
  /** How much less older stays weigh from when it was learned: 1 or more. */
  readonly aging: number;
  /** Until when it charged, from plugging in, where that is known. */
  readonly chargedMs: number | undefined;
}

/** A stay that goes on. */
export interface GoingOn {
  readonly course: Course;
  readonly elapsedMs: number;
  readonly isCharging: boolean;
  /** When charging ended, or will have ended as far as the car can tell; from plugging in. */
  readonly chargedMs: number | undefined;
}

const PRIOR_PER_MS = SLICE_MID_MS.map((_, slice) => priorHazardPerMs(startOf(slice), startOf(slice + 1)));
/** How long ago charging ended. */
const SINCE_CHARGED = new TimeBins([0, 15, 30, 60, 120, 240, 480, 720].map(ofMinutes));
const SINCE_CHARGED_PULL = 5;
/** How far from a moment at which the vehicle charged. */
const WHILE_CHARGING = new TimeBins([0, 15, 30, 60, 120, 240, 480].map(ofMinutes));
/** When a stay that is over is looked at as if it still went on; each look counts its departure. */
const LOOKS = [0, 15, 45, 120, 360, 720].map((minutes) => sliceOf(ofMinutes(minutes)));
const WHILE_CHARGING_PULL = 5 * LOOKS.length;
/** For a stratum whose prior says something. */
const NOTHING_SEEN: RatioRow = { observed: new Float64Array(0), expected: new Float64Array(0) };

function ofMinutes(minutes: number): number {
  return minutes * MINUTE_MS;
}

export class HazardFit {
  /** What a departure counts that is learned now; grows, so that older ones weigh less. */
  #unit = 1;
  readonly #strata = STRATA.map(({ cells }) => new RatioTable(cells, DWELL_STRATA_MAX));
  readonly #charging = new RatioTable(Math.max(SINCE_CHARGED.count, WHILE_CHARGING.count), 2);
  readonly #slices = new Float64Array(SLICES);

  /** Counts a stay against what `known` expects of it: this fit itself, or an earlier one that it is to better. */
  count(stay: Lasted, known: HazardFit = this): void {
    this.#age(stay.aging);
    const last = sliceOf(stay.lastedMs);
    this.#expectByPrior(last);
    for (const [index, stratum] of STRATA.entries()) this.#countIn(index, stratum, stay.course, last, known);
    if (stay.chargedMs === undefined) return;
    this.#countSinceCharged(stay.chargedMs, last);
    this.#countWhileCharging(stay.chargedMs, last);
  }

  /** The cumulative hazard from now on, at each of `LEAD_EDGES_MS`. */
  cumulate(stay: GoingOn): Float64Array {
    const first = sliceOf(stay.elapsedMs);
    this.#slices.set(PRIOR_PER_MS);
    for (const [index, stratum] of STRATA.entries()) this.#correct(index, stratum, stay.course, first);
    this.#correctForCharging(stay, first);
    return cumulated(this.#slices, stay.elapsedMs, first);
  }

  #age(factor: number): void {
    this.#unit *= factor;
    if (this.#unit < 2 ** 40) return;
    for (const table of [...this.#strata, this.#charging]) table.scale(1 / this.#unit);
    this.#unit = 1;
  }

  /** Departures that the prior expects in each slice of a stay, in units. */
  #expectByPrior(last: number): void {
    for (let slice = 0; slice <= last; slice += 1) {
      const durationMs = startOf(slice + 1) - startOf(slice);
      // Who left within a slice was there for half of it: taken exactly, those who leave right at its beginning, as after a
      // round half hour, would be departures that nothing was expected of.
      const thereMs = slice === last ? durationMs / 2 : durationMs;
      this.#slices[slice] = (PRIOR_PER_MS[slice] ?? 0) * thereMs * this.#unit;
    }
  }

  /** Counts what was expected before this stratum, and corrects it for the next. */
  #countIn(index: number, stratum: Stratum, course: Course, last: number, known: HazardFit): void {
    const name = stratum.rowOf(course);
    if (name === undefined) return;
    const written = this.#strata[index]?.rowToLearn(name);
    const read = known.#rowOf(index, stratum, name);
    const { ofSlice, plus } = stratum.cellsOf(course);
    for (let slice = 0; slice <= last; slice += 1) {
      const cell = plus + (ofSlice[slice] ?? 0);
      const expected = this.#slices[slice] ?? 0;
      if (read !== undefined)
        this.#slices[slice] =
          expected * ratio(read, cell, stratum.pull * known.#unit, stratum.priorOf?.(cell) ?? 1);
      if (written !== undefined) count(written, cell, expected, slice === last ? this.#unit : 0);
    }
  }

  #countSinceCharged(chargedMs: number, last: number): void {
    const row = this.#charging.rowToLearn('since');
    for (let slice = sliceOf(chargedMs); slice <= last; slice += 1) {
      const sinceMs = midFrom(chargedMs, slice) - chargedMs;
      if (row === undefined) return;
      const expected = (this.#slices[slice] ?? 0) * shareFrom(chargedMs, slice);
      count(row, SINCE_CHARGED.of(sinceMs), expected, slice === last ? this.#unit : 0);
    }
  }

  #countWhileCharging(chargedMs: number, last: number): void {
    const row = this.#charging.rowToLearn('while');
    for (const look of LOOKS) {
      if (row === undefined || startOf(look) >= chargedMs) return;
      for (let slice = look; slice <= last; slice += 1) {
        const cell = WHILE_CHARGING.of((SLICE_MID_MS[slice] ?? 0) - startOf(look));
        count(row, cell, this.#slices[slice] ?? 0, slice === last ? this.#unit : 0);
      }
    }
  }

  #correct(index: number, stratum: Stratum, course: Course, first: number): void {
    const name = stratum.rowOf(course);
    const row = name === undefined ? undefined : this.#rowOf(index, stratum, name);
    if (row === undefined) return;
    const { ofSlice, plus } = stratum.cellsOf(course);
    const pull = stratum.pull * this.#unit;
    // Neighbours mostly lie in the same cell.
    const slices = this.#slices;
    let cellBefore = -1;
    let factor = 1;
    for (let slice = first; slice < SLICES; slice += 1) {
      const cell = plus + ofSlice[slice]!;
      if (cell !== cellBefore) factor = ratio(row, cell, pull, stratum.priorOf?.(cell) ?? 1);
      cellBefore = cell;
      slices[slice]! *= factor;
    }
  }

  #correctForCharging({ chargedMs = Infinity, isCharging, elapsedMs }: GoingOn, first: number): void {
    const since = this.#charging.row('since');
    const during = isCharging ? this.#charging.row('while') : undefined;
    if (since === undefined && during === undefined) return;
    for (let slice = first; slice < SLICES; slice += 1) {
      const midMs = slice === first ? midFrom(elapsedMs, slice) : (SLICE_MID_MS[slice] ?? 0);
      if (midMs >= chargedMs && since !== undefined)
        this.#scale(
          slice,
          ratio(since, SINCE_CHARGED.of(midMs - chargedMs), SINCE_CHARGED_PULL * this.#unit, 1),
        );
      else if (midMs < chargedMs && during !== undefined)
        this.#scale(
          slice,
          ratio(during, WHILE_CHARGING.of(midMs - elapsedMs), WHILE_CHARGING_PULL * this.#unit, 1),
        );
    }
  }

  #scale(slice: number, factor: number): void {
    this.#slices[slice] = (this.#slices[slice] ?? 0) * factor;
  }

  #rowOf(index: number, stratum: Stratum, name: string): RatioRow | undefined {
    return this.#strata[index]?.row(name) ?? (stratum.priorOf === undefined ? undefined : NOTHING_SEEN);
  }
}

/** The middle of what of a slice lies after `fromMs`, where any of it does. */
function midFrom(fromMs: number, slice: number): number {
  return (Math.max(fromMs, startOf(slice)) + Math.max(fromMs, startOf(slice + 1))) / 2;
}

function shareFrom(fromMs: number, slice: number): number {
  const [startMs, endMs] = [startOf(slice), startOf(slice + 1)];
  return Math.min(1, Math.max(0, (endMs - fromMs) / (endMs - startMs)));
}

/** Hazards of slices of a stay, summed up from `elapsedMs` on; the last slice goes on for ever. */
function cumulated(hazardsPerMs: Float64Array, elapsedMs: number, first: number): Float64Array {
  const sums = new Float64Array(LEAD_EDGES_MS.length);
  let slice = first;
  let atMs = elapsedMs;
  let sum = 0;
  for (let lead = 1; lead < sums.length; lead += 1) {
    const untilMs = elapsedMs + (LEAD_EDGES_MS[lead] ?? 0);
    while (slice < SLICES - 1 && SLICE_EDGES_MS[slice + 1]! <= untilMs) {
      const endMs = SLICE_EDGES_MS[slice + 1]!;
      sum += hazardsPerMs[slice]! * (endMs - atMs);
      slice += 1;
      atMs = endMs;
    }
    sum += hazardsPerMs[slice]! * (untilMs - atMs);
    atMs = untilMs;
    sums[lead] = sum;
  }
  return sums;
}
