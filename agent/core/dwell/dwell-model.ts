/** When will the donor leave: learned from the stays that are over, asked about one that goes on. docs/dwell.md explains it. */
import { STAYS_MAX } from '../limits.ts';
import type { StayRecord } from '../records.ts';
import { courseOf } from './course.ts';
import { HazardFit, type GoingOn, type Lasted } from './hazard-fit.ts';
import { LocalClock } from './local-clock.ts';
import { CurveResidual, StepResidual, type Residual } from './residual.ts';
import { StatedDurations } from './stated-durations.ts';
import type { StaySoFar } from './stay-so-far.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, STAY_MAX_MS } from './time-bins.ts';

export interface DwellSettings {
  /** `told`: a stated departure is the truth, as a clairvoyant would know it. */
  readonly mode: 'learned' | 'told';
  /** Where the pile stands, an IANA name or an offset such as `+09:00`: people leave by the clock on the wall. */
  readonly timeZone: string;
  /** A stay weighs half as much once stays are learned that ended so much later. */
  readonly halfLifeMs: number;
}

export const DEFAULT_DWELL: DwellSettings = {
  mode: 'learned',
  timeZone: 'UTC',
  halfLifeMs: 180 * DAY_MS,
};

/** A wall clock that jumps years ahead makes nobody forget. */
const AGED_AT_ONCE_MS = 7 * DAY_MS;
const REFIT_FIRST = 10;
/** A new fit is begun when so many more stays were learned, as a share of what is known. */
const REFIT_GROWTH = 0.25;
/** Older stays that one learning counts again, while a new fit is under way. */
const REFIT_PER_LEARN = 8;
/** How old a vehicle may be that was found plugged in, beside what was seen of it. */
const UNSEEN_MS = [0, 15 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, 12 * HOUR_MS];

/** Counts all stays anew against what the present fit expects: each makes the strata agree better on who explains what. */
interface Refit {
  readonly fit: HazardFit;
  readonly stays: Lasted[];
  counted: number;
}

export class DwellModel {
  readonly #settings: DwellSettings;
  readonly #clock: LocalClock;
  readonly #stated = new StatedDurations();
  /** The newest stays, oldest first but for where the ring begins. */
  readonly #stays: Lasted[] = [];
  #learned = 0;
  #fit = new HazardFit();
  #newestWallMs = -Infinity;
  #next: Refit | undefined;
  #refitAt = REFIT_FIRST;

  constructor(settings: DwellSettings) {
    this.#settings = settings;
    this.#clock = new LocalClock(settings.timeZone);
  }

  /** A stay that cannot be true is left out. */
  learn(stay: StayRecord): void {
    const lasted = this.#lastedOf(stay);
    if (lasted === undefined) return;
    this.#keep(lasted);
    this.#fit.count(lasted);
    this.#refit();
  }

  /** The stays that were learned and are still kept. */
  get stays(): number {
    return this.#stays.length;
  }

  residual(stay: StaySoFar): Residual {
    const { statedInMs } = stay;
    if (this.#settings.mode === 'told' && statedInMs !== undefined) return new StepResidual(statedInMs);
    if (stay.isOlder !== true) return new CurveResidual(this.#fit.cumulate(this.#goingOn(stay, 0)));
    return new CurveResidual(this.#soonest(stay));
  }

  /** Of a stay whose beginning nobody saw, whatever is worst among the ages that it may have. */
  #soonest(stay: StaySoFar): Float64Array {
    const [first = new Float64Array(), ...others] = UNSEEN_MS.map((unseenMs) =>
      this.#fit.cumulate(this.#goingOn(stay, unseenMs)),
    );
    for (const other of others)
      for (let index = 0; index < first.length; index += 1)
        first[index] = Math.max(first[index] ?? 0, other[index] ?? 0);
    return first;
  }

  #goingOn(stay: StaySoFar, unseenMs: number): GoingOn {
    const elapsedMs = Math.max(0, stay.elapsedMs) + unseenMs;
    const stated = this.#stated.believed(
      stay.statedInMs === undefined ? undefined : elapsedMs + stay.statedInMs,
    );
    return {
      course: courseOf(stay.connectorId, this.#clock.localMs(stay.pluggedWallMs) - unseenMs, stated),
      elapsedMs,
      isCharging: stay.state === 'charging',
      chargedMs: chargedMs(stay, elapsedMs),
    };
  }

  #lastedOf(stay: StayRecord): Lasted | undefined {
    const { pluggedWallMs, unpluggedWallMs, chargingEndedWallMs, statedDepartureWallMs } = stay;
    const lastedMs = unpluggedWallMs - pluggedWallMs;
    if (!(lastedMs > 0 && lastedMs <= STAY_MAX_MS)) return undefined;
    const statedMs = statedDepartureWallMs === undefined ? undefined : statedDepartureWallMs - pluggedWallMs;
    if (statedMs !== undefined && statedMs > 0) this.#stated.learn(statedMs);
    const charged = chargingEndedWallMs === undefined ? undefined : chargingEndedWallMs - pluggedWallMs;
    return {
      course: courseOf(stay.connectorId, this.#clock.localMs(pluggedWallMs), this.#stated.believed(statedMs)),
      lastedMs,
      aging: this.#agingUntil(unpluggedWallMs),
      chargedMs: charged !== undefined && charged >= 0 && charged <= lastedMs ? charged : undefined,
    };
  }

  #keep(stay: Lasted): void {
    this.#stays[this.#learned % STAYS_MAX] = stay;
    this.#learned += 1;
    this.#next?.stays.push(stay);
  }

  #agingUntil(wallMs: number): number {
    const laterMs = Math.min(AGED_AT_ONCE_MS, Math.max(0, wallMs - this.#newestWallMs));
    this.#newestWallMs = Math.max(this.#newestWallMs, wallMs);
    return this.#learned === 0 ? 1 : 2 ** (laterMs / this.#settings.halfLifeMs);
  }

  /** A few stays at each learning: no step waits for all of them. */
  #refit(): void {
    const next = (this.#next ??= this.#beginRefit());
    if (next === undefined) return;
    for (let n = 0; n < REFIT_PER_LEARN; n += 1) {
      const stay = next.stays[next.counted];
      if (stay === undefined) return this.#endRefit(next.fit);
      next.fit.count(stay, this.#fit);
      next.counted += 1;
    }
  }

  #beginRefit(): Refit | undefined {
    if (this.#learned < this.#refitAt) return undefined;
    const oldest = this.#stays.length < STAYS_MAX ? 0 : this.#learned % STAYS_MAX;
    const stays = [...this.#stays.slice(oldest), ...this.#stays.slice(0, oldest)];
    return { fit: new HazardFit(), stays, counted: 0 };
  }

  #endRefit(fit: HazardFit): void {
    this.#fit = fit;
    this.#next = undefined;
    this.#refitAt = this.#learned + Math.min(this.#learned, STAYS_MAX) * REFIT_GROWTH;
  }
}

/** From plugging in: when it ended, or will have, as far as the car can tell. */
function chargedMs(stay: StaySoFar, elapsedMs: number): number | undefined {
  if (stay.chargingEndedAgoMs !== undefined) return elapsedMs - stay.chargingEndedAgoMs;
  if (stay.state === 'charging' && stay.estimatedFullInMs !== undefined && stay.estimatedFullInMs > 0)
    return elapsedMs + stay.estimatedFullInMs;
  return undefined;
}
