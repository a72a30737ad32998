/** The local times without zone of a sessions file, as numbers. */

const LOCAL_TIME = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2}))?$/;

/**
 * `2026-03-01T08:15:00` (seconds may be left out) as ms since 1970, read as if the zone were UTC: durations and the time of
 * day are what the file says, and no replay depends on where it runs. Undefined for anything else, such as 30 February.
 */
export function parseLocalTime(text: string): number | undefined {
  const match = LOCAL_TIME.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  return formatLocalTime(ms) === `${text.slice(0, 10)}T${text.slice(11, 16)}:${text.slice(17, 19) || '00'}`
    ? ms
    : undefined;
}

/** The inverse, with seconds. */
export function formatLocalTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19);
}
