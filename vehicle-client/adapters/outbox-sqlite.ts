/**
 * The donor's memory over a restart: results that the pile has not acknowledged, and what the owner said last.
 *
 * Most results never come here: they are acknowledged within milliseconds. What is written is synced before the call returns.
 * The open database also holds the data directory for this process: a second donor finds it locked.
 */
import Database from 'better-sqlite3';

import { join } from 'node:path';
import { decodeUpFrame, encodeFrame, type Result } from '@plugpool/proto';
import { leaseKeyOf } from '../core/lease-clock.ts';
import type { OwnerState } from '../core/policy.ts';
import { PlugpoolError } from '../errors.ts';
import type { Log, Outbox } from '../ports.ts';
import { makeDirectory } from '../make-directory.ts';

const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE results (lease_key TEXT PRIMARY KEY, frame BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE owner (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL) STRICT;
`;

interface Statements {
  readonly keep: Database.Statement<[string, Uint8Array]>;
  readonly forget: Database.Statement<[string]>;
  readonly keepOwner: Database.Statement<[string]>;
}

export class SqliteOutbox implements Outbox {
  readonly #dataDir: string;
  readonly #log: Log;
  #database: Database.Database | undefined;
  #statements: Statements | undefined;

  constructor(dataDir: string, log: Log) {
    this.#dataDir = dataDir;
    this.#log = log;
  }

  open(): { readonly results: readonly Result[]; readonly owner: OwnerState } {
    makeDirectory(this.#dataDir);
    const path = join(this.#dataDir, 'outbox.sqlite');
    const database = openExclusively(path);
    this.#database = database;
    migrate(database, path);
    this.#statements = {
      keep: database.prepare('INSERT OR REPLACE INTO results (lease_key, frame) VALUES (?, ?)'),
      forget: database.prepare('DELETE FROM results WHERE lease_key = ?'),
      keepOwner: database.prepare('INSERT OR REPLACE INTO owner (id, state) VALUES (1, ?)'),
    };
    return { results: this.#loadResults(database), owner: loadOwner(database) };
  }

  keep(results: readonly Result[]): void {
    this.#inTransaction((statements) => {
      for (const result of results) {
        statements.keep.run(leaseKeyOf(result.lease), encodeFrame([{ correlationId: 0, body: result }]));
      }
    });
  }

  forget(results: readonly Result[]): void {
    this.#inTransaction((statements) => {
      for (const result of results) statements.forget.run(leaseKeyOf(result.lease));
    });
  }

  keepOwnerState(owner: OwnerState): void {
    this.#inTransaction((statements) => statements.keepOwner.run(JSON.stringify(owner)));
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
    this.#statements = undefined;
  }

  #inTransaction(work: (statements: Statements) => void): void {
    const statements = this.#statements;
    if (this.#database === undefined || statements === undefined) throw new Error('the outbox is not open');
    this.#database.transaction(() => work(statements)).immediate();
  }

  #loadResults(database: Database.Database): Result[] {
    const results: Result[] = [];
    for (const frame of database.prepare<[], Buffer>('SELECT frame FROM results').pluck().all()) {
      const decoded = decodeUpFrame(frame);
      const body = decoded.ok ? decoded.envelopes[0]?.body : undefined;
      if (body?.kind === 'result') results.push(body);
      else this.#log.warn({ bytes: frame.length }, 'a kept result cannot be read any more and is left out');
    }
    return results;
  }
}

function openExclusively(path: string): Database.Database {
  const database = new Database(path, { timeout: 0 });
  try {
    // Before WAL is entered: then the lock is held until the process ends, however it ends.
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    // After WAL, which silently lowers it to NORMAL.
    database.pragma('synchronous = FULL');
    database.exec('BEGIN IMMEDIATE; COMMIT');
  } catch (error) {
    database.close();
    throw openError(path, error);
  }
  if (
    database.pragma('synchronous', { simple: true }) !== 2 ||
    database.pragma('journal_mode', { simple: true }) !== 'wal'
  ) {
    database.close();
    throw new Error(`${path}: could not be opened with journal_mode WAL and synchronous FULL`);
  }
  return database;
}

function openError(path: string, error: unknown): PlugpoolError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new PlugpoolError({
      code: 'data_dir_held',
      message: `another donor uses this data directory (${path} is locked)`,
      hint: 'stop the other donor, or give this one another --data-dir',
      retryable: true,
      cause: error,
    });
  }
  return new PlugpoolError({
    code: 'data_dir_unusable',
    message: `${path} cannot be opened: ${error instanceof Error ? error.message : String(error)}`,
    hint: 'check that the directory can be written and has room; a damaged file may be moved away (unacknowledged results in it are lost, their tasks run again)',
    retryable: false,
    cause: error,
  });
}

function migrate(database: Database.Database, path: string): void {
  const version = Number(database.pragma('user_version', { simple: true }));
  if (version === SCHEMA_VERSION) return;
  if (version > SCHEMA_VERSION) {
    database.close();
    throw new PlugpoolError({
      code: 'data_dir_newer',
      message: `${path} was written by a newer version of the vehicle client`,
      hint: 'use that version, or another --data-dir',
      retryable: false,
    });
  }
  database.transaction(() => {
    database.exec(SCHEMA);
    database.pragma(`user_version = ${SCHEMA_VERSION}`);
  })();
}

function loadOwner(database: Database.Database): OwnerState {
  const text = database.prepare<[], string>('SELECT state FROM owner').pluck().get();
  return text === undefined ? { paused: false } : (JSON.parse(text) as OwnerState);
}
