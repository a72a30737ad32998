/**
 * How long a run will take: for each algorithm the learned distribution of observed ÷ expected, where expected is the estimated
 * work over the donor's speed and usable cores. Kept in logarithms, since an estimate is wrong by a factor and not by a sum.
 *
 *   runs of each donor, the older the lighter ──► its mean and spread of ln(observed ÷ expected)
 *   the donors' weighted median, and how far they are from it (a few runs' worth of an assumption beside) ──► mean and spread
 *                                                                           ──► median and five equally likely points
 *
 * A donor says itself how long it ran, so that one that lies, with a requester that lies for it, must not move what all are
 * thought to take: however many its runs are, it is one of the donors, and the median goes with the most of them.
 */
import type { VehicleId } from '@plugpool/proto';
import { weightedMedian, type Weighted } from './weighted-median.ts';
import { RUN_TIME_DONORS_MAX, RUN_TIMES_MAX } from '../limits.ts';

export interface RunTime {
  readonly medianMs: number;
  /** Five equally likely points, the shortest first: the middles of five slices of equal chance. */
  readonly quantilesMs: readonly number[];
}

export interface ObservedRun {
  readonly algorithmKey: string;
  readonly vehicleId: VehicleId;
  readonly runMs: number;
  readonly expectedMs: number;
  /** `doubted`: nobody has reason to believe its donor; it counts as a part of a run. */
  readonly how: 'believed' | 'doubted';
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

/** Runs of one donor. */
interface DonorRuns {
  readonly vehicleId: VehicleId;
  readonly weight: number;
  /** Of ln(observed ÷ expected). */
  readonly mean: number;
  /** Weighted sum of squared distances from the mean. */
  readonly squares: number;
}

interface Learned {
  /** No two of the same vehicle. */
  readonly donors: readonly DonorRuns[];
  /** What is left of the prior. */
  readonly prior: number;
  /** Successful runs, however old. */
  readonly runs: number;
  /** The quantiles of observed ÷ expected: worked out once a run, read at every match. */
  readonly ratios: readonly number[];
}

/** A donor with more runs than these speaks no louder. */
const DONOR_WEIGHT_MAX = 4;
const DOUBTED_WEIGHT = 0.25;
/** So many runs each count at once; after them, so many together. */
const RUNS_EACH = 64;
const RUNS_BETWEEN = 16;
/** Median distance from the median, as a standard deviation of what is spread normally. */
const DEVIATION_PER_MEDIAN = 1.4826;

const UNLEARNED = withRatios({ donors: [], prior: PRIOR_RUNS, runs: 0 });

export class RunTimes {
  readonly #learned = new Map<string, Learned>();
  readonly #settled = new Map<string, readonly number[]>();
  /** Since it was last written. */
  #changed = false;

  get size(): number {
    return this.#learned.size;
  }

  learn({ algorithmKey, vehicleId, runMs, expectedMs, how }: ObservedRun): void {
    if (!(runMs >= 0) || !(expectedMs > 0)) return;
    const ratio = Math.min(RATIO_MAX, Math.max(1 / RATIO_MAX, runMs / expectedMs));
    const before = this.#learned.get(algorithmKey) ?? UNLEARNED;
    if (before === UNLEARNED && this.#learned.size >= RUN_TIMES_MAX) this.#forgetOne();
    const weight = how === 'believed' ? 1 : DOUBTED_WEIGHT;
    this.#learned.set(algorithmKey, withRun(before, vehicleId, Math.log(ratio), weight));
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
    return [...this.#learned].map(([algorithmKey, { donors, prior, runs }]) => ({
      algorithmKey,
      prior,
      runs,
      donors: donors.map(({ vehicleId, weight, mean, squares }) => [vehicleId, weight, mean, squares]),
    }));
  }

  /** What is damaged is dropped, and learned again. */
  static fromJson(json: unknown): RunTimes {
    const runTimes = new RunTimes();
    for (const entry of Array.isArray(json) ? (json as unknown[]) : []) {
      const kept = keptIn(entry);
      if (kept !== undefined && runTimes.#learned.size < RUN_TIMES_MAX)
        runTimes.#learned.set(kept.algorithmKey, withRatios(kept));
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

/**
 * What was before loses a little weight: that of the same donor as by any run, that of the others by as much less as there are
 * donors, so that who runs the most does not make what others ran be forgotten.
 */
function withRun(before: Learned, vehicleId: VehicleId, log: number, weight: number): Learned {
  const ownKept = KEPT ** weight;
  const own = before.donors.find((donor) => donor.vehicleId === vehicleId) ?? { vehicleId, ...NO_RUNS };
  const others = before.donors.filter((donor) => donor !== own);
  const othersKept = ownKept ** (1 / (others.length + 1));
  const donors = [
    ...others.map((donor) => faded(donor, othersKept)),
    ownWithRun(faded(own, ownKept), log, weight),
  ];
  if (donors.length > RUN_TIME_DONORS_MAX) donors.splice(lightestOf(donors), 1);
  const learned = { donors, prior: before.prior * ownKept, runs: before.runs + 1 };
  // Of many runs the next one moves little: to put the donors in order for each would cost more than it tells.
  const isDue = learned.runs <= RUNS_EACH || learned.runs % RUNS_BETWEEN === 0;
  return isDue ? withRatios(learned) : { ...learned, ratios: before.ratios };
}

function faded(donor: DonorRuns, kept: number): DonorRuns {
  return { ...donor, weight: donor.weight * kept, squares: donor.squares * kept };
}

const NO_RUNS = { weight: 0, mean: 0, squares: 0 };

/** West's update of a weighted mean and its sum of squares. */
function ownWithRun(own: DonorRuns, log: number, added: number): DonorRuns {
  const weight = own.weight + added;
  const distance = log - own.mean;
  const mean = own.mean + (distance * added) / weight;
  return { ...own, weight, mean, squares: own.squares + added * distance * (log - mean) };
}

function lightestOf(donors: readonly DonorRuns[]): number {
  return donors.reduce((least, { weight }, i) => (weight < (donors[least]?.weight ?? 0) ? i : least), 0);
}

function withRatios(learned: Omit<Learned, 'ratios'>): Learned {
  const { donors, prior } = learned;
  const weight = donors.reduce((sum, donor) => sum + donor.weight, 0);
  const middle = medianOf(donors, ({ mean }) => mean);
  const within = medianOf(donors, ({ squares, weight: own }) => squares / own);
  const apart = DEVIATION_PER_MEDIAN * medianOf(donors, ({ mean }) => Math.abs(mean - middle));
  // With the prior, whose mean is 0.
  const all = weight + prior;
  const mean = (weight * middle) / all;
  const squares =
    weight * (within + apart ** 2) + prior * PRIOR_SPREAD ** 2 + ((weight * prior) / all) * middle ** 2;
  // Of the next run: the spread of the runs, and that of their mean.
  const spread = Math.max(SPREAD_MIN, Math.sqrt((squares / all) * (1 + 1 / all)));
  return { ...learned, ratios: DEVIATES.map((deviate) => Math.exp(mean + spread * deviate)) };
}

function medianOf(donors: readonly DonorRuns[], of: (donor: DonorRuns) => number): number {
  const values = donors.map((donor): Weighted => [of(donor), Math.min(DONOR_WEIGHT_MAX, donor.weight)]);
  return weightedMedian(values) ?? 0;
}

type Kept = Omit<Learned, 'ratios'> & { readonly algorithmKey: string };

function keptIn(entry: unknown): Kept | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { algorithmKey, prior, runs, donors } = entry as Partial<Record<keyof Kept, unknown>>;
  if (typeof algorithmKey !== 'string' || !Array.isArray(donors)) return undefined;
  if (!isBetween(prior, 0, PRIOR_RUNS) || !isBetween(runs, 0, Number.MAX_SAFE_INTEGER)) return undefined;
  const known = (donors as unknown[]).map(donorIn);
  const isWhole = known.length > 0 && known.length <= RUN_TIME_DONORS_MAX;
  if (!isWhole || !known.every((donor) => donor !== undefined)) return undefined;
  return { algorithmKey, prior, runs, donors: known };
}

function donorIn(entry: unknown): DonorRuns | undefined {
  const [vehicleId, weight, mean, squares] = Array.isArray(entry) ? (entry as unknown[]) : [];
  if (typeof vehicleId !== 'string') return undefined;
  if (!isBetween(weight, Number.MIN_VALUE, WEIGHT_MAX)) return undefined;
  if (!isBetween(mean, -Math.log(RATIO_MAX), Math.log(RATIO_MAX))) return undefined;
  if (!isBetween(squares, 0, WEIGHT_MAX * (2 * Math.log(RATIO_MAX)) ** 2)) return undefined;
  return { vehicleId: vehicleId as VehicleId, weight, mean, squares };
}

function isBetween(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max;
}
