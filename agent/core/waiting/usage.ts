/**
 * Who had how much, so that who pays gets a fair share: for each payer the decayed mean of its dominant share of the pile, and
 * what it holds now.
 *
 *   dominant share   the largest share that its leases take of any dimension of all eligible capacity (dominant-resource fairness)
 *   level            decayed mean of that over time + what it holds; all levels fade with one half-life
 *
 * A payer's level is worked out when something of it starts or stops or is settled. Between these it only fades, as all do, so
 * that the order of payers never changes while nothing starts or stops, and `order` can be the key of a sorted structure.
 */
import type { Demand, Now } from '@plugpool/proto';
import { PAYERS_MAX } from '../limits.ts';
import { addDemand, DIMENSIONS, zero, type Vector } from '../pools/vector.ts';

export interface UsageSettings {
  readonly usageHalfLifeMs: number;
}

interface Payer {
  /** What its leases take. */
  readonly held: Vector;
  leases: number;
  /** Decayed mean of its dominant share, at that time. */
  mean: number;
  atMonoMs: number;
  /** `mean` and what it held, at that time: its share then. */
  level: number;
}

/** A payer that holds nothing and had less than this is forgotten. */
const LEVEL_MIN = 2 ** -20;
/** A lease that goes on is settled this many times a half-life. */
const SETTLED_PER_HALF_LIFE = 32;
export const BANDS_MAX = 8;
const BANDS_TOLERATED = 2;

export class Usage {
  readonly #halfLifeMs: number;
  readonly #payers = new Map<string, Payer>();
  readonly #whole: Readonly<Vector>;
  readonly #least: Readonly<Vector>;
  /** The sum of all levels, at that time: it fades as they do. */
  #sum = 0;
  #sumMonoMs = 0;

  /**
   * `whole` is all eligible capacity, read as it is when a payer's level is worked out. It counts as `least` where it is less:
   * who holds a core while the first vehicle of the morning plugs in does not have everything.
   */
  constructor({ usageHalfLifeMs }: UsageSettings, whole: Readonly<Vector>, least: Readonly<Vector> = zero()) {
    this.#halfLifeMs = usageHalfLifeMs;
    this.#whole = whole;
    this.#least = least;
  }

  get size(): number {
    return this.#payers.size;
  }

  start(payer: string, demand: Demand, now: Now): void {
    const known = this.#payers.get(payer) ?? this.#newPayer(payer, now);
    this.#change(known, now, () => {
      addDemand(known.held, demand, 1);
      known.leases += 1;
    });
  }

  stop(payer: string, demand: Demand, now: Now): void {
    const known = this.#payers.get(payer);
    if (known === undefined || known.leases === 0) return;
    this.#change(known, now, () => {
      known.leases -= 1;
      addDemand(known.held, demand, -1);
    });
  }

  /** Counts what a lease took that goes on; nothing where that was done lately. */
  settle(payer: string, now: Now): void {
    const known = this.#payers.get(payer);
    if (known === undefined || known.leases === 0) return;
    if (now.monoMs - known.atMonoMs < this.#halfLifeMs / SETTLED_PER_HALF_LIFE) return;
    this.#change(known, now, () => undefined);
  }

  /** 0 for who never had anything; 2 for who has had the whole pile for long and still has it. */
  share(payer: string, now: Now): number {
    const known = this.#payers.get(payer);
    return known === undefined ? 0 : known.level * this.#fading(known.atMonoMs, now);
  }

  /** Orders payers as `share` does, and does not change with time; -Infinity for who never had anything. */
  order(payer: string): number {
    const known = this.#payers.get(payer);
    return known === undefined ? -Infinity : Math.log2(known.level) + known.atMonoMs / this.#halfLifeMs;
  }

  /**
   * How far above its fair share a payer is: 0 at or under it, 1 up to twice as much, 2 up to four times … The fair share is the
   * mean over those active; without a number, over all that had something, and one more who comes with nothing.
   */
  band(payer: string, now: Now, active = this.#payers.size + 1): number {
    const fair = (this.#sum * this.#fading(this.#sumMonoMs, now)) / Math.max(1, active);
    const above = this.share(payer, now) / fair;
    // The sum of levels is only as exact as its additions: who is at the fair share must not be above it by a rounding.
    if (!(above > 1 + 1e-9)) return 0;
    return Math.min(BANDS_MAX, Math.max(1, Math.ceil(Math.log2(above) - 1e-9)));
  }

  /** Its bands above those that are tolerated: who is up to four times above its fair share is no hog yet, since one long run does that. */
  excess(payer: string, now: Now): number {
    return Math.max(0, this.band(payer, now) - BANDS_TOLERATED);
  }

  /** Forgets those that had next to nothing for long, and says who had what, without what is held: leases are known elsewhere. */
  toJson(now: Now): unknown {
    const payers: unknown[] = [];
    let total = 0;
    for (const [name, payer] of this.#payers) {
      this.#change(payer, now, () => undefined);
      if (payer.leases === 0 && payer.level < LEVEL_MIN) this.#payers.delete(name);
      else {
        total += payer.level;
        payers.push({ payer: name, mean: payer.mean });
      }
    }
    // Exact again, after many additions.
    this.#sum = total;
    this.#sumMonoMs = now.monoMs;
    return { wallMs: now.wallMs, payers };
  }

  /** What is damaged is dropped. A wall clock that jumped while the agent was away fades all alike: their order stays. */
  readJson(json: unknown, now: Now): void {
    const { wallMs, payers } = (json ?? {}) as { wallMs?: unknown; payers?: unknown };
    if (!isFinite(wallMs) || !Array.isArray(payers)) return;
    const kept = 0.5 ** (Math.max(0, now.wallMs - wallMs) / this.#halfLifeMs);
    for (const entry of payers as unknown[]) {
      const { payer, mean } = (entry ?? {}) as { payer?: unknown; mean?: unknown };
      if (typeof payer !== 'string' || !isFinite(mean) || mean <= 0 || mean > 1) continue;
      if (this.#payers.size >= PAYERS_MAX || this.#payers.has(payer)) continue;
      const known = this.#newPayer(payer, now);
      this.#change(known, now, () => (known.mean = mean * kept));
    }
  }

  /** Brings a payer to now, lets it change, and keeps the sum of all. */
  #change(payer: Payer, now: Now, change: () => void): void {
    const fading = this.#fading(payer.atMonoMs, now);
    const before = payer.level * fading;
    payer.mean = payer.mean * fading + this.#dominant(payer.held) * (1 - fading);
    payer.atMonoMs = Math.max(payer.atMonoMs, now.monoMs);
    change();
    payer.level = payer.mean + this.#dominant(payer.held);
    this.#sum = Math.max(0, this.#sum * this.#fading(this.#sumMonoMs, now) + payer.level - before);
    this.#sumMonoMs = Math.max(this.#sumMonoMs, now.monoMs);
  }

  #dominant(held: Vector): number {
    let dominant = 0;
    for (const dimension of DIMENSIONS) {
      const whole = Math.max(this.#whole[dimension], this.#least[dimension]);
      dominant = Math.max(dominant, ratio(held[dimension], whole));
    }
    return dominant;
  }

  #fading(sinceMonoMs: number, now: Now): number {
    return 0.5 ** (Math.max(0, now.monoMs - sinceMonoMs) / this.#halfLifeMs);
  }

  #newPayer(name: string, now: Now): Payer {
    if (this.#payers.size >= PAYERS_MAX) this.#forgetLeast(now);
    const payer: Payer = { held: zero(), leases: 0, mean: 0, atMonoMs: now.monoMs, level: 0 };
    this.#payers.set(name, payer);
    return payer;
  }

  /** An eighth of all at once, those that had least, so that this is not done for each newcomer. */
  #forgetLeast(now: Now): void {
    const idle = [...this.#payers].filter(([, { leases }]) => leases === 0);
    idle.sort(([a], [b]) => this.order(a) - this.order(b));
    for (const [name, payer] of idle.slice(0, Math.ceil(PAYERS_MAX / 8))) {
      this.#payers.delete(name);
      this.#sum = Math.max(0, this.#sum - payer.level * this.#fading(payer.atMonoMs, now));
    }
  }
}

/** Of capacity that is no more (its vehicle left) all is taken, not infinitely much. */
function ratio(part: number, whole: number): number {
  if (part <= 0) return 0;
  return whole <= part ? 1 : part / whole;
}

function isFinite(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
