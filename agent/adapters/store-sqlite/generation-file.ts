/** The number of the run, in a file of its own beside the store: it only grows, whatever becomes of the store. */
import { closeSync, existsSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { storeErrorOfFile } from '../../store-error.ts';

/** A disk writes a sector whole or not at all; the two slots take turns, so one of them is always whole. */
const SLOT_BYTES = 512;
const SLOTS = 2;

/**
 * Fencing tokens and epochs are made of the generation. Were it only in the store, a backup put back, or an empty store after
 * damage, would hand out numbers that donors hold from before, and their old results would count for new tasks. And a full
 * disk could not load its state again: here the bytes are overwritten in place, which needs no space.
 *
 * Returns the next generation, above `atLeast` too, once it is synced. Throws a `StoreError`.
 */
export function nextGeneration(path: string, atLeast: number): number {
  try {
    if (!existsSync(path)) makeFile(path);
    const file = openSync(path, 'r+');
    try {
      const next = Math.max(readGeneration(file), atLeast) + 1;
      writeSlot(file, next);
      return next;
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw storeErrorOfFile(error, `count the generation up in ${path}`);
  }
}

function readGeneration(file: number): number {
  let newest = 0;
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const bytes = Buffer.alloc(SLOT_BYTES);
    readSync(file, bytes, 0, SLOT_BYTES, slot * SLOT_BYTES);
    newest = Math.max(newest, parseSlot(bytes.toString('latin1')));
  }
  return newest;
}

/** The number stands twice, so that half of a slot is not taken for one. */
function parseSlot(text: string): number {
  const found = /^generation (\d{1,15}) (\d{1,15})\n/.exec(text);
  return found?.[1] !== undefined && found[1] === found[2] ? Number(found[1]) : 0;
}

function writeSlot(file: number, generation: number): void {
  const text = `generation ${generation} ${generation}\n`.padEnd(SLOT_BYTES - 1) + '\n';
  writeSync(file, text, (generation % SLOTS) * SLOT_BYTES, 'latin1');
  fsyncSync(file);
}

/** Both slots take their place on the disk now, while there is some. */
function makeFile(path: string): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, Buffer.alloc(SLOTS * SLOT_BYTES, ' '));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  const directory = openSync(dirname(path), 'r');
  fsyncSync(directory);
  closeSync(directory);
}
