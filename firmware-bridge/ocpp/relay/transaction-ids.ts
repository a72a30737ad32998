/** Numbers for the transactions of piles that are run without a CSMS: none is ever given twice, restarts and power cuts included. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { FirmwareError } from '../../firmware-error.ts';

/** So many are taken from the file at once: a crash leaves a gap, and a sync is needed once for all of them. */
const RESERVED_AT_ONCE = 100;
/** 1.6 has no bound but "integer"; piles keep 32 bits. */
const ID_MAX = 2 ** 31 - 1;

export class TransactionIds {
  readonly #file: string;
  #next: number;
  #reserved: number;

  /** Throws a `FirmwareError` where the file is there and is not what this wrote. */
  constructor(file: string) {
    this.#file = file;
    this.#next = readReserved(file) + 1;
    this.#reserved = this.#next - 1;
  }

  /** Throws the disk's error where it takes no more; the ids go on when it does again. */
  next(): number {
    if (this.#next > ID_MAX) this.#next = 1;
    if (this.#next > this.#reserved || this.#reserved >= ID_MAX) this.#reserve();
    this.#next += 1;
    return this.#next - 1;
  }

  #reserve(): void {
    const reserved = Math.min(ID_MAX, this.#next + RESERVED_AT_ONCE - 1);
    const aside = `${this.#file}.new`;
    writeSynced(aside, `${JSON.stringify({ transactionIdsGivenUpTo: reserved })}\n`);
    renameSync(aside, this.#file);
    syncDirectory(dirname(this.#file));
    this.#reserved = reserved;
  }
}

function readReserved(file: string): number {
  const text = readIfThere(file);
  if (text === undefined) return 0;
  const reserved = numberIn(text);
  if (reserved !== undefined) return reserved;
  throw new FirmwareError(
    'invalid_file',
    `${file} does not say which transaction ids were given`,
    'write {"transactionIdsGivenUpTo": N} into it, N at least the highest id that a pile ever got',
  );
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function numberIn(text: string): number | undefined {
  try {
    const { transactionIdsGivenUpTo: id } = JSON.parse(text) as { transactionIdsGivenUpTo?: unknown };
    return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= ID_MAX ? id : undefined;
  } catch {
    return undefined;
  }
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
