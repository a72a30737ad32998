/** Puts a store aside whole, under a name that was free: nothing is ever written over. */
import { existsSync, renameSync } from 'node:fs';
import { StoreError } from '../../store-error.ts';
import { forgetCheckRecord } from './check-record.ts';

export const ASIDE_MAX = 1_000;
const PARTS = ['-wal', '-shm', ''] as const;

/**
 * The log and its index keep their names relative to the file, so that tools for recovery see all of it. The log goes first: the
 * name of the file is what says that something was set aside.
 */
export function moveAside(path: string, why: 'damaged' | 'replaced'): string {
  const aside = firstFree(path, why);
  forgetCheckRecord(path);
  for (const suffix of PARTS) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  return aside;
}

function firstFree(path: string, why: string): string {
  for (let n = 1; n <= ASIDE_MAX; n += 1) {
    const name = `${path}.${why}-${n}`;
    if (PARTS.every((suffix) => !existsSync(name + suffix))) return name;
  }
  throw new StoreError('damaged', `${ASIDE_MAX} ${why} stores lie beside ${path}`, {
    hint: 'Check the disk, and move the files away.',
    retryable: false,
  });
}
