/** Energy counters of the hardware as one that only grows, over their wraps; and power that is added up where nothing counts. */
import type { MeterReading } from '../../core/energy-shares.ts';

/** What one counter's part of a machine takes at most: beyond it a counter has wrapped unseen, or was reset. */
const PART_POWER_MAX_MW = 1_000_000;
/** Power that was not looked at for so long was anything. Longer than the probe's longest pause. */
const SAMPLE_GAP_MAX_MS = 15_000;

export interface EnergyCounter {
  readonly name: string;
  readonly path: string;
  /** Where it begins at 0 again; absent: never. */
  readonly rangeUj?: number;
}

export interface PowerRail {
  readonly name: string;
  /** Undefined where it cannot be read now. */
  powerMw(): number | undefined;
}

/** What a meter is made of: one number that only grows within a series. */
export interface EnergySum {
  read(nowMonoMs: number): MeterReading | undefined;
}

interface CountersRead {
  readonly monoMs: number;
  readonly valuesUj: readonly number[];
}

/** All of them or none: a sum that lacks a part would jump when it comes back. */
export class CountedEnergy implements EnergySum {
  readonly #counters: readonly EnergyCounter[];
  readonly #readUj: (path: string) => number | undefined;
  #last: CountersRead | undefined;
  #energyUj = 0;
  #series = 0;

  constructor(counters: readonly EnergyCounter[], readUj: (path: string) => number | undefined) {
    this.#counters = counters;
    this.#readUj = readUj;
  }

  read(nowMonoMs: number): MeterReading | undefined {
    const valuesUj = this.#counters.map(({ path }) => this.#readUj(path));
    if (!valuesUj.every((value) => value !== undefined && value >= 0)) return undefined;
    const read = { monoMs: nowMonoMs, valuesUj: valuesUj as number[] };
    const grewUj = this.#last === undefined ? 0 : this.#grewUj(this.#last, read);
    this.#last = read;
    if (grewUj === undefined) this.#series++;
    else this.#energyUj += grewUj;
    return { energyUj: this.#energyUj, series: this.#series };
  }

  #grewUj(last: CountersRead, now: CountersRead): number | undefined {
    const mostUj = PART_POWER_MAX_MW * (now.monoMs - last.monoMs);
    let sumUj = 0;
    for (const [i, { rangeUj = Infinity }] of this.#counters.entries()) {
      const stepUj = (now.valuesUj[i] as number) - (last.valuesUj[i] as number);
      const grewUj = stepUj < 0 ? stepUj + rangeUj : stepUj;
      // Where it may have gone round more than once, nobody knows how often.
      if (grewUj > mostUj || mostUj >= rangeUj) return undefined;
      sumUj += grewUj;
    }
    return sumUj;
  }
}

/** Between two looks the mean of both. */
export class SampledEnergy implements EnergySum {
  readonly #rails: readonly PowerRail[];
  #last: { readonly monoMs: number; readonly powerMw: number } | undefined;
  #energyUj = 0;
  #series = 0;

  constructor(rails: readonly PowerRail[]) {
    this.#rails = rails;
  }

  read(nowMonoMs: number): MeterReading | undefined {
    const powersMw = this.#rails.map((rail) => rail.powerMw());
    if (!powersMw.every((power) => power !== undefined)) return undefined;
    const powerMw = Math.max(
      0,
      powersMw.reduce((sum, power) => sum + power, 0),
    );
    const gapMs = nowMonoMs - (this.#last?.monoMs ?? nowMonoMs);
    if (gapMs > SAMPLE_GAP_MAX_MS || gapMs < 0) this.#series++;
    else this.#energyUj += ((powerMw + (this.#last?.powerMw ?? powerMw)) / 2) * gapMs;
    this.#last = { monoMs: nowMonoMs, powerMw };
    return { energyUj: this.#energyUj, series: this.#series };
  }
}
