/** Turns what SQLite throws into what the store promises: a `StoreError`, or a broken promise that must end the process. */
import { AssertionError } from 'node:assert';
import Database from 'better-sqlite3';
import { HINT_FULL, StoreError, storeErrorOfFile } from '../../store-error.ts';

/** `doing` completes "could not …". */
export function storeErrorOf(error: unknown, doing: string): Error {
  if (error instanceof StoreError) return error;
  if (error instanceof Database.SqliteError) return ofSqlite(error, doing);
  if (error instanceof Error && 'syscall' in error) return storeErrorOfFile(error, doing);
  return error instanceof Error ? error : new Error(String(error));
}

export function isSqliteError(error: unknown, codePrefix: string): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith(codePrefix);
}

function ofSqlite(error: InstanceType<typeof Database.SqliteError>, doing: string): Error {
  const message = `could not ${doing}: ${error.message} (${error.code})`;
  // An index of the WAL that cannot grow is how a full disk shows before the first frame is written.
  if (error.code === 'SQLITE_FULL' || error.code === 'SQLITE_IOERR_SHMSIZE') {
    return new StoreError('full', message, { hint: HINT_FULL, retryable: true, cause: error });
  }
  switch (primaryCode(error.code)) {
    case 'SQLITE_CORRUPT':
    case 'SQLITE_NOTADB':
      return new StoreError('damaged', message, {
        hint: 'Stop the agent and start it again: the start checks the file and sets it aside whole.',
        retryable: false,
        cause: error,
      });
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return new StoreError('unavailable', message, {
        hint: 'Another program is writing to the store: end it (look for an open sqlite3 shell).',
        retryable: true,
        cause: error,
      });
    case 'SQLITE_IOERR':
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_NOMEM':
    case 'SQLITE_PROTOCOL':
    case 'SQLITE_INTERRUPT':
      return new StoreError('unavailable', message, {
        hint: 'Check the disk of the data directory (dmesg, smartctl) and that it is mounted.',
        retryable: true,
        cause: error,
      });
    case 'SQLITE_READONLY':
    case 'SQLITE_PERM':
    case 'SQLITE_AUTH':
      return new StoreError('unavailable', message, {
        hint: 'Give the user of the agent the right to write to the data directory and all files in it.',
        retryable: false,
        cause: error,
      });
    default:
      // Constraints, types, SQL: nothing the world did.
      return brokenPromise(message, error);
  }
}

/** `SQLITE_IOERR_WRITE` is a `SQLITE_IOERR`. */
function primaryCode(code: string): string {
  return code.split('_').slice(0, 2).join('_');
}

export function brokenPromise(message: string, cause: unknown): AssertionError {
  const error = new AssertionError({ message });
  error.cause = cause;
  return error;
}
