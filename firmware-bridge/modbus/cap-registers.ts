/** The three registers that a cap takes: the limit, and the watchdog's fallback and seconds; each in the device's own numbers. */
import type { Place } from './look.ts';
import type { RegisterAccess } from './modbus-link.ts';
import type { CapForm, WrittenRegister } from './register-map.ts';

/** In the order in which they are written: the device knows how to forget a limit before it has it. */
export const CAP_REGISTERS = ['fallback', 'seconds', 'limit'] as const;
export type CapRegister = (typeof CAP_REGISTERS)[number];
export type CapValues = Readonly<Record<CapRegister, number>>;

const PER_UNIT: Readonly<Record<WrittenRegister['unit'], number>> = { A: 1, '0.1A': 10, mA: 1000, s: 1 };
const WORD_MAX = 65_535;

export class CapRegisters {
  readonly #form: CapForm;
  readonly #place: Place;
  readonly #registers: Readonly<Record<CapRegister, WrittenRegister>>;

  constructor(form: CapForm, place: Place) {
    const { limit, watchdog } = form;
    this.#form = form;
    this.#place = place;
    this.#registers = { limit, fallback: watchdog.fallback, seconds: watchdog.seconds };
  }

  async read(access: RegisterAccess): Promise<CapValues> {
    const limit = await this.#readOne(access, 'limit');
    const fallback = await this.#readOne(access, 'fallback');
    return { limit, fallback, seconds: await this.#readOne(access, 'seconds') };
  }

  async write(access: RegisterAccess, name: CapRegister, value: number): Promise<void> {
    const { unit, shift } = this.#place;
    const address = this.#registers[name].address + shift;
    await access.write(unit, this.#form.writes, address, Math.min(value, WORD_MAX));
  }

  /** What to write for a cap that never raises `limitBefore`, and to which the device falls back. */
  valuesFor(amperes: number, seconds: number, limitBefore: number): CapValues {
    const { limit, fallback } = this.#registers;
    const perLimit = PER_UNIT[limit.unit];
    return {
      limit: Math.min(Math.floor(amperes * perLimit), limitBefore, WORD_MAX),
      fallback: Math.min(Math.floor((limitBefore * PER_UNIT[fallback.unit]) / perLimit), WORD_MAX),
      seconds,
    };
  }

  amperesOf({ limit }: CapValues): number {
    return limit / PER_UNIT[this.#form.limit.unit];
  }

  isWatched({ seconds }: CapValues): boolean {
    return !this.#form.watchdog.off.includes(seconds);
  }

  async #readOne(access: RegisterAccess, name: CapRegister): Promise<number> {
    const { address, readAt } = this.#registers[name];
    const { unit, shift } = this.#place;
    const words = readAt?.type === 'u32' ? 2 : 1;
    const [high = 0, low] = await access.read(unit, 'holding', (readAt?.address ?? address) + shift, words);
    return low === undefined ? high : high * (WORD_MAX + 1) + low;
  }
}
