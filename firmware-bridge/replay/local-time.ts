/** The local times without zone of a sessions file, as numbers. */

const LOCAL_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?$/;

/**
 * `2026-03-01T08:15:00` (seconds may be left out) as ms since 1970, read as if the zone were UTC: durations and the time of
 * day are what the file says, and no replay depends on where it runs. Undefined for anything else, such as 30 February.
 */
export function parseLocalTime(text: string): number | undefined {
  if (!LOCAL_TIME.test(text)) return undefined;
  const normal = `${text.slice(0, 10)}T${text.slice(11, 16)}:${text.slice(17) || '00'}`;
  const ms = Date.parse(`${normal}Z`);
  // Date.parse takes 30 February for 2 March.
  return !Number.isNaN(ms) && formatLocalTime(ms) === normal ? ms : undefined;
}

/** The inverse, with seconds. */
export function formatLocalTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19);
}
