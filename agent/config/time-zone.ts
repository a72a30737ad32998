/** Time zones by their IANA names, as the runtime knows them. */
import { z } from 'zod';

/** Where the pile stands, as its operating system says. */
export function systemTimeZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

export const timeZoneName = z.string().refine(isTimeZone, 'is no time zone; write one as Europe/Berlin');

/** `+09:30`, which the runtime takes for a zone that is never set. */
export function fixedTimeZone(offsetMinutes: number): string {
  const [minutes, sign] = [Math.abs(offsetMinutes), offsetMinutes < 0 ? '-' : '+'];
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** The vehicle client has the same (config-schema.ts): the two share what is said on the wire, and no zone is. */
function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
