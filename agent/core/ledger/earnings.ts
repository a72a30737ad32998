/** What a vehicle may know before it lends: the terms of now, as its share; its sums are on disk, where the core does not look. */
import type { EarningTerms } from '@plugpool/proto';
import type { Client } from '../state.ts';
import type { Turn } from '../turn.ts';
import { energyCostAccount, vehicleAccount } from './accounts.ts';
import { tariffAt } from './tariffs.ts';

/** Answered from disk, by the daemon. */
export function onEarningsQuery(turn: Turn, { name }: Client, correlationId: number): void {
  const { clientId, vehicleId } = name;
  const terms = termsAt(turn);
  turn.effects.earnings.push({
    clientId,
    correlationId,
    account: vehicleAccount(vehicleId),
    energyCosts: energyCostAccount(vehicleId),
    ...(terms === undefined ? {} : { terms }),
  });
}

function termsAt({ state: { settings }, now }: Turn): EarningTerms | undefined {
  const tariff = tariffAt(settings.tariffs, now.wallMs);
  if (tariff === undefined) return undefined;
  const donors = (micros: number): number =>
    micros - Math.floor((micros * tariff.operatorShareMillis) / 1000);
  const { overstayAfterMs } = settings;
  return {
    tariff: tariff.name,
    currency: tariff.currency,
    cpuHourMicros: donors(tariff.cpuHourMicros),
    gpuHourMicros: donors(tariff.gpuHourMicros),
    energyKwhMicros: tariff.energyKwhMicros,
    // Milliwatts for an hour.
    cpuHourMwh: settings.coreDrawsMw,
    ...(overstayAfterMs === undefined ? {} : { overstayAfterMs }),
  };
}
