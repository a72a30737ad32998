/** What a session's messages measure: power, energy, state of charge, time to full; told when it changes, and now and then. */
import type { ChargerStatus, ChargingStatus, Message } from './message.ts';
import { EV_INFO_EVERY_MS, METER_EVERY_MS_MAX, METER_EVERY_MS_MIN } from './timeouts.ts';
import type { Told } from '../told.ts';

const MINUTE_MS = 60_000;

export class Readings {
  #powerMw: number | undefined;
  #meterToldMs = -Infinity;
  #socPermille: number | undefined;
  #remainingMin: number | undefined;
  #evInfoToldMs = -Infinity;

  *of(message: Message, nowMs: number): Generator<Told> {
    switch (message.kind) {
      case 'CCS':
        yield* this.#power(message, nowMs);
        break;
      case 'CSD':
        if (message.energyWh !== undefined) yield { kind: 'meter', energyMwh: message.energyWh * 1000 };
        break;
      case 'BCP':
      case 'BSD':
        yield* this.#evInfo(message.socPermille, undefined, nowMs);
        break;
      case 'BCS':
        yield* this.#evInfo(message.socPermille, remainingMinOf(message), nowMs);
        break;
      default:
    }
  }

  /** All of it is said anew when it is next heard. */
  restate(): void {
    this.#meterToldMs = -Infinity;
    this.#evInfoToldMs = -Infinity;
  }

  *#power(status: ChargerStatus, nowMs: number): Generator<Told> {
    const powerMw = powerMwOf(status);
    if (powerMw === undefined) return;
    const sinceMs = nowMs - this.#meterToldMs;
    const isDue = powerMw === this.#powerMw ? sinceMs >= METER_EVERY_MS_MAX : sinceMs >= METER_EVERY_MS_MIN;
    if (!isDue) return;
    this.#powerMw = powerMw;
    this.#meterToldMs = nowMs;
    yield { kind: 'meter', powerMw };
  }

  *#evInfo(
    socPermille: number | undefined,
    remainingMin: number | undefined,
    nowMs: number,
  ): Generator<Told> {
    if (socPermille === undefined && remainingMin === undefined) return;
    const isSame = socPermille === this.#socPermille && remainingMin === this.#remainingMin;
    if (isSame && nowMs - this.#evInfoToldMs < EV_INFO_EVERY_MS) return;
    this.#socPermille = socPermille;
    this.#remainingMin = remainingMin;
    this.#evInfoToldMs = nowMs;
    yield {
      kind: 'evInfo',
      ...(socPermille === undefined ? {} : { socPermille }),
      ...(remainingMin === undefined ? {} : { estimatedFullInMs: remainingMin * MINUTE_MS }),
    };
  }
}

/** 0 is what a vehicle says that has not worked it out. */
function remainingMinOf({ remainingMin }: ChargingStatus): number | undefined {
  return remainingMin === 0 ? undefined : remainingMin;
}

/** Undefined where the vehicle feeds back: that is no charging power. */
function powerMwOf({ voltageV, currentA }: ChargerStatus): number | undefined {
  if (voltageV === undefined || currentA === undefined || currentA < 0) return undefined;
  return Math.round(voltageV * currentA * 1000);
}
