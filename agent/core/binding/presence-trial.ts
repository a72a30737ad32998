/**
 * One co-presence proof: the connector's power is held down in slots that a secret pattern chose, and whoever feels it can say which
 * they were. Pure: what was measured goes in, the verdict comes out.
 *
 *   slot    1   2   3   4  …  20        each `SLOT_MS`; only readings after `SETTLE_MS` count: stations and cars take a while
 *   pattern ▁   ▔   ▔   ▁  …  ▔         a fair bit each, drawn under the key of this start
 *
 * How likely it is that somebody who feels nothing passes: his readings know nothing of the bits, nor does how they are sorted into
 * low and high (about the middle of his own), so each slot is right with ½. `WRONG_SLOTS_MAX` of `SLOTS` may be wrong:
 * (1 + 20) / 2²⁰ = 2.0·10⁻⁵ a try. `PRESENCE_TRIES_PER_STAY_MAX` tries, of all vehicles together, are made in a stay: 6.4·10⁻⁴.
 */
import type { Now, VehicleId } from '@plugpool/proto';
import { keyedBlock } from '../keyed-block.ts';

export const SLOTS = 20;
export const WRONG_SLOTS_MAX = 1;
export const SLOT_MS = 20_000;
const SETTLE_MS = 12_000;
export const TRIAL_MS = SLOTS * SLOT_MS;
/** Between low and high; less is noise, or a car that takes no more than the cap. In thousandths of high. */
const SPREAD_MIN_MILLIS = 150;
/** The meter has a say where it was read in so many slots of each kind; it must see the pattern in most of them, in thousandths. */
const METERED_SLOTS_MIN = 3;
const METER_AGREES_MILLIS = 800;
/** Of one slot; a vehicle that says more says nothing new. */
const READINGS_PER_SLOT_MAX = 16;

export interface PresenceTrial {
  readonly startedMonoMs: number;
  /** Held down in these. */
  readonly pattern: readonly boolean[];
  readonly capMw: number;
  readonly readings: ReadonlyMap<VehicleId, Readings>;
  readonly meter: Readings;
}

/** Of each slot. */
type Readings = readonly number[][];

/**
 * `present`: it felt the pattern. `absent`: by the meter there was something to feel, and it did not. `nothing`: nobody could feel
 * it (a full or tapering car, a cap that does nothing), it did not say enough, or there is nothing to hold it against.
 */
export type PresenceVerdict = 'present' | 'nothing' | 'absent';

export function beginTrial(
  key: readonly number[],
  nth: number,
  capMw: number,
  candidates: readonly VehicleId[],
  now: Now,
): PresenceTrial {
  return {
    startedMonoMs: now.monoMs,
    pattern: patternOf(key, nth),
    capMw,
    readings: new Map(candidates.map((vehicleId) => [vehicleId, noReadings()])),
    meter: noReadings(),
  };
}

function patternOf(key: readonly number[], nth: number): boolean[] {
  const [word = 0] = keyedBlock(key, `presence ${nth}`);
  return Array.from({ length: SLOTS }, (_, slot) => ((word >>> slot) & 1) === 1);
}

function noReadings(): Readings {
  return Array.from({ length: SLOTS }, () => []);
}

/** From 0 on; `SLOTS` and more: it is over. */
export function slotAt({ startedMonoMs }: Pick<PresenceTrial, 'startedMonoMs'>, now: Now): number {
  return Math.floor((now.monoMs - startedMonoMs) / SLOT_MS);
}

/** By when it arrived: what comes late is of the slot that it comes in. */
export function note(trial: PresenceTrial, readings: Readings, powerMw: number, now: Now): void {
  const slot = slotAt(trial, now);
  const isSettled = (now.monoMs - trial.startedMonoMs) % SLOT_MS >= SETTLE_MS;
  const of = readings[slot];
  if (of !== undefined && isSettled && of.length < READINGS_PER_SLOT_MAX) of.push(powerMw);
}

export function verdictOf(trial: PresenceTrial, vehicleId: VehicleId): PresenceVerdict {
  const levels = trial.readings.get(vehicleId)?.map(median) ?? [];
  const said = sorted(levels.filter((level) => level !== undefined));
  if (levels.length < SLOTS || levels.includes(undefined) || said === undefined) return 'nothing';
  const meter = meterSays(trial);
  if (meter === 'unfelt') return 'nothing';
  const wrong = trial.pattern.filter((isLow, slot) => isLow !== said.isLow(levels[slot] ?? 0)).length;
  if (wrong <= WRONG_SLOTS_MAX) return 'present';
  return meter === 'felt' ? 'absent' : 'nothing';
}

/** `unknown`: it is read too seldom to say. */
function meterSays({ pattern, meter }: PresenceTrial): 'felt' | 'unfelt' | 'unknown' {
  const levels = meter.map(median);
  const known = pattern.flatMap((isLow, slot) => {
    const level = levels[slot];
    return level === undefined ? [] : [{ isLow, level }];
  });
  const low = known.filter(({ isLow }) => isLow).length;
  if (low < METERED_SLOTS_MIN || known.length - low < METERED_SLOTS_MIN) return 'unknown';
  const seen = sorted(known.map(({ level }) => level));
  const right = known.filter(({ isLow, level }) => isLow === seen?.isLow(level)).length;
  if (seen === undefined || right * 1000 < known.length * METER_AGREES_MILLIS) return 'unfelt';
  return known.length * 2 >= SLOTS ? 'felt' : 'unknown';
}

/** Into low and high, about the middle between the least and the most; undefined where they are all about the same. */
function sorted(levels: readonly number[]): { isLow(level: number): boolean } | undefined {
  const [least, most] = [Math.min(...levels), Math.max(...levels)];
  if (levels.length === 0 || (most - least) * 1000 < most * SPREAD_MIN_MILLIS || most <= 0) return undefined;
  return { isLow: (level) => level < (least + most) / 2 };
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** Of one try of somebody who feels nothing. */
export function falseAcceptance(): number {
  let ways = 0;
  for (let wrong = 0, choose = 1; wrong <= WRONG_SLOTS_MAX; wrong += 1) {
    ways += choose;
    choose = (choose * (SLOTS - wrong)) / (wrong + 1);
  }
  return ways / 2 ** SLOTS;
}
