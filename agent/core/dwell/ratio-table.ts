/**
 * How often vehicles left against how often was expected, in cells: the correction of a hazard, pulled towards a prior where
 * little was seen. With o departures where e were expected it is (o + pull · prior) / (e + pull), the mean of a Gamma–Poisson
 * estimate.
 */

export interface RatioRow {
  readonly observed: Float64Array;
  readonly expected: Float64Array;
}

export class RatioTable {
  readonly #rows = new Map<string, RatioRow>();
  readonly #cells: number;
  readonly #rowsMax: number;

  constructor(cells: number, rowsMax: number) {
    this.#cells = cells;
    this.#rowsMax = rowsMax;
  }

  /** Undefined where nothing was learned of it: it is as the wider stratum is. */
  row(name: string): RatioRow | undefined {
    return this.#rows.get(name);
  }

  /** Made where it was not there; undefined where the table is full. */
  rowToLearn(name: string): RatioRow | undefined {
    const known = this.#rows.get(name);
    if (known !== undefined || this.#rows.size >= this.#rowsMax) return known;
    const row = { observed: new Float64Array(this.#cells), expected: new Float64Array(this.#cells) };
    this.#rows.set(name, row);
    return row;
  }

  /** Everything that was learned counts `factor` times as much. */
  scale(factor: number): void {
    for (const { observed, expected } of this.#rows.values())
      for (let cell = 0; cell < this.#cells; cell += 1) {
        observed[cell] = (observed[cell] ?? 0) * factor;
        expected[cell] = (expected[cell] ?? 0) * factor;
      }
  }
}

/** No stratum alone makes anything impossible or certain, whatever accident it saw first. */
const RATIO_MAX = 100;

export function ratio(row: RatioRow, cell: number, pull: number, prior: number): number {
  const mean = ((row.observed[cell] ?? 0) + pull * prior) / ((row.expected[cell] ?? 0) + pull);
  return Math.min(RATIO_MAX, Math.max(1 / RATIO_MAX, mean));
}

export function count(row: RatioRow, cell: number, expected: number, observed: number): void {
  row.expected[cell] = (row.expected[cell] ?? 0) + expected;
  row.observed[cell] = (row.observed[cell] ?? 0) + observed;
}
