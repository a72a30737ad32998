/**
 * How long a run will take: for each algorithm the learned distribution of observed ÷ expected, where expected is the estimated
 * work over the donor's speed and usable cores. Kept in logarithms, since an estimate is wrong by a factor and not by a sum.
 *
 *   prior (a few runs' worth of an assumption) + runs, the older the lighter ──► mean and spread of ln(observed ÷ expected)
 *                                                                           ──► median and five equally likely points
 */
import { RUN_TIMES_MAX } from '../limits.ts';

export interface RunTime {
  readonly medianMs: number;
  /** Five equally likely points, the shortest first: the middles of five slices of equal chance. */
  readonly quantilesMs: readonly number[];
}

export interface ObservedRun {
  readonly algorithmKey: string;
  readonly runMs: number;
  readonly expectedMs: number;
}

/**
 * An estimate is taken to be wrong by a factor of two either way in one case of three: for lack of anything better to assume.
 * It counts as four runs, and is forgotten as they are.
 */
const PRIOR_SPREAD = Math.LN2;
const PRIOR_RUNS = 4;
/** A run counts half after this many later ones: inputs and versions change. */
const HALF_LIFE_RUNS = 32;
const KEPT = 0.5 ** (1 / HALF_LIFE_RUNS);
/** What runs together weigh at most. */
const WEIGHT_MAX = 1 / (1 - KEPT);
/** Runs that all took the same are not certain to a hair: 2 %. */
const SPREAD_MIN = 0.02;
/** A clock or a report that is further off than this is believed no further. */
const RATIO_MAX = 1_000;
/** Standard normal deviates of 10, 30, 50, 70 and 90 %. */
const DEVIATES = [-1.2815515655446004, -0.5244005127080409, 0, 0.5244005127080409, 1.2815515655446004];

/** An estimate that moved by less moves no verdict. */
const SETTLED_WITHIN = 0.1;

interface Learned {
  /** Of the runs and what is left of the prior. */
  weight: number;
  /** Of ln(observed ÷ expected). */
  mean: number;
  /** Weighted sum of squared distances from the mean. */
  squares: number;
  /** Successful runs, however old. */
  runs: number;
  /** The quantiles of observed ÷ expected: worked out once a run, read at every match. */
  ratios: readonly number[];
}

const UNLEARNED = withRatios({
  weight: PRIOR_RUNS,
  mean: 0,
  squares: PRIOR_RUNS * PRIOR_SPREAD ** 2,
  runs: 0,
});

export class RunTimes {
  readonly #learned = new Map<string, Learned>();
  readonly #settled = new Map<string, readonly number[]>();
  /** Since it was last written. */
  #changed = false;

  get size(): number {
    return this.#learned.size;
  }

  learn({ algorithmKey, runMs, expectedMs }: ObservedRun): void {
    if (!(runMs >= 0) || !(expectedMs > 0)) return;
    const ratio = Math.min(RATIO_MAX, Math.max(1 / RATIO_MAX, runMs / expectedMs));
    const before = this.#learned.get(algorithmKey) ?? UNLEARNED;
    if (before === UNLEARNED && this.#learned.size >= RUN_TIMES_MAX) this.#forgetOne();
    this.#learned.set(algorithmKey, withRun(before, Math.log(ratio)));
    this.#changed = true;
  }

  /** What a run that is expected to take `expectedMs` will take. */
  expect(algorithmKey: string, expectedMs: number): RunTime {
    const ratios = this.ratios(algorithmKey);
    return {
      medianMs: (ratios[2] ?? 1) * expectedMs,
      quantilesMs: ratios.map((ratio) => ratio * expectedMs),
    };
  }

  /** The five points as factors of what is expected; the same array until the next run of that algorithm. */
  ratios(algorithmKey: string): readonly number[] {
    return (this.#learned.get(algorithmKey) ?? UNLEARNED).ratios;
  }

  /**
   * The five points by which matching goes: those of when they were last settled, so that a verdict of this moment is one of
   * the next, and who waits need not be tried everywhere again after each result.
   */
  settledRatios(algorithmKey: string): readonly number[] {
    return this.#settled.get(algorithmKey) ?? this.ratios(algorithmKey);
  }

  /** Settles them where they have moved by a tenth; whether they did. */
  settle(algorithmKey: string): boolean {
    const before = this.#settled.get(algorithmKey) ?? UNLEARNED.ratios;
    const ratios = this.ratios(algorithmKey);
    const isSame = ratios.every((ratio, i) => Math.abs(ratio / (before[i] ?? 1) - 1) < SETTLED_WITHIN);
    this.#settled.set(algorithmKey, isSame ? before : ratios);
    return !isSame;
  }

  /** Successful runs that were seen. */
  runs(algorithmKey: string): number {
    return this.#learned.get(algorithmKey)?.runs ?? 0;
  }

  forget(algorithmKey: string): void {
    this.#settled.delete(algorithmKey);
    this.#changed = this.#learned.delete(algorithmKey) || this.#changed;
  }

  /** What is to be written, where something was learned since the last time. */
  takeChanged(): unknown {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return this.toJson();
  }

  toJson(): unknown {
    return [...this.#learned].map(([algorithmKey, { weight, mean, squares, runs }]) => ({
      algorithmKey,
      weight,
      mean,
      squares,
      runs,
    }));
  }

  /** What is damaged is dropped, and learned again. */
  static fromJson(json: unknown): RunTimes {
    const runTimes = new RunTimes();
    for (const entry of Array.isArray(json) ? (json as unknown[]) : []) {
      if (!isKept(entry) || runTimes.#learned.size >= RUN_TIMES_MAX) continue;
      const { weight, mean, squares, runs } = entry;
      runTimes.#learned.set(entry.algorithmKey, withRatios({ weight, mean, squares, runs }));
    }
    return runTimes;
  }

  /** The one that has been known longest; algorithms are as few, and it is learned again. */
  #forgetOne(): void {
    const [oldest] = this.#learned.keys();
    if (oldest === undefined) return;
    this.#learned.delete(oldest);
    this.#settled.delete(oldest);
  }
}

/** West's update of a weighted mean and its sum of squares, after all that was before has lost a little weight. */
function withRun(before: Learned, log: number): Learned {
  const weight = before.weight * KEPT + 1;
  const distance = log - before.mean;
  const mean = before.mean + distance / weight;
  const squares = before.squares * KEPT + distance * (log - mean);
  return withRatios({ weight, mean, squares, runs: before.runs + 1 });
}

function withRatios(learned: Omit<Learned, 'ratios'>): Learned {
  const { weight, mean, squares } = learned;
  // Of the next run: the spread of the runs, and that of their mean.
  const spread = Math.max(SPREAD_MIN, Math.sqrt((squares / weight) * (1 + 1 / weight)));
  return { ...learned, ratios: DEVIATES.map((deviate) => Math.exp(mean + spread * deviate)) };
}

type Kept = Omit<Learned, 'ratios'> & { readonly algorithmKey: string };

function isKept(entry: unknown): entry is Kept {
  if (typeof entry !== 'object' || entry === null) return false;
  const { algorithmKey, weight, mean, squares, runs } = entry as Partial<Record<keyof Kept, unknown>>;
  return (
    typeof algorithmKey === 'string' &&
    isBetween(weight, Number.MIN_VALUE, WEIGHT_MAX + PRIOR_RUNS) &&
    isBetween(mean, -Math.log(RATIO_MAX), Math.log(RATIO_MAX)) &&
    isBetween(squares, 0, (WEIGHT_MAX + PRIOR_RUNS) * (2 * Math.log(RATIO_MAX)) ** 2) &&
    isBetween(runs, 0, Number.MAX_SAFE_INTEGER)
  );
}

function isBetween(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && value >= min && value <= max;
}
