/** The Store port on SQLite: a thread of its own does the work, long readings go to it in slices so that commits pass between. */
import type { Digest, LeaseId, TaskId, VehicleId } from '@plugpool/proto';
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
import type {
  BackupFile,
  BookingPage,
  CommitCost,
  CheckRecord,
  CopyProgress,
  CreditPage,
  LedgerHead,
  LedgerVerdict,
  MadeCredit,
  Store,
} from '../../ports.ts';
import { join } from 'node:path';
import { backUp } from './backup.ts';
import { verifyChain } from './booking-verify.ts';
import { readInThread } from './reading-thread.ts';
import { storeErrorOf } from './sqlite-errors.ts';
import { packChange } from './packed-changes.ts';
import type { CallArgs, CallResult, StoreCall, StoreCaller } from './store-calls.ts';
import { SynchronousStore, type StoreLog, type SynchronousStoreOptions } from './synchronous-store.ts';
import { WorkerCaller } from './worker-caller.ts';

export interface SqliteStoreOptions {
  readonly dataDir: string;
  readonly log?: StoreLog;
  /** Does the work on the caller's thread; for tests and offline tools. */
  readonly inProcess?: boolean;
}

export const RECENT_TASKS_MAX = 1_000;
export const CLOSED_TASKS_MAX = 10_000;
/** A history can hold 192 KiB of payloads (input, output, outputs of the parts): 40 of them are at most 8 MiB in one message. */
const HISTORIES_A_SLICE = 40;

const silent: StoreLog = { info: () => undefined, warn: () => undefined };

export function createSqliteStore({ dataDir, log = silent, inProcess = false }: SqliteStoreOptions): Store {
  const options = { dataDir, log };
  return new SqliteStore(dataDir, inProcess ? new InProcessCaller(options) : new WorkerCaller(options));
}

class SqliteStore implements Store {
  readonly #dataDir: string;
  readonly #caller: StoreCaller;

  constructor(dataDir: string, caller: StoreCaller) {
    this.#dataDir = dataDir;
    this.#caller = caller;
  }

  async open(): Promise<StoredState> {
    await this.#caller.start();
    try {
      return await this.#caller.call('open');
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async reload(): Promise<StoredState> {
    return this.#caller.state === 'failed' ? this.open() : this.#caller.call('reload');
  }

  async commit(changes: readonly StoreChange[]): Promise<CommitCost> {
    if (changes.length === 0) return { syncMs: 0 };
    return { syncMs: await this.#caller.call('commit', changes.map(packChange)) };
  }

  async readTask(taskId: TaskId): Promise<TaskHistory | undefined> {
    const [history] = await this.#caller.call('histories', [taskId]);
    return history;
  }

  readAttempt(taskId: TaskId, lease: LeaseId): Promise<AttemptRecord | undefined> {
    return this.#caller.call('attempt', taskId, lease);
  }

  listTasks(limit: number): Promise<readonly ListedTask[]> {
    return this.#caller.call('listTasks', Math.min(limit, RECENT_TASKS_MAX));
  }

  async recentTasks(limit: number): Promise<readonly TaskHistory[]> {
    const taskIds = await this.#caller.call('recentTaskIds', Math.min(limit, RECENT_TASKS_MAX));
    const histories: TaskHistory[] = [];
    for (let from = 0; from < taskIds.length; from += HISTORIES_A_SLICE) {
      histories.push(
        ...(await this.#caller.call('histories', taskIds.slice(from, from + HISTORIES_A_SLICE))),
      );
    }
    return histories;
  }

  closedTasksOf(vehicleId: VehicleId, limit: number): Promise<readonly ClosedTaskRecord[]> {
    return this.#caller.call('closedTasksOf', vehicleId, Math.min(limit, CLOSED_TASKS_MAX));
  }

  ledger(): Promise<LedgerSummary> {
    return this.#caller.call('ledger');
  }

  balancesOf(account: Account): Promise<readonly BalanceRecord[]> {
    return this.#caller.call('balancesOf', account);
  }

  ledgerHead(): Promise<LedgerHead> {
    return this.#caller.call('ledgerHead');
  }

  verifyLedger(known?: Pick<LedgerHead, 'bookings' | 'hash'>): Promise<LedgerVerdict> {
    const caller = this.#caller;
    return verifyChain(
      {
        begin: () => caller.call('ledgerSums'),
        slice: (after, throughKey, wantedKey) => caller.call('verifySlice', after, throughKey, wantedKey),
      },
      known,
    );
  }

  bookingsAfter(after: number, fromWallMs: number, toWallMs: number): Promise<BookingPage> {
    return this.#caller.call('bookingsAfter', after, fromWallMs, toWallMs);
  }

  credit(creditId: CreditId): Promise<MadeCredit | undefined> {
    return this.#caller.call('credit', creditId);
  }

  creditsAfter(after: number, fromWallMs: number, toWallMs: number): Promise<CreditPage> {
    return this.#caller.call('creditsAfter', after, fromWallMs, toWallMs);
  }

  async owedBlobs(): Promise<ReadonlySet<Digest>> {
    return new Set(await this.#caller.call('owedBlobs'));
  }

  freeAcknowledged(freeBytes: number): Promise<{ readonly payloads: number; readonly freeBytes: number }> {
    return this.#caller.call('freeAcknowledged', freeBytes);
  }

  async referencedBlobs(): Promise<ReadonlySet<Digest>> {
    return new Set(await this.#caller.call('referencedBlobs'));
  }

  tokenHash(vehicleId: VehicleId): Promise<string | undefined> {
    return this.#caller.call('tokenHash', vehicleId);
  }

  bindToken(vehicleId: VehicleId, hash: string): Promise<boolean> {
    return this.#caller.call('bindToken', vehicleId, hash);
  }

  unbindToken(vehicleId: VehicleId): Promise<boolean> {
    return this.#caller.call('unbindToken', vehicleId);
  }

  checkpoint(): Promise<{ readonly busy: boolean; readonly walBytes: number }> {
    return this.#caller.call('checkpoint');
  }

  async checkWhole(signal: AbortSignal): Promise<void> {
    await readInThread({ job: 'check', path: join(this.#dataDir, 'agent.db') }, signal);
  }

  lastCheck(): Promise<CheckRecord | undefined> {
    return this.#caller.call('lastCheck');
  }

  backUp(file: string, signal: AbortSignal, report: (progress: CopyProgress) => void): Promise<BackupFile> {
    return backUp(this.#dataDir, file, signal, report);
  }

  /** Calls are done in order: what was under way is finished first. */
  close(): Promise<void> {
    return this.#caller.stop();
  }
}

class InProcessCaller implements StoreCaller {
  readonly #options: SynchronousStoreOptions;
  #store: SynchronousStore | undefined;

  constructor(options: SynchronousStoreOptions) {
    this.#options = options;
  }

  get state(): StoreCaller['state'] {
    return this.#store === undefined ? 'idle' : 'running';
  }

  async start(): Promise<void> {
    this.#store = new SynchronousStore(this.#options);
  }

  async call<Call extends StoreCall>(call: Call, ...args: CallArgs<Call>): Promise<CallResult<Call>> {
    const method = this.#store?.[call] as ((...args: CallArgs<Call>) => CallResult<Call>) | undefined;
    if (method === undefined) throw storeErrorOf(new Error('the store is not open'), call);
    return method.apply(this.#store, args);
  }

  async stop(): Promise<void> {
    this.#store?.close();
    this.#store = undefined;
  }
}
