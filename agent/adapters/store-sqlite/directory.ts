/** Directories of the store, whose entries are on disk when these return. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { storeErrorOfFile } from '../../store-error.ts';

/** Synced with its parent, so that a store which was promised is still found after a power cut. */
export function makeDataDirectory(dataDir: string): void {
  if (existsSync(dataDir)) return;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    syncPath(dirname(dataDir));
  } catch (error) {
    throw storeErrorOfFile(error, `make the data directory ${dataDir}`);
  }
}

/** Of a file its bytes; of a directory that its entries have the names they have. */
export function syncPath(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
