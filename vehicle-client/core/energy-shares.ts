/**
 * Whose energy it was: what the machine took above its idle floor in a stretch between two looks at its meter, divided by CPU
 * time. A run's part is what it computed of all that was computed there, the owner's programs included; so all runs together
 * are never given more than the meter counted (docs/energy.md has the method and where it comes from).
 *
 * A stretch of which the meter tells nothing (it went, began anew, or jumped) gives nobody anything, and who computed in it is
 * not measured: no number is better than one that is too small.
 */
import { IdleFloor } from './idle-floor.ts';

/** No machine in a vehicle takes more: what a meter says beyond is a counter that was reset or read wrongly. */
const MACHINE_POWER_MAX_MW = 2_000_000;
/** A machine of which no more than this was busy, in thousandths of all its cores, is at rest. */
const AT_REST_MILLIS = 100;
/** The power that is shown is of stretches that are long enough to be read by a person. */
const SHOWN_STRETCH_MIN_MS = 500;
/** 1 mWh = 3.6 J. */
export const UJ_PER_MWH = 3_600_000;

export interface MeterReading {
  /** Only grows within a series. */
  readonly energyUj: number;
  /** Readings of different series cannot be compared. */
  readonly series: number;
}

/** One look at everything at once. */
export interface EnergyLook {
  readonly monoMs: number;
  readonly meter: MeterReading;
  /** CPU time of the whole machine so far. */
  readonly busyMs: number;
  /** CPU time of each run so far, by its key. */
  readonly runs: ReadonlyMap<string, number>;
}

interface Share {
  energyUj: number;
  /** CPU time at the last look. */
  cpuMs: number;
  /** Every stretch in which it computed was measured. */
  isWhole: boolean;
  readonly usesGpu: boolean;
}

export class EnergyShares {
  readonly #isGpuMetered: boolean;
  readonly #cores: number;
  readonly #shares = new Map<string, Share>();
  readonly #floor = new IdleFloor();
  #last: Omit<EnergyLook, 'runs'> | undefined;
  /** Of runs that ended since the last look. */
  #endedCpuMs = 0;
  /** A run with a GPU ended since the last look. */
  #endedOnGpu = false;
  /** Given to runs that had ended, and what was too little to be told. */
  #restUj = 0;
  #powerMw: number | undefined;

  /** `isGpuMetered`: what a GPU takes is in what the meter counts, and no CPU time says whose it was. */
  constructor({ isGpuMetered, cores }: { readonly isGpuMetered: boolean; readonly cores: number }) {
    this.#isGpuMetered = isGpuMetered;
    this.#cores = cores;
  }

  /** What the machine took in the last stretch; undefined before there was one. */
  get powerMw(): number | undefined {
    return this.#powerMw;
  }

  get floorMw(): number | undefined {
    return this.#floor.powerMw;
  }

  /** It needs no look: it has computed nothing yet. What a GPU takes is nobody's by this method, so such a run is not measured. */
  began(key: string, usesGpu: boolean): void {
    this.#shares.set(key, { energyUj: 0, cpuMs: 0, isWhole: !usesGpu, usesGpu });
  }

  /** Closes the stretch since the last look; false where no time has passed since. Runs that it does not name stood still. */
  look(look: EnergyLook): boolean {
    const last = this.#last;
    if (last !== undefined && look.monoMs <= last.monoMs) return false;
    const { monoMs, meter, busyMs } = look;
    const usesGpu = this.#endedOnGpu || [...this.#shares.values()].some((share) => share.usesGpu);
    const computed = this.#advance(look.runs);
    const grewUj = last === undefined ? undefined : growthUj(last, look);
    if (last === undefined || grewUj === undefined || (usesGpu && this.#isGpuMetered)) spoil(computed);
    else this.#divide({ last, look, grewUj, computed });
    this.#last = { monoMs, meter, busyMs };
    this.#endedCpuMs = 0;
    this.#endedOnGpu = false;
    return true;
  }

  /** What is known of a run so far in whole mWh; undefined where it is not measured. */
  soFarMwh(key: string): number | undefined {
    const share = this.#shares.get(key);
    return share?.isWhole === true ? Math.floor(share.energyUj / UJ_PER_MWH) : undefined;
  }

  /**
   * Its last word: whole mWh, with what runs before it left over. What it computed since the last look is divided at the next
   * one and told with a later run, unless no look was possible (`isMeterLost`). Undefined where it is not measured.
   */
  ended(key: string, cpuMs: number, isMeterLost: boolean): number | undefined {
    const share = this.#shares.get(key);
    if (share === undefined) return undefined;
    this.forgot(key);
    const openMs = Math.max(0, cpuMs - share.cpuMs);
    if (!share.isWhole || (isMeterLost && openMs > 0)) return undefined;
    this.#endedCpuMs += openMs;
    const energyUj = share.energyUj + this.#restUj;
    const energyMwh = Math.floor(energyUj / UJ_PER_MWH);
    this.#restUj = energyUj - energyMwh * UJ_PER_MWH;
    return energyMwh;
  }

  /** Nobody is told what it took: its lease was void. */
  forgot(key: string): void {
    this.#endedOnGpu ||= this.#shares.get(key)?.usesGpu === true;
    this.#shares.delete(key);
  }

  /** CPU time of each run since the last look. */
  #advance(runs: ReadonlyMap<string, number>): ReadonlyMap<Share, number> {
    const computed = new Map<Share, number>();
    for (const [key, share] of this.#shares) {
      const cpuMs = Math.max(share.cpuMs, runs.get(key) ?? 0);
      computed.set(share, cpuMs - share.cpuMs);
      share.cpuMs = cpuMs;
    }
    return computed;
  }

  #divide({ last, look, grewUj, computed }: Stretch): void {
    const lengthMs = look.monoMs - last.monoMs;
    const powerMw = grewUj / lengthMs;
    const oursMs = [...computed.values()].reduce((sum, cpuMs) => sum + cpuMs, this.#endedCpuMs);
    // The kernel counts the whole machine in ticks and a run in nanoseconds: all of it is never less than ours.
    const busyMs = Math.max(look.busyMs - last.busyMs, oursMs);
    const isAtRest = busyMs * 1000 <= lengthMs * this.#cores * AT_REST_MILLIS;
    this.#floor.saw({ endedMonoMs: look.monoMs, lengthMs, powerMw, isAtRest });
    if (lengthMs >= SHOWN_STRETCH_MIN_MS) this.#powerMw = powerMw;
    const floorMw = this.#floor.powerMw;
    if (floorMw === undefined) return spoil(computed);
    if (busyMs === 0) return;
    const perMsUj = Math.max(0, grewUj - floorMw * lengthMs) / busyMs;
    for (const [share, cpuMs] of computed) share.energyUj += perMsUj * cpuMs;
    this.#restUj += perMsUj * this.#endedCpuMs;
  }
}

interface Stretch {
  readonly last: Omit<EnergyLook, 'runs'>;
  readonly look: EnergyLook;
  readonly grewUj: number;
  readonly computed: ReadonlyMap<Share, number>;
}

/** Undefined where the meter does not tell: it began anew, or says what cannot be. */
function growthUj(last: Omit<EnergyLook, 'runs'>, look: EnergyLook): number | undefined {
  if (last.meter.series !== look.meter.series) return undefined;
  const grewUj = look.meter.energyUj - last.meter.energyUj;
  const mostUj = MACHINE_POWER_MAX_MW * (look.monoMs - last.monoMs);
  return grewUj >= 0 && grewUj <= mostUj ? grewUj : undefined;
}

/** Who computed while nothing was measured is not measured. */
function spoil(computed: ReadonlyMap<Share, number>): void {
  for (const [share, cpuMs] of computed) if (cpuMs > 0) share.isWhole = false;
}
