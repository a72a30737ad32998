/** Durations as an operator writes them: a number and its unit, such as `15s`, `500ms`, `24h`. */

const UNITS_MS = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION_PATTERN = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|min|h|d)$/;

/** Milliseconds, or undefined where the text is no duration. */
export function parseDurationMs(text: string): number | undefined {
  const [, number, unit] = DURATION_PATTERN.exec(text) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  return Math.round(Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS]);
}

/** The largest unit that divides it: 90000 is `90s`, 86400000 is `1d`. */
export function formatDuration(durationMs: number): string {
  const units = Object.entries(UNITS_MS).reverse();
  const [unit, unitMs] = units.find(([, each]) => durationMs >= each && durationMs % each === 0) ?? ['ms', 1];
  return `${durationMs / unitMs}${unit}`;
}
