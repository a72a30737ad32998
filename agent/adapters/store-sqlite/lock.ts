/** Holds the data directory for one agent: a second one is refused even while the first is idle, and SIGKILL releases it. */
import Database from 'better-sqlite3';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../../store-error.ts';
import { isSqliteError, storeErrorOf } from './sqlite-errors.ts';

export interface DirectoryLock {
  release(): void;
}

/**
 * An exclusive transaction, never ended, on an empty SQLite file of its own. The kernel drops the lock with the process, so no
 * stale lock survives a crash; SQLite also keeps it against another connection of the same process, which a plain `fcntl`
 * lock does not. The store's own file stays open to readers (`sqlite3 -readonly`).
 */
export function lockDirectory(dataDir: string): DirectoryLock {
  const path = join(dataDir, 'agent.lock');
  let connection: Database.Database | undefined;
  try {
    connection = new Database(path, { timeout: 0 });
    chmodSync(path, 0o600);
    connection.pragma('locking_mode = EXCLUSIVE');
    connection.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    connection?.close();
    throw lockError(error, dataDir, path);
  }
  const held = connection;
  return { release: () => held.close() };
}

function lockError(error: unknown, dataDir: string, path: string): Error {
  if (isSqliteError(error, 'SQLITE_BUSY')) {
    return new StoreError('held', `another agent has the data directory ${dataDir}`, {
      hint: 'Stop the other agent, or give this one a directory of its own with --data-dir.',
      retryable: false,
      cause: error,
    });
  }
  if (isSqliteError(error, 'SQLITE_NOTADB')) {
    return new StoreError('unavailable', `${path} is not the lock file that an agent makes`, {
      hint: `Remove ${path}: it holds nothing.`,
      retryable: false,
      cause: error,
    });
  }
  return storeErrorOf(error, `lock the data directory ${dataDir}`);
}
