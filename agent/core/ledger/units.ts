/** What amounts are counted in; integers, always. */
import type { Unit } from '../records.ts';

/** Milli-normalised-core-seconds: thousandths of what the reference core does in a second. */
export const CPU = 'cpuMncs' as Unit;
/** The same of the reference GPU. */
export const GPU = 'gpuMncs' as Unit;
export const ENERGY = 'mWh' as Unit;

/** Millionths of a currency's minor unit: what accrues. */
export function microsOf(currency: string): Unit {
  return `${currency}e-6` as Unit;
}

/** Whole minor units of a currency: what is settled. */
export function minorOf(currency: string): Unit {
  return currency as Unit;
}

/** The currency that a unit accrues; undefined of any other unit. */
export function accruedCurrency(unit: Unit): string | undefined {
  return /^([A-Z]{3})e-6$/.exec(unit)?.[1];
}
