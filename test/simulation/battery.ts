/** The battery of a simulated car: what the pile gives it, what computing takes, and what would be in it without. */
import type { Agenda } from './agenda.ts';

/** What one program that computes draws, with its share of the machine: much, so that it shows within minutes. */
export const COMPUTING_W = 500;

export class Battery {
  readonly kwh: number;
  readonly #agenda: Agenda;
  #socWh: number;
  /** As if nothing had been computed since it was plugged in. */
  #untouchedWh: number;
  #sinceMs: number;
  #chargingW = 0;
  #running = 0;

  constructor(agenda: Agenda, kwh: number, socPercent: number) {
    this.#agenda = agenda;
    this.kwh = kwh;
    this.#socWh = kwh * 10 * socPercent;
    this.#untouchedWh = this.#socWh;
    this.#sinceMs = agenda.nowMs;
  }

  /** Energy that flows between car and pile, into it; the load of computing comes off it. */
  get netW(): number {
    return this.#chargingW - this.#running * COMPUTING_W;
  }

  get socPercent(): number {
    this.#settle();
    return this.#socWh / (this.kwh * 10);
  }

  get untouchedPercent(): number {
    this.#settle();
    return this.#untouchedWh / (this.kwh * 10);
  }

  /** From now on. */
  load(running: number): void {
    this.#settle();
    this.#running = running;
  }

  charge(watts: number): void {
    this.#settle();
    this.#chargingW = watts;
  }

  /** Back from the road. */
  set(socPercent: number): void {
    this.#settle();
    this.#socWh = this.kwh * 10 * socPercent;
    this.#untouchedWh = this.#socWh;
  }

  #settle(): void {
    const hours = (this.#agenda.nowMs - this.#sinceMs) / 3_600_000;
    this.#sinceMs = this.#agenda.nowMs;
    if (hours <= 0) return;
    const fullWh = this.kwh * 1000;
    this.#socWh = Math.max(0, Math.min(fullWh, this.#socWh + this.netW * hours));
    this.#untouchedWh = Math.min(fullWh, this.#untouchedWh + this.#chargingW * hours);
  }
}
