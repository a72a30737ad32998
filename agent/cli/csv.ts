/** Cells of a CSV file. */

/**
 * RFC 4180, and what a spreadsheet would take for a formula is made text: who chooses a name must not compute in the operator's
 * spreadsheet. Numbers are ours, a minus before them too.
 */
export function cell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
