/** The whole store as synchronous calls: lock, file, statements. Runs in the worker; in the caller's thread only for tests. */
import type { Digest, LeaseId, TaskId, VehicleId } from '@plugpool/proto';
import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import type {
  Account,
  AttemptRecord,
  BalanceRecord,
  ClosedTaskRecord,
  CreditId,
  ListedTask,
  LedgerSummary,
  StoreChange,
  StoredState,
  TaskHistory,
} from '../../core/records.ts';
import type { BookingPage, CheckRecord, CreditPage, LedgerHead, MadeCredit } from '../../ports.ts';
import { StoreError } from '../../store-error.ts';
import { readCheckRecord, writeCheckRecord } from './check-record.ts';
import { ROWS_A_SLICE, verifyRows, type Sum, type VerifiedSlice } from './booking-verify.ts';
import { bookingOf, type BookingHead } from './ledger.ts';
import { openDatabase, openForWriting } from './database.ts';
import { makeDataDirectory } from './directory.ts';
import {
  firstGeneration,
  jumpGeneration,
  nextGeneration,
  readGeneration,
  takeGeneration,
} from './generation-file.ts';
import { lockDirectory, type DirectoryLock } from './lock.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { forgetOpen, isLogGone, markOpen } from './open-mark.ts';
import type { StoreWrite } from './packed-changes.ts';
import { storeErrorOf } from './sqlite-errors.ts';
import { connect, type StoreConnection } from './store-connection.ts';

/** Fields and a sentence, as pino takes them. */
export interface StoreLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface SynchronousStoreOptions {
  readonly dataDir: string;
  readonly log: StoreLog;
}

/** Each call throws a `StoreError`, or an error of another class where the caller broke a rule of the records. */
export class SynchronousStore {
  readonly #dataDir: string;
  readonly #path: string;
  readonly #generationPath: string;
  readonly #log: StoreLog;
  #lock: DirectoryLock | undefined;
  #connection: StoreConnection | undefined;

  constructor({ dataDir, log }: SynchronousStoreOptions) {
    this.#dataDir = resolve(dataDir);
    this.#path = join(this.#dataDir, 'agent.db');
    this.#generationPath = join(this.#dataDir, 'agent.generation');
    this.#log = log;
  }

  open(): StoredState {
    assert.equal(this.#lock, undefined, 'the store is open already');
    makeDataDirectory(this.#dataDir);
    this.#lock = lockDirectory(this.#dataDir);
    try {
      return this.#openLocked();
    } catch (error) {
      this.close();
      throw storeErrorOf(error, `open the store ${this.#path}`);
    }
  }

  #openLocked(): StoredState {
    const startedMs = performance.now();
    if (isLogGone(this.#path)) this.#sayLogGone();
    const { db, migratedFrom } = openDatabase(this.#path);
    this.#connection = connect(db);
    const state = this.#connection.load(this.#count(this.#connection));
    markOpen(this.#path);
    this.#log.info(
      {
        path: this.#path,
        generation: state.generation,
        openTasks: state.openTasks.length,
        closedTasks: state.closedTasks.length,
        schemaFound: migratedFrom,
        schema: SCHEMA_VERSION,
        ms: Math.round(performance.now() - startedMs),
      },
      'store opened',
    );
    return state;
  }

  #sayLogGone(): void {
    this.#log.warn(
      {
        path: `${this.#path}-wal`,
        hint: 'If you moved the file, stop the agent, put it back beside the store and start again; else look at the disk.',
      },
      "the store's log is gone: what the last run committed since it was last folded in is lost",
    );
  }

  /**
   * On the same connection where that works: on a full disk a new one could not even make its WAL index. Where it does not (the
   * disk went away and came back), on a new one.
   */
  reload(): StoredState {
    assert.ok(this.#lock, 'open() comes before reload()');
    try {
      return this.#loadAgain(this.#open);
    } catch (error) {
      const failure = storeErrorOf(error, 'load the store again');
      if (!(failure instanceof StoreError) || failure.code !== 'unavailable') throw failure;
      this.#log.warn({ path: this.#path, error: failure.message }, 'store is opened anew');
    }
    return this.#attempt('open the store again', () => {
      this.#closeConnection();
      this.#connection = connect(openForWriting(this.#path).db);
      return this.#loadAgain(this.#connection);
    });
  }

  #loadAgain(connection: StoreConnection): StoredState {
    return connection.load(Math.max(readGeneration(this.#generationPath), connection.generation()));
  }

  /** The generation is on disk in its own file before anything is loaded; the store keeps a copy, for when that file is lost. */
  #count(connection: StoreConnection): number {
    const copied = connection.generation();
    const generation = this.#isFromElsewhere(copied)
      ? jumpGeneration(this.#generationPath, copied, Date.now())
      : this.#nextGeneration(copied);
    try {
      connection.setGeneration(generation);
    } catch (error) {
      const failure = storeErrorOf(error, 'copy the generation');
      if (!(failure instanceof StoreError) || failure.code !== 'full') throw failure;
      this.#log.warn({ path: this.#path, error: failure.message, hint: failure.hint }, 'disk is full');
    }
    return generation;
  }

  /** Neither the store nor the file has had one: it is the first start of this pile. */
  #nextGeneration(copied: number): number {
    const isFirst = copied === 0 && readGeneration(this.#generationPath) === 0;
    return isFirst ? firstGeneration(this.#generationPath) : nextGeneration(this.#generationPath, copied);
  }

  /** It had a generation, and no file here says which it had last: other runs of it may have given numbers since. */
  #isFromElsewhere(copied: number): boolean {
    if (copied === 0 || readGeneration(this.#generationPath) > 0) return false;
    this.#log.warn(
      { path: this.#generationPath },
      'the generation is lost, numbers begin far above its copy',
    );
    return true;
  }

  /** Milliseconds that the disk took to keep it. */
  commit(changes: readonly (StoreChange | StoreWrite)[]): number {
    return this.#attempt('commit', () => {
      for (const change of changes)
        if (change.change === 'takeGeneration') takeGeneration(this.#generationPath, change.generation);
      return this.#open.commit(changes);
    });
  }

  histories(taskIds: readonly TaskId[]): TaskHistory[] {
    return this.#attempt('read tasks', () => this.#open.histories(taskIds));
  }

  attempt(taskId: TaskId, lease: LeaseId): AttemptRecord | undefined {
    return this.#attempt('read an attempt', () => this.#open.attempt(taskId, lease));
  }

  listTasks(limit: number): ListedTask[] {
    return this.#attempt('list tasks', () => this.#open.tasks.listTasks(limit));
  }

  recentTaskIds(limit: number): TaskId[] {
    return this.#attempt('list tasks', () => this.#open.tasks.recentTaskIds(limit));
  }

  closedTasksOf(vehicleId: VehicleId, limit: number): ClosedTaskRecord[] {
    return this.#attempt('list closed tasks', () => this.#open.tasks.closedTasksOf(vehicleId, limit));
  }

  ledger(): LedgerSummary {
    return this.#attempt('read the ledger', () => this.#open.ledger.balances());
  }

  balancesOf(account: Account): BalanceRecord[] {
    return this.#attempt('read balances', () => this.#open.ledger.balancesOf(account));
  }

  ledgerHead(): LedgerHead {
    const { key, hash, wallMs } = this.#attempt('read the ledger', () => this.#open.ledger.head());
    return { bookings: key, hash, wallMs };
  }

  /** In one call, so that both are of one moment. */
  ledgerSums(): { readonly head: BookingHead; readonly balances: readonly Sum[] } {
    return this.#attempt('read the ledger', () => ({
      head: this.#open.ledger.head(),
      balances: this.#open.ledger.sums(),
    }));
  }

  verifySlice(after: BookingHead, throughKey: number, wantedKey: number): VerifiedSlice {
    const rows = this.#attempt('read bookings', () =>
      this.#open.ledger.rowsBetween(after.key, throughKey, ROWS_A_SLICE),
    );
    return verifyRows(after, rows, wantedKey);
  }

  bookingsAfter(after: number, fromWallMs: number, toWallMs: number): BookingPage {
    const rows = this.#attempt('read bookings', () =>
      this.#open.ledger.rowsBetween(after, Number.MAX_SAFE_INTEGER, ROWS_A_SLICE),
    );
    const next = rows.length < ROWS_A_SLICE ? undefined : rows.at(-1)?.key;
    const bookings = rows
      .filter(({ wallMs }) => wallMs >= fromWallMs && wallMs < toWallMs)
      .map((row) => ({ ...bookingOf(row), key: row.key, hash: Buffer.from(row.hash).toString('hex') }));
    return next === undefined ? { bookings } : { bookings, next };
  }

  credit(creditId: CreditId): MadeCredit | undefined {
    return this.#attempt('read a credit record', () => this.#open.credits.credit(creditId));
  }

  creditsAfter(after: number, fromWallMs: number, toWallMs: number): CreditPage {
    return this.#attempt('read credit records', () =>
      this.#open.credits.creditsAfter(after, fromWallMs, toWallMs),
    );
  }

  owedBlobs(): Digest[] {
    return this.#attempt('list owed blobs', () => this.#open.tasks.owedBlobs());
  }

  freeAcknowledged(freeBytes: number): { payloads: number; freeBytes: number } {
    return this.#attempt('let go of acknowledged payloads', () => this.#open.freeAcknowledged(freeBytes));
  }

  referencedBlobs(): Digest[] {
    return this.#attempt('list referenced blobs', () => this.#open.tasks.referencedBlobs());
  }

  tokenHash(vehicleId: VehicleId): string | undefined {
    return this.#attempt('read a token', () => this.#open.tokens.tokenHash(vehicleId));
  }

  bindToken(vehicleId: VehicleId, hash: string): boolean {
    return this.#attempt('bind a token', () => this.#open.tokens.bindToken(vehicleId, hash));
  }

  unbindToken(vehicleId: VehicleId): boolean {
    return this.#attempt('unbind a token', () => this.#open.tokens.unbindToken(vehicleId));
  }

  checkpoint(): { readonly busy: boolean; readonly walBytes: number } {
    return this.#attempt('checkpoint the store', () => this.#open.checkpoint());
  }

  lastCheck(): CheckRecord | undefined {
    return readCheckRecord(this.#path);
  }

  /** The last connection to close folds the WAL into the file and removes it. */
  close(): void {
    if (this.#connection !== undefined) forgetOpen(this.#path);
    this.#closeConnection();
    this.#lock?.release();
    this.#lock = undefined;
  }

  #closeConnection(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  get #open(): StoreConnection {
    assert.ok(this.#connection, 'the store is not open');
    return this.#connection;
  }

  #attempt<Result>(doing: string, call: () => Result): Result {
    try {
      return call();
    } catch (error) {
      const failure = storeErrorOf(error, doing);
      if (failure instanceof StoreError && failure.code === 'damaged') this.#suspect(failure);
      throw failure;
    }
  }

  /** The next start looks at the whole file, however large it is, and sets it aside. */
  #suspect(failure: StoreError): void {
    try {
      const record = { state: 'suspect', wallMs: Date.now(), findings: [failure.message] } as const;
      writeCheckRecord(this.#path, record);
    } catch (error) {
      this.#log.warn({ path: this.#path, error: String(error) }, 'what damage was met could not be noted');
    }
  }
}
