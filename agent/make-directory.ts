/** Makes a directory and those above it, one at a time. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * As `mkdirSync` with `recursive`, which never returns where a directory exists and cannot hold another (`/proc/x`: the
 * system says ENOENT of the new one, Node makes the old one again, for ever). Throws the system's error.
 */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    const above = dirname(path);
    if (code !== 'ENOENT' || above === path || statSync(above, { throwIfNoEntry: false })?.isDirectory())
      throw error;
    makeDirectory(above);
    mkdirSync(path, { mode: 0o700 });
  }
}
