/** The car's signals from the configuration: for a car that tells nothing, and for trying things out. */
import type { VehicleSignals } from '../core/policy.ts';
import type { VehicleSignalsSource } from '../ports.ts';

export class StaticSignals implements VehicleSignalsSource {
  readonly #signals: VehicleSignals;

  constructor(signals: VehicleSignals = {}) {
    this.#signals = signals;
  }

  start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return Promise.resolve();
  }

  latest(): VehicleSignals {
    return this.#signals;
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
