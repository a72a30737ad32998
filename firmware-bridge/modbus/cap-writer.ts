/**
 * Caps one connector so that its device forgets the cap by itself: its watchdog is set before the limit is, to fall back to the
 * limit that others set. It never writes above that limit, nor over one that stops the car, and puts back only what is still as it
 * wrote it.
 */
import type { FirmwareClock } from '../clock.ts';
import type { ControlOutcome, PowerCap } from '../port.ts';
import { alsoHold, beforeOf, isOurWatchdog, isOurs, mayHold } from './cap-claim.ts';
import type { CapClaim } from './cap-claim.ts';
import type { CapMemory } from './cap-memory.ts';
import { CAP_REGISTERS, CapRegisters } from './cap-registers.ts';
import type { CapValues } from './cap-registers.ts';
import type { Place } from './look.ts';
import { ModbusFailure } from './modbus-link.ts';
import type { RegisterAccess } from './modbus-link.ts';
import type { CapForm } from './register-map.ts';

export interface CapWriterOptions {
  readonly form: CapForm;
  readonly place: Place;
  readonly phases: 1 | 3;
  readonly clock: FirmwareClock;
  readonly memory: CapMemory;
  readonly request: <Answer>(ask: (access: RegisterAccess) => Promise<Answer>) => Promise<Answer>;
}

/** IEC 60038: what a phase has against neutral. */
const VOLTS = 230;
/** Until what could not be put back is tried again, and until what an earlier run left is, unless somebody wants the cap still. */
const PUT_BACK_MS = 60_000;
const DONE: ControlOutcome = { ok: true };

export class CapWriter {
  readonly #options: CapWriterOptions;
  readonly #registers: CapRegisters;
  #isRunning = false;
  #cancelExpiry: (() => void) | undefined;

  constructor(options: CapWriterOptions) {
    this.#options = options;
    this.#registers = new CapRegisters(options.form, options.place);
  }

  /** What an earlier run left at the device is put back, unless somebody wants it again before. */
  resume(): void {
    this.#isRunning = true;
    if (this.#claim !== undefined) this.#expireIn(PUT_BACK_MS);
  }

  /** The device is left to forget by itself. */
  abandon(): void {
    this.#isRunning = false;
    this.#cancelExpiry?.();
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
      const found = await this.#registers.read(access);
      const obstacle = this.#obstacle(found);
      if (obstacle !== undefined) {
        await this.#giveBack(access, found);
        return refused(obstacle);
      }
      this.#expireIn(cap.forMs);
      await this.#write(access, found, amperes, seconds);
      return DONE;
    });
  }

  async clear(): Promise<ControlOutcome> {
    this.#cancelExpiry?.();
    if (this.#claim === undefined) return DONE;
    const outcome = await this.#attempt(async (access) =>
      (await this.#giveBack(access, await this.#registers.read(access))) ? DONE : refused(STOPPED),
    );
    if (!outcome.ok) this.#expireIn(PUT_BACK_MS);
    return outcome;
  }

  get #claim(): CapClaim | undefined {
    return this.#options.memory.of(this.#options.place);
  }

  /** Why nothing of ours belongs into these registers. */
  #obstacle(found: CapValues): string | undefined {
    if (this.#isStopped(found)) return STOPPED;
    return this.#isWatchedByAnother(found) ? WATCHED : undefined;
  }

  /** By a limit below which no car charges: any other that we wrote would start it again. */
  #isStopped(found: CapValues): boolean {
    return this.#registers.amperesOf(found) < this.#options.form.atLeastA;
  }

  #isWatchedByAnother(found: CapValues): boolean {
    const claim = this.#claim;
    return this.#registers.isWatched(found) && !(claim !== undefined && isOurWatchdog(claim, found));
  }

  async #write(access: RegisterAccess, found: CapValues, amperes: number, seconds: number): Promise<void> {
    const before = beforeOf(this.#claim, found);
    const values = this.#registers.valuesFor(amperes, seconds, before.limit);
    // Also what it held until now: a request that nobody answers may have been heard or not.
    await this.#keep({ before, mayHold: alsoHold(this.#claim, values) });
    for (const name of CAP_REGISTERS) await this.#registers.write(access, name, values[name]);
    // A device may round what it is told, and some say late what they were told.
    await this.#keep({ before, mayHold: mayHold(values, await this.#registers.read(access)) });
  }

  /** What is still as we wrote it; false where the limit has to wait, since others keep the car stopped. */
  async #giveBack(access: RegisterAccess, found: CapValues): Promise<boolean> {
    const claim = this.#claim;
    if (claim === undefined) return true;
    const isStopped = this.#isStopped(found);
    const putBack = async (name: keyof CapValues): Promise<void> => {
      if (isOurs(claim, name, found)) await this.#registers.write(access, name, claim.before[name]);
    };
    if (!isStopped) await putBack('limit');
    if (!this.#isWatchedByAnother(found)) {
      await putBack('seconds');
      await putBack('fallback');
    }
    if (!isStopped) await this.#keep(undefined);
    return !isStopped;
  }

  async #keep(claim: CapClaim | undefined): Promise<void> {
    const { memory, place } = this.#options;
    try {
      await memory.keep(place, claim);
    } catch (error) {
      throw new NotKept(error);
    }
  }

  /** Where it cannot be reached then, its watchdog does the same to the limit. */
  #expireIn(forMs: number): void {
    this.#cancelExpiry?.();
    if (!this.#isRunning) return;
    this.#cancelExpiry = this.#options.clock.setTimer(forMs, () => void this.clear());
  }

  async #attempt(ask: (access: RegisterAccess) => Promise<ControlOutcome>): Promise<ControlOutcome> {
    try {
      return await this.#options.request(ask);
    } catch (error) {
      if (error instanceof NotKept) return refused(error.message);
      if (!(error instanceof ModbusFailure)) throw error;
      return { ok: false, code: CODES[error.code], message: error.message };
    }
  }
}

/** Without what held before on disk, a crash would leave our watchdog at the device for good. */
class NotKept extends Error {
  constructor(cause: unknown) {
    super(`what held before could not be kept: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = 'NotKept';
  }
}

const STOPPED = 'others keep the car stopped at this device: what we wrote would start it';
const WATCHED =
  'the watchdog of the device is set, and not by us: switch it off there, or leave caps to whoever set it';
const CODES = { exception: 'refused', no_answer: 'no_answer', closed: 'link_lost' } as const;

function refused(message: string): ControlOutcome {
  return { ok: false, code: 'refused', message };
}
