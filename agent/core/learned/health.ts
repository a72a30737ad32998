/**
 * Which donors are ill for a class of algorithms: always slower than expected, or failing where others succeed. Never wider than
 * the class, since a broken GPU says nothing of the cores beside it. Departures say nothing at all.
 *
 *   well ──► resting ──► spot check ──► well
 *             ▲              │
 *             └── twice as long
 *
 * `well` faults fade with a half-life, and as many as the bound within it make it rest; `resting` nothing is tried;
 * `spotCheck` one single task is: a success restores, a fault rests for twice as long, up to a bound. A check that ended in
 * neither (its donor left) may be tried again after one more rest.
 */
import type { Now, VehicleId } from '@plugpool/proto';
import type { AlgorithmClass } from '../algorithms/feature.ts';
import { HEALTH_RECORDS_MAX } from '../limits.ts';
import type { Settings } from '../settings.ts';

export type HealthOutcome =
  /** `slowness` is observed ÷ expected. */
  | { readonly kind: 'succeeded'; readonly slowness: number }
  | { readonly kind: 'failed'; readonly othersSucceed: boolean }
  /** Its result was wrong, as others say: it rests at once. */
  | { readonly kind: 'outvoted' };

export type HealthVerdict =
  | { readonly state: 'well' }
  | { readonly state: 'resting'; readonly untilMonoMs: number }
  | { readonly state: 'spotCheck' };

export type HealthSettings = Pick<
  Settings,
  'healthHalfLifeMs' | 'healthFaultsMax' | 'healthSlowFactor' | 'healthRestMs' | 'healthRestMaxMs'
>;

interface HealthRecord {
  learnedMonoMs: number;
  /** Faults, each half after a half-life. */
  faults: number;
  /** Successes and the mean of their ln(slowness), fading alike. */
  weight: number;
  logSlowness: number;
  /** What follows from them, once somebody asked: at every match somebody does. */
  slowness: number | undefined;
  /** Rests so far that no success has taken back. */
  rests: number;
  phase: Phase;
}

/** `checking`: a single task was granted after the rest; if nothing comes of it until then, another may be. */
type Phase =
  | { readonly is: 'well' }
  | { readonly is: 'resting'; readonly untilMonoMs: number }
  | { readonly is: 'checking'; readonly untilMonoMs: number };

const WELL: HealthVerdict = { state: 'well' };
/** A donor is taken to be as fast as it says with this many runs' worth. */
const PRIOR_RUNS = 2;
const SLOWNESS_MAX = 100;

export class Health {
  readonly #settings: HealthSettings;
  /** Asked at every match: no key is put together for it. */
  readonly #records: Readonly<Record<AlgorithmClass, Map<VehicleId, HealthRecord>>> = {
    cpu: new Map(),
    gpu: new Map(),
    memory: new Map(),
  };

  constructor(settings: HealthSettings) {
    this.#settings = settings;
  }

  get size(): number {
    const { cpu, gpu, memory } = this.#records;
    return cpu.size + gpu.size + memory.size;
  }

  learn(vehicleId: VehicleId, of: AlgorithmClass, outcome: HealthOutcome, now: Now): void {
    if (outcome.kind === 'failed') {
      // It would fail the same way anywhere, for all that is known.
      if (outcome.othersSucceed) this.#fault(this.#recordFor(vehicleId, of, now), now);
      return;
    }
    if (outcome.kind === 'outvoted') return this.#rest(this.#recordFor(vehicleId, of, now), now);
    if (!(outcome.slowness >= 0)) return;
    const record = this.#recordFor(vehicleId, of, now);
    const slowness = Math.min(SLOWNESS_MAX, Math.max(1 / SLOWNESS_MAX, outcome.slowness));
    record.weight += 1;
    record.logSlowness += (Math.log(slowness) - record.logSlowness) / record.weight;
    if (slowness >= this.#settings.healthSlowFactor) this.#fault(record, now);
    else if (!isResting(record, now)) restore(record);
  }

  /** A task was granted to it: where that is the spot check, no second one is tried before the first has ended. */
  granted(vehicleId: VehicleId, of: AlgorithmClass, now: Now): void {
    const record = this.#records[of].get(vehicleId);
    if (record === undefined || this.verdict(vehicleId, of, now).state !== 'spotCheck') return;
    record.phase = { is: 'checking', untilMonoMs: now.monoMs + this.#restMs(record) };
  }

  verdict(vehicleId: VehicleId, of: AlgorithmClass, now: Now): HealthVerdict {
    const phase = this.#records[of].get(vehicleId)?.phase;
    if (phase === undefined || phase.is === 'well') return WELL;
    const { untilMonoMs } = phase;
    return untilMonoMs > now.monoMs ? { state: 'resting', untilMonoMs } : { state: 'spotCheck' };
  }

  /** Those who rest, or are checked, and until when. */
  *resting(now: Now): Generator<{ vehicleId: VehicleId; of: AlgorithmClass; untilMonoMs: number }> {
    for (const algorithmClass of ['cpu', 'gpu', 'memory'] as const)
      for (const vehicleId of this.#records[algorithmClass].keys()) {
        const verdict = this.verdict(vehicleId, algorithmClass, now);
        if (verdict.state === 'resting')
          yield { vehicleId, of: algorithmClass, untilMonoMs: verdict.untilMonoMs };
      }
  }

  /** By what factor its runs take longer than expected; 1 where it is as fast as it says, or nothing is known. */
  slowness(vehicleId: VehicleId, of: AlgorithmClass): number {
    const record = this.#records[of].get(vehicleId);
    if (record === undefined) return 1;
    record.slowness ??= slownessOf(record);
    return record.slowness;
  }

  #fault(record: HealthRecord, now: Now): void {
    // What was granted before the rest began may still fail in it: the rest is not made longer for that.
    if (isResting(record, now)) return;
    record.faults += 1;
    if (record.phase.is === 'well' && record.faults < this.#settings.healthFaultsMax) return;
    this.#rest(record, now);
  }

  #rest(record: HealthRecord, now: Now): void {
    if (isResting(record, now)) return;
    record.rests += 1;
    record.faults = 0;
    record.phase = { is: 'resting', untilMonoMs: now.monoMs + this.#restMs(record) };
  }

  #restMs({ rests }: HealthRecord): number {
    const { healthRestMs, healthRestMaxMs } = this.#settings;
    return Math.min(healthRestMaxMs, healthRestMs * 2 ** Math.min(30, Math.max(0, rests - 1)));
  }

  /** Faded to now, to be changed, and the last in the order of forgetting. */
  #recordFor(vehicleId: VehicleId, of: AlgorithmClass, now: Now): HealthRecord {
    const records = this.#records[of];
    let record = records.get(vehicleId);
    if (record === undefined) {
      if (this.size >= HEALTH_RECORDS_MAX) this.#forgetOldest();
      record = newRecord(now);
    } else {
      records.delete(vehicleId);
      fade(record, now, this.#settings.healthHalfLifeMs);
    }
    record.slowness = undefined;
    records.set(vehicleId, record);
    return record;
  }

  #forgetOldest(): void {
    const { cpu, gpu, memory } = this.#records;
    const most = [cpu, gpu, memory].reduce((a, b) => (b.size > a.size ? b : a));
    const [oldest] = most.keys();
    if (oldest !== undefined) most.delete(oldest);
  }
}

function slownessOf({ weight, logSlowness }: HealthRecord): number {
  return Math.max(1, Math.exp((logSlowness * weight) / (weight + PRIOR_RUNS)));
}

function newRecord(now: Now): HealthRecord {
  const learnedMonoMs = now.monoMs;
  const nothing = { faults: 0, weight: 0, logSlowness: 0, slowness: undefined, rests: 0 };
  return { learnedMonoMs, ...nothing, phase: { is: 'well' } };
}

function fade(record: HealthRecord, now: Now, halfLifeMs: number): void {
  const kept = 0.5 ** (Math.max(0, now.monoMs - record.learnedMonoMs) / halfLifeMs);
  record.faults *= kept;
  record.weight *= kept;
  record.learnedMonoMs = now.monoMs;
}

function isResting({ phase }: HealthRecord, now: Now): boolean {
  return phase.is === 'resting' && phase.untilMonoMs > now.monoMs;
}

/** Well again; who falls ill soon after rests as long as the last time, not as the first. */
function restore(record: HealthRecord): void {
  if (record.phase.is === 'well') return;
  record.phase = { is: 'well' };
  record.faults = 0;
  record.rests = Math.max(0, record.rests - 1);
}
