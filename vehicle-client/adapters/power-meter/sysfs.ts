/** Small files under /sys, read where they can be: a sensor that is off or gone says so by an error. */
import { readFileSync, readdirSync } from 'node:fs';

export const SYSFS = '/sys';

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

export function readNumber(path: string): number | undefined {
  const text = readText(path);
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

export function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** There, and not to be read by whoever runs this. */
export function isForbidden(path: string): boolean {
  try {
    readFileSync(path);
    return false;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'EACCES' || code === 'EPERM';
  }
}
