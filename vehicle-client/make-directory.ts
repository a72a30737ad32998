/** Makes a directory and those above it, one at a time. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PlugpoolError } from './errors.ts';

/** For its owner alone; one that is there already is no error. Throws a `PlugpoolError`. */
export function makeDirectory(path: string): void {
  try {
    make(path);
  } catch (error) {
    throw new PlugpoolError({
      code: 'data_dir_unusable',
      message: `the directory ${path} cannot be made: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'choose another with --data-dir, or give this user the right to write there',
      retryable: false,
      cause: error,
    });
  }
}

/**
 * As `mkdirSync` with `recursive`, which never returns where a directory exists and cannot hold another (`/proc/x`: the
 * system says ENOENT of the new one, Node makes the old one again, for ever).
 */
function make(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    const above = dirname(path);
    if (code !== 'ENOENT' || above === path || statSync(above, { throwIfNoEntry: false })?.isDirectory())
      throw error;
    make(above);
    mkdirSync(path, { mode: 0o700 });
  }
}
