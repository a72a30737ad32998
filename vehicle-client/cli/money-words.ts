/** Amounts of a ledger as a person reads them. */

/** With its unit: core-seconds, GPU-seconds, Wh, money. */
export function amountInWords(amount: number, unit: string): string {
  if (unit === 'cpuMncs') return `${(amount / 1000).toFixed(1)} core-s`;
  if (unit === 'gpuMncs') return `${(amount / 1000).toFixed(1)} GPU-s`;
  // A short run takes a few milliwatt-hours: with fewer digits it would seem to take nothing.
  if (unit === 'mWh') return `${(amount / 1000).toFixed(3)} Wh`;
  const accrues = /^([A-Z]{3})e-6$/.exec(unit)?.[1];
  return accrues === undefined ? microsInWords(amount * 1e6, unit) : microsInWords(amount, accrues);
}

/** Of millionths of a minor unit; two digits beyond the minor unit, since an hour of a core is a few cents. */
export function microsInWords(micros: number, currency: string): string {
  const digits = minorDigits(currency);
  return `${(micros / 10 ** (digits + 6)).toFixed(digits + 2)} ${currency}`;
}

function minorDigits(currency: string): number {
  try {
    const format = new Intl.NumberFormat('en', { style: 'currency', currency });
    return format.resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    // What this version does not know is shown as it is counted.
    return 0;
  }
}
