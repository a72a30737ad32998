/** What runs took of the battery: looks at the meter, the machine's CPU time and theirs, and says it with what they used. */
import { ENERGY_MWH_MAX, type Used } from '@plugpool/proto';
import { EnergyShares } from './core/energy-shares.ts';
import type { LeaseKey } from './core/lease-clock.ts';
import type { Clock, Log, PowerMeter, PowerMeterProblem, PowerSource } from './ports.ts';

/** Runs that end one after the other share a look: each costs some reads, and counters move in steps of a millisecond. */
const LOOK_EVERY_MIN_MS = 20;

export interface RunEnergyOptions {
  readonly meter: PowerMeter;
  /** CPU time of the whole machine so far; undefined where the system does not tell. */
  readonly machineCpuMs: () => number | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is known of the machine's power. */
export type EnergyStatus =
  | {
      readonly measured: true;
      readonly source: PowerSource;
      /** Of the whole machine now; undefined before the second look, and while the meter cannot be read. */
      readonly powerMw: number | undefined;
      readonly idleMw: number | undefined;
      /** What runs were said to have taken since the start. */
      readonly toldMwh: number;
      /** CPU time of those runs. */
      readonly toldCpuMs: number;
    }
  | { readonly measured: false; readonly detail: string; readonly hint: string };

interface Run {
  cpuMs(): number;
}

type Looked = 'closed' | 'tooSoon' | 'unread';

export class RunEnergy {
  readonly #options: RunEnergyOptions;
  readonly #runs = new Map<LeaseKey, Run>();
  #source: PowerSource | undefined;
  #problem: PowerMeterProblem | undefined;
  #shares = new EnergyShares({ isGpuMetered: false, cores: 1 });
  #lookedMonoMs = -Infinity;
  #isUnread = false;
  #toldMwh = 0;
  #toldCpuMs = 0;

  constructor(options: RunEnergyOptions) {
    this.#options = options;
  }

  start(cores: number): void {
    const found = this.#options.meter.start();
    if (!found.ok) {
      const { code, detail, hint } = found;
      this.#problem = found;
      // A machine without a meter is nothing to warn of; one whose meter is shut can be helped.
      if (code === 'power_meter_forbidden') this.#options.log.warn({ code, hint }, detail);
      else this.#options.log.info({ code, hint }, detail);
      return;
    }
    const { source } = found;
    this.#source = source;
    const isGpuMetered = source.covers.includes('gpu') || source.covers.includes('psys');
    this.#shares = new EnergyShares({ isGpuMetered, cores });
    this.#options.log.info({ source }, 'the energy of computing is measured');
    this.look();
  }

  status(): EnergyStatus {
    if (this.#source === undefined) {
      const { detail, hint } = this.#problem ?? { detail: 'it was not looked for yet', hint: 'ask again' };
      return { measured: false, detail, hint };
    }
    return {
      measured: true,
      source: this.#source,
      powerMw: this.#isUnread ? undefined : this.#shares.powerMw,
      idleMw: this.#shares.floorMw,
      toldMwh: this.#toldMwh,
      toldCpuMs: this.#toldCpuMs,
    };
  }

  /** Now and then, whether anything runs or not: the idle floor is learned while nothing does. */
  look(): void {
    if (this.#source !== undefined) this.#look(new Map());
  }

  began(key: LeaseKey, run: Run, usesGpu: boolean): void {
    if (this.#source === undefined) return;
    this.#runs.set(key, run);
    this.#shares.began(key, usesGpu);
  }

  /** What a run that goes on has used, with its energy where it is measured. */
  soFar(key: LeaseKey, used: Used): Used {
    if (!this.#runs.has(key)) return used;
    this.#look(new Map());
    return withEnergy(used, this.#shares.soFarMwh(key));
  }

  ended(key: LeaseKey, used: Used): Used {
    if (!this.#runs.has(key)) return used;
    const looked = this.#look(new Map([[key, used.cpuMs]]));
    this.#runs.delete(key);
    const energyMwh = this.#shares.ended(key, used.cpuMs, looked === 'unread');
    if (energyMwh === undefined) return used;
    this.#toldMwh += energyMwh;
    this.#toldCpuMs += used.cpuMs;
    return withEnergy(used, energyMwh);
  }

  /** Its lease is void: nobody is told. */
  forgot(key: LeaseKey): void {
    if (this.#runs.delete(key)) this.#shares.forgot(key);
  }

  #look(ended: ReadonlyMap<LeaseKey, number>): Looked {
    const { meter, machineCpuMs, clock } = this.#options;
    const monoMs = clock.monoMs();
    if (monoMs - this.#lookedMonoMs < LOOK_EVERY_MIN_MS) return 'tooSoon';
    const reading = meter.read(monoMs);
    const busyMs = machineCpuMs();
    this.#isUnread = reading === undefined || busyMs === undefined;
    if (reading === undefined || busyMs === undefined) return 'unread';
    this.#lookedMonoMs = monoMs;
    const runs = new Map([...this.#runs].map(([key, run]) => [key, ended.get(key) ?? run.cpuMs()]));
    return this.#shares.look({ monoMs, meter: reading, busyMs, runs }) ? 'closed' : 'tooSoon';
  }
}

function withEnergy(used: Used, energyMwh: number | undefined): Used {
  return energyMwh === undefined ? used : { ...used, energyMwh: Math.min(energyMwh, ENERGY_MWH_MAX) };
}
