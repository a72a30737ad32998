/**
 * Caps one connector so that its device forgets the cap by itself: its watchdog is set before the limit is, to fall back to the
 * limit that held before. It never raises that limit, and puts it back when the cap is cleared or has expired.
 */
import type { FirmwareClock } from '../clock.ts';
import type { ControlOutcome, PowerCap } from '../port.ts';
import type { Place } from './look.ts';
import { ModbusFailure } from './modbus-link.ts';
import type { RegisterAccess } from './modbus-link.ts';
import type { CapForm, WrittenRegister } from './register-map.ts';

export interface CapWriterOptions {
  readonly form: CapForm;
  readonly place: Place;
  readonly phases: 1 | 3;
  readonly clock: FirmwareClock;
  readonly request: <Answer>(ask: (access: RegisterAccess) => Promise<Answer>) => Promise<Answer>;
}

/** IEC 60038: what a phase has against neutral. */
const VOLTS = 230;
const PER_UNIT: Readonly<Record<WrittenRegister['unit'], number>> = { A: 1, '0.1A': 10, mA: 1000, s: 1 };

/** What held before we wrote anything, in the device's own numbers. */
interface Before {
  readonly limit: number;
  readonly seconds: number;
}

export class CapWriter {
  readonly #options: CapWriterOptions;
  #before: Before | undefined;
  #cancelExpiry: (() => void) | undefined;

  constructor(options: CapWriterOptions) {
    this.#options = options;
  }

  async set(cap: PowerCap): Promise<ControlOutcome> {
    const { form } = this.#options;
    const amperes = cap.powerMw / 1000 / VOLTS / this.#options.phases;
    const seconds = Math.min(Math.floor(cap.forMs / 1000), form.watchdog.atMostS);
    if (amperes < form.atLeastA) {
      return refused(`${amperes.toFixed(1)} A are below ${form.atLeastA} A, where a car stops charging`);
    }
    if (seconds < form.watchdog.atLeastS) {
      return refused(`the device forgets a cap after ${form.watchdog.atLeastS} s at the earliest`);
    }
    return this.#attempt(async (access) => {
      this.#before ??= await this.#readBefore(access);
      await this.#write(
        access,
        form.watchdog.fallback,
        this.#before.limit * scale(form.limit, form.watchdog.fallback),
      );
      await this.#write(access, form.watchdog.seconds, seconds);
      const limit = Math.floor(amperes * PER_UNIT[form.limit.unit]);
      await this.#write(access, form.limit, Math.min(limit, this.#before.limit));
      this.#expireIn(cap.forMs);
    });
  }

  async clear(): Promise<ControlOutcome> {
    this.#cancelExpiry?.();
    const before = this.#before;
    if (before === undefined) return { ok: true };
    return this.#attempt(async (access) => {
      await this.#write(access, this.#options.form.limit, before.limit);
      await this.#write(access, this.#options.form.watchdog.seconds, before.seconds);
      this.#before = undefined;
    });
  }

  /** The device is left to forget by itself. */
  abandon(): void {
    this.#cancelExpiry?.();
  }

  /** Where it cannot be reached then, its watchdog does the same. */
  #expireIn(forMs: number): void {
    this.#cancelExpiry?.();
    this.#cancelExpiry = this.#options.clock.setTimer(forMs, () => void this.clear());
  }

  /** A watchdog that is set already was set by us before we were started anew: what held before that is its fallback. */
  async #readBefore(access: RegisterAccess): Promise<Before> {
    const { limit, watchdog, uncappedA } = this.#options.form;
    const seconds = await this.#read(access, watchdog.seconds);
    const off = watchdog.off[0] ?? 0;
    if (watchdog.off.includes(seconds)) return { limit: await this.#read(access, limit), seconds };
    const fallback = await this.#read(access, watchdog.fallback);
    const known =
      fallback > 0 ? fallback * scale(watchdog.fallback, limit) : uncappedA * PER_UNIT[limit.unit];
    return { limit: known, seconds: off };
  }

  async #read(access: RegisterAccess, { address, readAt }: WrittenRegister): Promise<number> {
    const { unit, shift } = this.#options.place;
    const words = readAt?.type === 'u32' ? 2 : 1;
    const [high = 0, low] = await access.read(unit, 'holding', (readAt?.address ?? address) + shift, words);
    return low === undefined ? high : high * 65_536 + low;
  }

  async #write(access: RegisterAccess, { address }: WrittenRegister, value: number): Promise<void> {
    const { unit, shift } = this.#options.place;
    await access.write(unit, this.#options.form.writes, address + shift, Math.min(Math.floor(value), 65_535));
  }

  async #attempt(ask: (access: RegisterAccess) => Promise<void>): Promise<ControlOutcome> {
    try {
      await this.#options.request(ask);
      return { ok: true };
    } catch (error) {
      if (!(error instanceof ModbusFailure)) throw error;
      return { ok: false, code: CODES[error.code], message: error.message };
    }
  }
}

const CODES = { exception: 'refused', no_answer: 'no_answer', closed: 'link_lost' } as const;

function refused(message: string): ControlOutcome {
  return { ok: false, code: 'refused', message };
}

/** From a number of one register's unit to that of the other's. */
function scale(from: WrittenRegister, to: WrittenRegister): number {
  return PER_UNIT[to.unit] / PER_UNIT[from.unit];
}
