/** What the operator sees beside the core's views: a task from disk, and the agent itself. docs/cli-json.md is the contract. */
import type { TaskId } from '@plugpool/proto';
import { CPU } from './core/ledger/units.ts';
import type {
  AttemptRecord,
  BalanceRecord,
  BookingRecord,
  LedgerEntry,
  LedgerSummary,
  ListedTask,
  TaskHistory,
} from './core/records.ts';
import type { Settings } from './core/settings.ts';
import type { DiskView } from './blobs/disk-room.ts';
import type { StoreView } from './store-care.ts';
import { precedenceOf, type StatusView, type TaskView } from './core/views.ts';

export interface StatusAnswer extends StatusView {
  readonly version: string;
  readonly dataDir: string;
  readonly listen: string;
  readonly uptimeMs: number;
  readonly store: StoreView;
  readonly disk: DiskView;
}

export interface TaskDetails extends TaskView {
  /** The task that an operator had run again as this one. */
  readonly retryOf: TaskId | null;
  readonly deadlineWallMs: number;
  readonly args: readonly string[];
  readonly inputBytes: number;
  readonly outputBytes: number | null;
  readonly algorithmVersion: string | null;
  readonly failure: { readonly code: string; readonly detail: string; readonly stderrTail: string } | null;
  readonly used: {
    readonly cpuMs: number;
    readonly wallMs: number;
    readonly memoryPeakMib: number;
    readonly gpuMs: number;
    readonly energyMwh: number | null;
  } | null;
  readonly chargedMncs: number;
  /** So many vehicles of different owners had to give the same, as its requester asked; null where it did not ask. */
  readonly quorum: number | null;
  /** So many gave its result; 0 where it has none. */
  readonly agreeing: number;
  /** What the next attempts go on from: their states together, and the work that need not be done again; null where there is none. */
  readonly checkpoint: { readonly sizeBytes: number; readonly doneMncs: number } | null;
  readonly history: readonly Omit<AttemptRecord, 'taskId'>[];
  readonly bookings: readonly BookingView[];
}

/** With the amount as work on the CPU, where it is; null where it is counted in something else. */
export type BookingView = Omit<BookingRecord, 'taskId' | 'tariff' | 'overstay' | 'entries'> & {
  readonly tariff: string | null;
  readonly overstay: boolean;
  readonly entries: readonly (LedgerEntry & { readonly amountMncs: number | null })[];
};

export interface LedgerView {
  readonly bookings: number;
  readonly balanced: boolean;
  /** Work on the CPU. */
  readonly accounts: readonly {
    readonly account: string;
    readonly balanceMncs: number;
    readonly creditedMncs: number;
    readonly debitedMncs: number;
  }[];
  /** In every unit. */
  readonly balances: readonly BalanceRecord[];
}

export function ledgerView(ledger: LedgerSummary): LedgerView {
  const accounts = ledger.balances
    .filter(({ unit }) => unit === CPU)
    .map(({ account, balance, credited, debited }) => ({
      account,
      balanceMncs: balance,
      creditedMncs: credited,
      debitedMncs: debited,
    }));
  return { bookings: ledger.bookings, balanced: ledger.balanced, accounts, balances: ledger.balances };
}

export function closedTaskView({ task, end, delivered, attempts }: ListedTask, settings: Settings): TaskView {
  return {
    taskId: task.taskId,
    requestId: task.requestId,
    requester: task.vehicleId,
    algorithm: end?.algorithmId ?? wanted(task),
    state: end?.state ?? 'queued',
    donor: end?.donor ?? null,
    attempts: end?.attempts ?? attempts,
    progressPermille: end?.state === 'completed' ? 1000 : 0,
    acceptedWallMs: task.acceptedWallMs,
    endedWallMs: end?.endedWallMs ?? null,
    reason: end?.failure?.code ?? null,
    waitsFor: null,
    delivered,
    ...precedenceOf(task, settings),
  };
}

function wanted({ selector }: ListedTask['task']): string {
  return selector.by === 'algorithm' ? selector.algorithmId : selector.type;
}

/** What is on disk, with what only memory knows while the task is open. */
export function taskDetails(
  history: TaskHistory,
  live: TaskView | undefined,
  settings: Settings,
): TaskDetails {
  const { task, end } = history;
  return {
    ...(live ?? closedTaskView({ ...history, attempts: history.instances[0]?.attempts ?? 0 }, settings)),
    retryOf: task.retryOf ?? null,
    deadlineWallMs: task.deadlineWallMs,
    args: task.args,
    inputBytes: sizeOf(task.input),
    outputBytes: end?.output === undefined ? null : sizeOf(end.output),
    algorithmVersion: end?.algorithmVersion ?? null,
    failure: end?.failure ?? null,
    used: end?.used === undefined ? null : { ...end.used, energyMwh: end.used.energyMwh ?? null },
    chargedMncs: end?.chargedMncs ?? 0,
    quorum: task.wants?.quorum ?? null,
    agreeing: end?.agreeing ?? (end?.state === 'completed' ? 1 : 0),
    checkpoint: checkpointOf(history),
    history: history.attempts.map(({ taskId: _, handedIn: _handedIn, ...attempt }) => attempt),
    bookings: history.bookings.map(bookingView),
  };
}

function bookingView({ taskId: _, entries, ...booking }: BookingRecord): BookingView {
  const { tariff = null, overstay = false } = booking;
  return {
    ...booking,
    tariff,
    overstay,
    entries: entries.map((entry) => ({ ...entry, amountMncs: entry.unit === CPU ? entry.amount : null })),
  };
}

function checkpointOf({ instances }: TaskHistory): TaskDetails['checkpoint'] {
  const kept = instances.flatMap(({ checkpoint }) => (checkpoint === undefined ? [] : [checkpoint]));
  if (kept.length === 0) return null;
  return {
    sizeBytes: kept.reduce((sum, { state }) => sum + state.sizeBytes, 0),
    doneMncs: kept.reduce((sum, { doneMncs }) => sum + doneMncs, 0),
  };
}

function sizeOf(payload: TaskHistory['task']['input']): number {
  return payload.where === 'inline' ? payload.bytes.length : payload.blob.sizeBytes;
}
