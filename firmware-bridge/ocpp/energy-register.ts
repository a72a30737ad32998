/**
 * One meter's energy register in Wh, whatever its label says: some piles send Wh labelled kWh. A label is doubted where the growth
 * between two readings would need more power than a connector has; until there was any growth, a kWh reading is held back.
 */
import type { LabelledEnergy } from './meter-reading.ts';

/** 1 MW: what it takes to charge at 1 kW and more is far below it, and the same in thousands is above. */
const POWER_W_MAX = 1_000_000;
/** Nothing is judged over less: what was queued comes together, and clocks have seconds. */
const SPAN_MS_MIN = 2_000;
const MS_AN_HOUR = 3_600_000;

interface Reading {
  readonly value: number;
  readonly atMs: number;
}

export class EnergyRegister {
  #kwhMeans: 'Wh' | 'kWh' | undefined;
  #last: { readonly [Label in LabelledEnergy['label']]?: Reading } = {};

  /** In Wh; absent while it is not decided what the label means. `atMs` is on any clock that the other readings are on. */
  read({ value, label }: LabelledEnergy, atMs: number): number | undefined {
    const before = this.#last;
    this.#last = { ...before, [label]: { value, atMs } };
    if (label === 'Wh' || value === 0) return value;
    this.#judge({ value, atMs }, before);
    if (this.#kwhMeans === undefined) return undefined;
    return this.#kwhMeans === 'Wh' ? value : value * 1000;
  }

  #judge(now: Reading, before: { readonly [Label in LabelledEnergy['label']]?: Reading }): void {
    const growthWh =
      growthOf(before.kWh && { ...before.kWh, value: before.kWh.value * 1000 }, now) ??
      growthOf(before.Wh, now);
    if (growthWh === undefined) return;
    if (growthWh > POWER_W_MAX) this.#kwhMeans = 'Wh';
    else this.#kwhMeans ??= 'kWh';
  }
}

/** The mean power in W since `beforeWh`, if the label is right. */
function growthOf(beforeWh: Reading | undefined, nowKwh: Reading): number | undefined {
  if (beforeWh === undefined) return undefined;
  const spanMs = nowKwh.atMs - beforeWh.atMs;
  const grownWh = nowKwh.value * 1000 - beforeWh.value;
  if (spanMs < SPAN_MS_MIN || grownWh <= 0) return undefined;
  return (grownWh * MS_AN_HOUR) / spanMs;
}
