/** The pile's salt, under which tokens, VINs and MACs become pseudonyms: made once, in a file that only its owner reads. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createPseudonymizer, type Pseudonymize } from '@plugpool/firmware-bridge';
import { StoreError, storeErrorOfFile } from './store-error.ts';

const SALT_BYTES = 32;

/** `Pseudonymize` of this pile. Throws a `StoreError` where the salt cannot be read, made, or is none. */
export function createPilePseudonymizer(dataDir: string): Pseudonymize {
  const path = join(dataDir, 'pseudonym-salt');
  const salt = readIfThere(path) ?? make(path, dataDir);
  if (salt.byteLength === SALT_BYTES) return createPseudonymizer(salt);
  throw new StoreError('unavailable', `${path} has ${salt.byteLength} bytes; a salt has ${SALT_BYTES}`, {
    hint: 'Put it back from a copy, or move it away: a new one is made, and every vehicle that was bound to a card or VIN must be bound anew.',
    retryable: false,
  });
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw storeErrorOfFile(error, `read the salt ${path}`);
  }
}

/** Whole or not at all, whenever the power goes; where another process was faster, its salt holds. */
function make(path: string, dataDir: string): Uint8Array {
  const unfinished = `${path}.${process.pid}`;
  try {
    writeSynced(openSync(unfinished, 'w', 0o600), randomBytes(SALT_BYTES));
    linkUnlessThere(unfinished, path);
    unlinkSync(unfinished);
    writeSynced(openSync(dataDir, 'r'), new Uint8Array());
    return readFileSync(path);
  } catch (error) {
    throw storeErrorOfFile(error, `make the salt ${path}`);
  }
}

function linkUnlessThere(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

function writeSynced(file: number, bytes: Uint8Array): void {
  try {
    if (bytes.byteLength > 0) writeSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
