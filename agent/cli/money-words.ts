/** Amounts of the ledger as a person reads them. */
import { minorDigits } from '../config/minor-digits.ts';
import { coreSecondsInWords } from './words.ts';

/** With its unit, as a person counts: core-seconds, GPU-seconds, Wh, money. */
export function amountInWords(amount: number, unit: string): string {
  if (unit === 'cpuMncs') return `${coreSecondsInWords(amount)} core-s`;
  if (unit === 'gpuMncs') return `${coreSecondsInWords(amount)} GPU-s`;
  if (unit === 'mWh') return `${(amount / 1000).toFixed(3)} Wh`;
  return moneyInWords(amount, unit);
}

/** Of minor units, or millionths of them, in the currency's major unit. */
function moneyInWords(amount: number, unit: string): string {
  const [currency = unit, accrued] = unit.split('e-6') as [string, string | undefined];
  const digits = minorDigits(currency);
  return accrued === undefined
    ? `${(amount / 10 ** digits).toFixed(digits)} ${currency}`
    : `${(amount / 10 ** (digits + 6)).toFixed(digits + 6)} ${currency}`;
}
