/** The number of the run, in a file of its own beside the store: it only grows, whatever becomes of the store. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { GENERATIONS_MAX } from '../../core/limits.ts';
import { StoreError, storeErrorOfFile } from '../../store-error.ts';

/** A disk writes a sector whole or not at all; the two slots take turns, so one of them is always whole. */
const SLOT_BYTES = 512;
const SLOTS = 2;

/** What a restore goes forward by: more starts than a pile has between two backups. */
const JUMP = 2 ** 16;
/** Of which the first start takes one. */
const FIRST_GENERATIONS = 2 ** 20;
const MINUTE_MS = 60_000;
/** A clock beyond these is not set. */
const EARLIEST_WALL_MS = Date.UTC(2020, 0, 1);
const LATEST_WALL_MS = Date.UTC(2120, 0, 1);

/**
 * Fencing tokens and epochs are made of the generation. Were it only in the store, a backup put back, or an empty store after
 * damage, would hand out numbers that donors hold from before, and their old results would count for new tasks.
 *
 * Returns the next generation, above `atLeast` too, once it is synced. Throws a `StoreError`.
 */
export function nextGeneration(path: string, atLeast: number): number {
  return advance(path, (newest) => Math.max(newest, atLeast) + 1);
}

/**
 * Of a pile's first start: some number, since vehicles go from pile to pile. Two piles that both began at one would name their tasks,
 * leases and fencing tokens alike, and a result that was meant for the one could count at the other. Not above what a jump by the
 * clock leads to.
 */
export function firstGeneration(path: string): number {
  return nextGeneration(path, randomInt(FIRST_GENERATIONS));
}

/** A run has used its generation up and takes the one after it. */
export function takeGeneration(path: string, generation: number): void {
  advance(path, (newest) => {
    assert.equal(generation, newest + 1, 'the generation that is taken is the next one');
    return generation;
  });
}

/** The generation in force; 0 where the file is not there, or says nothing. */
export function readGeneration(path: string): number {
  try {
    if (!existsSync(path)) return 0;
    return withFile(path, 'r', newestIn);
  } catch (error) {
    throw storeErrorOfFile(error, `read the generation in ${path}`);
  }
}

/**
 * A store that comes from elsewhere, or from an earlier time: numbers above `newestKnown` were given by runs that nothing here
 * knows of. The next start begins above all that they can have given: a whole jump on, and no lower than the minutes since 2020,
 * which a pile that starts less than once a minute does not outrun, so that two restores of one backup differ too.
 */
export function jumpGeneration(path: string, newestKnown: number, wallMs: number): number {
  return advance(path, (newest) => {
    const jumped = Math.max(newest, newestKnown) + JUMP;
    const isClockSet = wallMs > EARLIEST_WALL_MS && wallMs < LATEST_WALL_MS;
    return isClockSet ? Math.max(jumped, Math.floor((wallMs - EARLIEST_WALL_MS) / MINUTE_MS)) : jumped;
  });
}

function advance(path: string, next: (newest: number) => number): number {
  try {
    if (!existsSync(path)) makeFile(path);
    // Overwritten in place, which needs no space: a full disk can still start.
    return withFile(path, 'r+', (file) => {
      const generation = next(newestIn(file));
      if (generation > GENERATIONS_MAX) throw usedUp(path);
      writeSlot(file, generation);
      return generation;
    });
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    throw storeErrorOfFile(error, `count the generation up in ${path}`);
  }
}

function withFile<Result>(path: string, flags: string, use: (file: number) => Result): Result {
  const file = openSync(path, flags);
  try {
    return use(file);
  } finally {
    closeSync(file);
  }
}

function usedUp(path: string): StoreError {
  return new StoreError('unavailable', `${path} has counted to its end: no fencing tokens are left`, {
    hint: 'Begin with an empty data directory, and let all vehicles connect anew before they lend again.',
    retryable: false,
  });
}

function newestIn(file: number): number {
  return Math.max(...slotsOf(file));
}

function slotsOf(file: number): number[] {
  return Array.from({ length: SLOTS }, (_, slot) => {
    const bytes = Buffer.alloc(SLOT_BYTES);
    readSync(file, bytes, 0, SLOT_BYTES, slot * SLOT_BYTES);
    return parseSlot(bytes.toString('latin1'));
  });
}

/** The number stands twice, so that half of a slot is not taken for one. */
function parseSlot(text: string): number {
  const found = /^generation (\d{1,15}) (\d{1,15})\n/.exec(text);
  return found?.[1] !== undefined && found[1] === found[2] ? Number(found[1]) : 0;
}

/** Into the slot that does not hold the newest, whatever the step from it was. */
function writeSlot(file: number, generation: number): void {
  const text = `generation ${generation} ${generation}\n`.padEnd(SLOT_BYTES - 1) + '\n';
  const slots = slotsOf(file);
  writeSync(file, text, slots.indexOf(Math.min(...slots)) * SLOT_BYTES, 'latin1');
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
