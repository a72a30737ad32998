/** The meter of one simulated connector: what really flows, and what its register says of it, which is not always the same. */
import type { Agenda } from './agenda.ts';
import type { Chance } from './chance.ts';

/** How a station is metered, and what of each 1,000 readings goes wrong. */
export interface Metering {
  readonly readEveryMs: number;
  /** The register begins at 0 with each stay, and not with the meter's life. */
  readonly isOfStay: boolean;
  /** No reading comes. */
  readonly silentPermille: number;
  /** It begins at 0 again, and counts on from there. */
  readonly resetPermille: number;
  /** This once it is far ahead of itself, or behind. */
  readonly jumpPermille: number;
  readonly backPermille: number;
  /** Another source tells its own register of the same. */
  readonly secondPermille: number;
}

/** Of two runs of five nothing is metered, and each fault is left out of half of the others. */
export function drawMetering(chance: Chance): Metering | undefined {
  if (chance.is(400)) return undefined;
  const permille = (most: number): number => (chance.is(500) ? 0 : chance.between(0, most));
  return {
    readEveryMs: chance.pick([5_000, 10_000, 30_000]),
    isOfStay: chance.is(500),
    silentPermille: permille(500),
    resetPermille: permille(20),
    jumpPermille: permille(20),
    backPermille: permille(20),
    secondPermille: permille(20),
  };
}

export interface MeterReading {
  readonly source: 'simulated' | 'second';
  readonly energyMwh: number;
  /** Two readings of one era differ by what flowed between them. */
  readonly era: number;
}

const FULL_W = 7_000;
const LIFE_MWH_MAX = 1e10;
/** More than any plug gives between two readings. */
const JUMP_MWH = [1e9, 1e11] as const;
const BACK_MWH = [2_000, 1e7] as const;

export class SimulatedMeter {
  readonly #agenda: Agenda;
  readonly #chance: Chance;
  readonly #metering: Metering;
  readonly #secondOffsetMwh: number;
  isCalm = false;
  #trueMwh = 0;
  #flowMw = 0;
  #sinceMs: number;
  #offsetMwh: number;
  #eras = 0;
  #era = 0;

  constructor(agenda: Agenda, chance: Chance, metering: Metering) {
    this.#agenda = agenda;
    this.#chance = chance;
    this.#metering = metering;
    this.#sinceMs = agenda.nowMs;
    this.#offsetMwh = chance.between(0, LIFE_MWH_MAX);
    this.#secondOffsetMwh = chance.between(0, LIFE_MWH_MAX);
  }

  /** What has flowed in all, which nobody in the world knows. */
  get trueMwh(): number {
    const { nowMs } = this.#agenda;
    this.#trueMwh += (this.#flowMw * (nowMs - this.#sinceMs)) / 3_600_000;
    this.#sinceMs = nowMs;
    return this.#trueMwh;
  }

  get flowMw(): number {
    return this.#flowMw;
  }

  /** From now on. */
  flows(watts: number): void {
    void this.trueMwh;
    this.#flowMw = watts * 1_000;
  }

  /** Somebody is plugged in. */
  plugged(): void {
    if (this.#metering.isOfStay) this.#beginAnew();
  }

  /** What the next car takes while it charges: some are as good as full. */
  nextDrawW(): number {
    return this.#chance.is(400) ? FULL_W : this.#chance.between(20, 600);
  }

  #beginAnew(): void {
    this.#offsetMwh = -this.trueMwh;
    this.#era = this.#newEra();
  }

  #newEra(): number {
    this.#eras += 1;
    return this.#eras;
  }

  /** Undefined: it is silent this time. */
  read(): MeterReading | undefined {
    const { silentPermille, resetPermille, jumpPermille, backPermille, secondPermille } = this.#metering;
    const chance = this.#chance;
    const goesWrong = (permille: number): boolean => !this.isCalm && chance.is(permille);
    if (goesWrong(silentPermille)) return undefined;
    if (goesWrong(secondPermille)) return this.#told(this.#secondOffsetMwh, 0, 'second');
    if (goesWrong(resetPermille)) this.#beginAnew();
    if (goesWrong(jumpPermille)) return this.#told(chance.between(...JUMP_MWH), this.#newEra());
    if (goesWrong(backPermille)) return this.#told(-chance.between(...BACK_MWH), this.#newEra());
    return this.#told(0, this.#era);
  }

  #told(moreMwh: number, era: number, source: MeterReading['source'] = 'simulated'): MeterReading {
    return { source, era, energyMwh: Math.max(0, this.trueMwh + this.#offsetMwh + moreMwh) };
  }
}
