/** `plugpool restore`: puts a backup in the place of the store, while no agent runs; what was there is set aside whole. */
import type { Digest } from '@plugpool/proto';
import Database from 'better-sqlite3';
import { chmodSync, copyFileSync, existsSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BackupError } from '../../backup-error.ts';
import type { StoredState } from '../../core/records.ts';
import { openForWriting, RESTORING } from './database.ts';
import { makeDataDirectory, syncPath } from './directory.ts';
import { jumpGeneration } from './generation-file.ts';
import { lockDirectory } from './lock.ts';
import { forgetOpen } from './open-mark.ts';
import { ownershipProblem, type FileProblem } from './ownership.ts';
import { quickProblem } from './reading-jobs.ts';
import { moveAside } from './set-aside.ts';
import { isSqliteError, storeErrorOf } from './sqlite-errors.ts';
import { connect } from './store-connection.ts';

export interface RestoredStore {
  /** Where the store lies that was there before; absent where there was none. */
  readonly replaced?: string;
  /** Of the next start; every fencing token from then on is above all that the pile ever gave. */
  readonly generation: number;
  /** What the backup holds; its generation is the one that it was made in. */
  readonly state: StoredState;
  readonly owedBlobs: readonly Digest[];
}

const UNFINISHED = '.unfinished';

/**
 * From the moment in which `agent.db.restoring` is there until it has become `agent.db`, no agent starts: whatever a power cut
 * leaves in between, running the restore again ends it. Throws a `BackupError` where the file cannot be it, a `StoreError` where
 * an agent runs or the disk fails.
 */
export function restoreStore(dataDir: string, file: string): RestoredStore {
  const directory = resolve(dataDir);
  const path = join(directory, 'agent.db');
  makeDataDirectory(directory);
  const lock = lockDirectory(directory);
  try {
    refuseSource(file, path);
    const copied = takeCopy(file, path);
    const newestKnown = Math.max(copied.state.generation, generationOf(path));
    renameSync(path + UNFINISHED, path + RESTORING);
    syncPath(directory);
    const hadStore = existsSync(path) || existsSync(`${path}-wal`);
    const replaced = hadStore ? moveAside(path, 'replaced') : undefined;
    const generation = jumpGeneration(join(directory, 'agent.generation'), newestKnown, Date.now()) + 1;
    // A run that was killed left it, and its log went aside with its store.
    forgetOpen(path);
    renameSync(path + RESTORING, path);
    syncPath(directory);
    return { ...copied, generation, ...(replaced !== undefined && { replaced }) };
  } catch (error) {
    throw error instanceof BackupError ? error : storeErrorOf(error, `restore the store ${path}`);
  } finally {
    removeUnfinished(path);
    lock.release();
  }
}

function refuseSource(file: string, path: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  const hint = 'Name a file that "plugpool backup" made.';
  if (found === undefined) throw unusable(file, { why: 'it is not there', hint });
  if (!found.isFile()) throw unusable(file, { why: 'it is not a file', hint });
  if (existsSync(path) && realpathSync(file) === realpathSync(path))
    throw unusable(file, { why: 'it is the store itself', hint });
}

function unusable(file: string, { why, hint }: FileProblem, cause?: unknown): BackupError {
  const message = `${file} cannot be restored: ${why}`;
  return new BackupError('backup_unusable', message, `${hint} Nothing was changed.`, cause);
}

function damageOf(finding?: string): FileProblem {
  const why = `it is no database, or damaged${finding === undefined ? '' : ` (${finding})`}`;
  return { why, hint: 'Name another file that "plugpool backup" made.' };
}

/** All work is done on a copy: the backup stays as it is, on whatever disk it lies. */
function takeCopy(file: string, path: string): Pick<RestoredStore, 'state' | 'owedBlobs'> {
  removeUnfinished(path);
  // A store that was copied from a dead pile has its newest commits in the log beside it.
  for (const suffix of ['-wal', ''])
    if (existsSync(file + suffix)) copyFileSync(file + suffix, path + UNFINISHED + suffix);
  chmodSync(path + UNFINISHED, 0o600);
  checkCopy(path + UNFINISHED, file);
  const { db } = openForWriting(path + UNFINISHED);
  try {
    const connection = connect(db);
    const state = connection.load(connection.generation());
    return { state, owedBlobs: connection.tasks.owedBlobs() };
  } finally {
    db.close();
    syncPath(path + UNFINISHED);
  }
}

/** Before anything is written to it, a step of its schema neither. */
function checkCopy(copy: string, file: string): void {
  let db: Database.Database | undefined;
  try {
    db = new Database(copy);
    const problem = ownershipProblem(db);
    if (problem !== undefined) throw unusable(file, problem);
    const finding = quickProblem(db);
    if (finding !== undefined) throw unusable(file, damageOf(finding));
  } catch (error) {
    const isDamaged = isSqliteError(error, 'SQLITE_NOTADB') || isSqliteError(error, 'SQLITE_CORRUPT');
    throw isDamaged ? unusable(file, damageOf(), error) : error;
  } finally {
    db?.close();
  }
}

/** What the store that is replaced was at, where it can still say so. */
function generationOf(path: string): number {
  if (!existsSync(path)) return 0;
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { readonly: true });
    return db.prepare<[], number>('SELECT generation FROM meta').pluck().get() ?? 0;
  } catch {
    return 0;
  } finally {
    db?.close();
  }
}

function removeUnfinished(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + UNFINISHED + suffix, { force: true });
}
