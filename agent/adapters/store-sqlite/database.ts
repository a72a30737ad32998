/** Opens the store's file: checks it before it is touched, sets a damaged one aside whole, and makes commits durable. */
import Database from 'better-sqlite3';
import assert from 'node:assert/strict';
import { chmodSync, existsSync, statSync } from 'node:fs';
import { StoreError } from '../../store-error.ts';
import { APPLICATION_ID, applicationIdOf, migrate, SCHEMA_VERSION, schemaVersionOf } from './migrations.ts';
import { ASIDE_MAX, moveAside } from './set-aside.ts';
import { isSqliteError, storeErrorOf } from './sqlite-errors.ts';
import { startProblem } from './start-check.ts';

/** How long a commit waits for a person's writing sqlite3 shell before it is refused. */
const BUSY_MS_MAX = 2_000;
/** 4 MiB of WAL: a checkpoint every hundred commits or so, and a file that stays small. */
const WAL_PAGES_CHECKPOINT = 4000;
/** A WAL that a long reader let grow is cut back to this. */
const WAL_BYTES_KEPT = 64 * 1024 * 1024;
/** Beside the store: what a restore is about to give its name. */
export const RESTORING = '.restoring';
const CACHE_KIB = 8 * 1024;
const SYNCHRONOUS_FULL = 2;

/** Checks, opens, migrates. Throws a `StoreError`. */
export function openDatabase(path: string): {
  readonly db: Database.Database;
  readonly migratedFrom: number;
} {
  refuseUnfinishedRestore(path);
  refuseWhereSetAside(path);
  if (existsSync(path)) checkUntouched(path);
  return openForWriting(path);
}

/** Opens without the checks of a start: for a connection that failed while running. */
export function openForWriting(path: string): {
  readonly db: Database.Database;
  readonly migratedFrom: number;
} {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { timeout: BUSY_MS_MAX });
    chmodSync(path, 0o600);
    makeDurable(db);
    return { db, migratedFrom: migrate(db) };
  } catch (error) {
    db?.close();
    throw storeErrorOf(error, `open the store ${path}`);
  }
}

/** Order matters: setting WAL drops `synchronous` to NORMAL, which loses the last commits on a power cut. */
function makeDurable(db: Database.Database): void {
  const journalMode = db.pragma('journal_mode = WAL', { simple: true });
  if (journalMode !== 'wal') {
    throw new StoreError('unavailable', `the store's file system does not allow write-ahead logging`, {
      hint: 'Put the data directory on a local disk (no network share).',
      retryable: false,
    });
  }
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  db.pragma('trusted_schema = OFF');
  // No temporary file may be needed to forget tasks: that is what frees a full disk.
  db.pragma('temp_store = MEMORY');
  db.pragma(`cache_size = -${CACHE_KIB}`);
  db.pragma(`wal_autocheckpoint = ${WAL_PAGES_CHECKPOINT}`);
  db.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`);
  assert.equal(db.pragma('synchronous', { simple: true }), SYNCHRONOUS_FULL, 'synchronous must be FULL');
  assert.equal(db.pragma('foreign_keys', { simple: true }), 1, 'foreign_keys must be on');
}

/**
 * Looks through a read-only connection, which leaves the file and its WAL as they are when it closes; a writing one would
 * fold the WAL into a damaged file, or one of a newer version.
 */
function checkUntouched(path: string): void {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { readonly: true, timeout: BUSY_MS_MAX });
    check(db, path);
  } catch (error) {
    db?.close();
    // A crash while the file was created left a rollback journal, which only a writer may play back.
    if (!isSqliteError(error, 'SQLITE_READONLY') && !isSqliteError(error, 'SQLITE_CANTOPEN')) {
      throw refusal(error, path);
    }
    checkWriting(path);
    return;
  }
  db.close();
}

function checkWriting(path: string): void {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { timeout: BUSY_MS_MAX });
    check(db, path);
  } catch (error) {
    db?.close();
    throw refusal(error, path);
  }
  db.close();
}

class Damage extends Error {}

function check(db: Database.Database, path: string): void {
  const version = schemaVersionOf(db);
  const owner = applicationIdOf(db);
  if (owner !== APPLICATION_ID && !isEmpty(db)) throw foreign(path);
  if (version > SCHEMA_VERSION) throw newer(path, version);
  const bad = startProblem(db, path);
  if (bad !== undefined) throw new Damage(bad);
}

function isEmpty(db: Database.Database): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}

function refusal(error: unknown, path: string): Error {
  const damaged =
    error instanceof Damage ||
    isSqliteError(error, 'SQLITE_CORRUPT') ||
    isSqliteError(error, 'SQLITE_NOTADB');
  if (!damaged) return storeErrorOf(error, `check the store ${path}`);
  const aside = setAside(path);
  return new StoreError('damaged', `the store ${path} is damaged: ${(error as Error).message}`, {
    hint: `It was set aside whole as ${aside}. ${howToGoOn(aside)}`,
    retryable: false,
    cause: error,
  });
}

function setAside(path: string): string {
  return moveAside(path, 'damaged');
}

/** Between setting the present store aside and giving the other one its name: beginning anew would lose both unseen. */
function refuseUnfinishedRestore(path: string): void {
  if (!existsSync(path + RESTORING)) return;
  throw new StoreError('unavailable', `a restore of the store ${path} was not finished`, {
    hint: 'Run "plugpool restore FILE" again.',
    retryable: false,
  });
}

/**
 * A supervisor starts a refused agent again at once. Were that start to begin with an empty store, the refusal would last a
 * second and every accepted task would be gone unseen: so a store that was set aside and not replaced still refuses.
 */
function refuseWhereSetAside(path: string): void {
  // An empty file is what a failed attempt to put something in its place leaves.
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
  for (let n = ASIDE_MAX; n >= 1; n -= 1) {
    const aside = `${path}.damaged-${n}`;
    if (!existsSync(aside)) continue;
    throw new StoreError('damaged', `the store ${path} was damaged, and nothing has replaced it yet`, {
      hint: `It lies as ${aside}. ${howToGoOn(aside)}`,
      retryable: false,
    });
  }
}

function howToGoOn(aside: string): string {
  return (
    `Put a backup in its place with "plugpool restore FILE", or move ${aside}* out of the directory to begin with an empty store ` +
    `(open tasks and the ledger are lost).`
  );
}

function newer(path: string, version: number): StoreError {
  return new StoreError(
    'newer',
    `the store ${path} has schema ${version}; this version knows ${SCHEMA_VERSION}`,
    {
      hint: 'Install the version that wrote it, or a later one. The file was not changed.',
      retryable: false,
    },
  );
}

function foreign(path: string): StoreError {
  return new StoreError('unavailable', `${path} is a database of another program`, {
    hint: 'Choose another directory with --data-dir. The file was not changed.',
    retryable: false,
  });
}
