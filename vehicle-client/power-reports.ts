/** Tells the pile what flows into the vehicle, while the pile asks for it: only who is plugged in feels the connector's power vary. */
import { POWER_MW_MAX, type WatchPower } from '@plugpool/proto';
import type { Conversation } from './conversation.ts';
import type { Clock, VehicleSignalsSource } from './ports.ts';

/** A pile that asks more often is told no more often. */
const EVERY_MIN_MS = 1_000;
const FOR_MAX_MS = 3_600_000;

export interface PowerReportsOptions {
  readonly conversation: Pick<Conversation, 'post'>;
  readonly signals: Pick<VehicleSignalsSource, 'latest'>;
  readonly clock: Clock;
}

export class PowerReports {
  readonly #options: PowerReportsOptions;
  #cancel: (() => void) | undefined;

  constructor(options: PowerReportsOptions) {
    this.#options = options;
  }

  /** Replaces what was asked before. */
  watch({ everyMs, forMs }: Omit<WatchPower, 'kind'>): void {
    this.stop();
    if (forMs === 0) return;
    const untilMonoMs = this.#options.clock.monoMs() + Math.min(forMs, FOR_MAX_MS);
    this.#report(Math.max(EVERY_MIN_MS, everyMs), untilMonoMs);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** A car that does not measure it says nothing. */
  #report(everyMs: number, untilMonoMs: number): void {
    const { conversation, signals, clock } = this.#options;
    if (clock.monoMs() >= untilMonoMs) return;
    const { chargingPowerW } = signals.latest();
    if (chargingPowerW !== undefined && chargingPowerW >= 0)
      conversation.post({
        kind: 'powerReport',
        powerMw: Math.min(POWER_MW_MAX, Math.round(chargingPowerW * 1000)),
      });
    this.#cancel = clock.setTimer(everyMs, () => this.#report(everyMs, untilMonoMs));
  }
}
