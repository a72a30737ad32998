/** What work and energy come to in money: integers in millionths of a minor unit, rounded down. Pure. */
import { MONEY_MICROS_MAX } from '../limits.ts';
import type { ClaimRecord } from '../records.ts';
import type { Tariff } from './tariffs.ts';

/** Thousandths of a second in an hour: what `cpuMncs` and `gpuMncs` count an hour as. */
const MNCS_PER_HOUR = 3_600_000;
const MWH_PER_KWH = 1_000_000;

/** What the payer is charged. */
export function workMicros(tariff: Tariff, did: Pick<ClaimRecord, 'cpuMncs' | 'gpuMncs'>): number {
  const micros =
    part(did.cpuMncs, tariff.cpuHourMicros, MNCS_PER_HOUR) +
    part(did.gpuMncs, tariff.gpuHourMicros, MNCS_PER_HOUR);
  return Math.min(micros, MONEY_MICROS_MAX);
}

/** What the driver pays for it in the charging bill. */
export function energyMicros({ energyKwhMicros }: Tariff, energyMwh: number): number {
  return Math.min(part(energyMwh, energyKwhMicros, MWH_PER_KWH), MONEY_MICROS_MAX);
}

/** Exact: the product is beyond what a number holds. */
function part(amount: number, price: number, per: number): number {
  const exact = amount * price;
  if (exact <= Number.MAX_SAFE_INTEGER) return Math.floor(exact / per);
  return Number((BigInt(amount) * BigInt(price)) / BigInt(per));
}
