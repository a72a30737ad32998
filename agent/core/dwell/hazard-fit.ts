/** Departures as they were counted in every stratum, and the hazard that follows from them for a stay. */
import { DWELL_STRATA_MAX } from '../limits.ts';
import { midOf, moveTo, newMoment, SLICE_EDGES_MS, sliceOf, type Course } from './course.ts';
import { priorHazardPerMs } from './prior.ts';
import { count, ratio, RatioTable, type RatioRow } from './ratio-table.ts';
import { LEAD_EDGES_MS } from './residual.ts';
import { STRATA } from './strata.ts';
import { MINUTE_MS, TimeBins } from './time-bins.ts';

/** A stay that is over. */
export interface Lasted {
  readonly course: Course;
  readonly lastedMs: number;
  /** How much less older stays weighed from when it was learned: 1 or more. */
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

/** A row for each of `STRATA`; undefined where that one says nothing. */
type Rows = readonly (RatioRow | undefined)[];

/** How long ago charging ended. */
const SINCE_CHARGED = new TimeBins([0, 15, 30, 60, 120, 240, 480, 720].map(ofMinutes));
const SINCE_CHARGED_PULL = 5;
/** How far from a moment at which the vehicle charged. */
const WHILE_CHARGING = new TimeBins([0, 15, 30, 60, 120, 240, 480].map(ofMinutes));
/** When a stay that is over is looked at as if it still went on, and each such look counts its departure. */
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
  readonly #moment = newMoment();

  #age(factor: number): void {
    this.#unit *= factor;
    if (this.#unit < 2 ** 40) return;
    for (const table of [...this.#strata, this.#charging]) table.scale(1 / this.#unit);
    this.#unit = 1;
  }

  /** Counts a stay against what `known` expects of it: this fit itself, or an earlier one that it is to better. */
  count(stay: Lasted, known: HazardFit = this): void {
    this.#age(stay.aging);
    const expected = this.#countStrata(stay, known);
    if (stay.chargedMs === undefined) return;
    this.#countSinceCharged(stay.chargedMs, expected);
    this.#countWhileCharging(stay.chargedMs, expected);
  }

  /** The cumulative hazard from now on, at each of `LEAD_EDGES_MS`. */
  cumulate(stay: GoingOn): Float64Array {
    const rows = this.#rowsOf(stay.course);
    const cumulated = new Float64Array(LEAD_EDGES_MS.length);
    let slice = sliceOf(stay.elapsedMs);
    let hazardPerMs = this.#hazardPerMs(rows, stay, slice);
    let atMs = stay.elapsedMs;
    let sum = 0;
    for (let lead = 1; lead < cumulated.length; lead += 1) {
      const untilMs = stay.elapsedMs + (LEAD_EDGES_MS[lead] ?? 0);
      for (;;) {
        const endMs = SLICE_EDGES_MS[slice + 1] ?? Infinity;
        sum += hazardPerMs * (Math.min(endMs, untilMs) - atMs);
        atMs = Math.min(endMs, untilMs);
        if (endMs > untilMs) break;
        slice += 1;
        hazardPerMs = this.#hazardPerMs(rows, stay, slice);
      }
      cumulated[lead] = sum;
    }
    return cumulated;
  }

  /** Returns how many departures were expected in each slice of the stay, in units. */
  #countStrata({ course, lastedMs }: Lasted, known: HazardFit): Float64Array {
    const read = known.#rowsOf(course);
    const written = this.#rowsToLearn(course);
    const last = sliceOf(lastedMs);
    const expected = new Float64Array(last + 1);
    for (let slice = 0; slice <= last; slice += 1) {
      moveTo(this.#moment, course, slice);
      const fromMs = SLICE_EDGES_MS[slice] ?? 0;
      const durationMs = (slice === last ? lastedMs : (SLICE_EDGES_MS[slice + 1] ?? lastedMs)) - fromMs;
      const unitsByPrior = priorHazardPerMs(this.#moment.elapsedMs) * durationMs * this.#unit;
      const observed = slice === last ? this.#unit : 0;
      expected[slice] = this.#correct(course, read, known, unitsByPrior, (index, cell, units) => {
        const row = written[index];
        if (row !== undefined) count(row, cell, units, observed);
      });
    }
    return expected;
  }

  #countSinceCharged(chargedMs: number, expected: Float64Array): void {
    const row = this.#charging.rowToLearn('since');
    const last = expected.length - 1;
    for (let slice = sliceOf(chargedMs); slice <= last; slice += 1) {
      const sinceMs = midOf(slice) - chargedMs;
      if (row === undefined || sinceMs < 0) continue;
      count(row, SINCE_CHARGED.of(sinceMs), expected[slice] ?? 0, slice === last ? this.#unit : 0);
    }
  }

  #countWhileCharging(chargedMs: number, expected: Float64Array): void {
    const row = this.#charging.rowToLearn('while');
    const last = expected.length - 1;
    for (const look of LOOKS) {
      const lookMs = SLICE_EDGES_MS[look] ?? 0;
      if (row === undefined || lookMs >= chargedMs) return;
      for (let slice = look; slice <= last; slice += 1)
        count(
          row,
          WHILE_CHARGING.of(midOf(slice) - lookMs),
          expected[slice] ?? 0,
          slice === last ? this.#unit : 0,
        );
    }
  }

  #hazardPerMs(rows: Rows, stay: GoingOn, slice: number): number {
    moveTo(this.#moment, stay.course, slice);
    const hazardPerMs = this.#correct(stay.course, rows, this, priorHazardPerMs(this.#moment.elapsedMs));
    return hazardPerMs * this.#chargingRatio(stay, this.#moment.elapsedMs);
  }

  #chargingRatio({ chargedMs, isCharging, elapsedMs }: GoingOn, atMs: number): number {
    if (chargedMs !== undefined && atMs >= chargedMs) {
      const row = this.#charging.row('since');
      return row === undefined
        ? 1
        : ratio(row, SINCE_CHARGED.of(atMs - chargedMs), SINCE_CHARGED_PULL * this.#unit, 1);
    }
    const row = isCharging ? this.#charging.row('while') : undefined;
    return row === undefined
      ? 1
      : ratio(row, WHILE_CHARGING.of(atMs - elapsedMs), WHILE_CHARGING_PULL * this.#unit, 1);
  }

  /** `value`, corrected by each stratum in turn; `before` sees it as each finds it. */
  #correct(
    course: Course,
    rows: Rows,
    known: HazardFit,
    value: number,
    before?: (index: number, cell: number, value: number) => void,
  ): number {
    let corrected = value;
    for (let index = 0; index < STRATA.length; index += 1) {
      const stratum = STRATA[index];
      if (stratum === undefined) break;
      const row = rows[index];
      if (row === undefined && before === undefined) continue;
      const cell = stratum.cellOf(this.#moment, course);
      before?.(index, cell, corrected);
      const prior = stratum.priorOf?.(cell) ?? 1;
      if (row !== undefined) corrected *= ratio(row, cell, stratum.pull * known.#unit, prior);
    }
    return corrected;
  }

  #rowsOf(course: Course): Rows {
    return STRATA.map((stratum, index) => {
      const name = stratum.rowOf(course);
      if (name === undefined) return undefined;
      return this.#strata[index]?.row(name) ?? (stratum.priorOf === undefined ? undefined : NOTHING_SEEN);
    });
  }

  #rowsToLearn(course: Course): Rows {
    return STRATA.map((stratum, index) => {
      const name = stratum.rowOf(course);
      return name === undefined ? undefined : this.#strata[index]?.rowToLearn(name);
    });
  }
}
