/** What a year leaves: the size of the store with the default retention, and how long a start, a check and a backup of it take. */
import Database from 'better-sqlite3';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkWhole } from '../agent/adapters/store-sqlite/reading-jobs.ts';
import { createSqliteStore } from '../agent/adapters/store-sqlite/store.ts';
import { DEFAULT_SETTINGS } from '../agent/core/settings.ts';
import type { StoreChange } from '../agent/core/records.ts';
import { loadState } from '../agent/core/load.ts';
import { configOf } from '@plugpool/agent';
import { numbersFrom } from './options.ts';
import { changesOfDay } from './year/year-of-tasks.ts';

/** Many in one commit: a year in a minute. What it leaves in the file is the same. */
const CHANGES_A_COMMIT = 20_000;
const STARTS = 5;
const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

interface YearFigures {
  readonly days: number;
  readonly tasksPerDay: number;
  readonly payloadBytes: number;
  readonly bookings: number;
  readonly fileMib: number;
  readonly ledgerMib: number;
  readonly bytesPerBooking: number;
  readonly keptTasks: number;
  /** From opening the file to the state in memory, checks included: the median of several. */
  readonly startMs: number;
  /** The same where the whole file is looked at, as after damage. */
  readonly wholeStartMs: number;
  readonly nightlyCheckMs: number;
  readonly backupMs: number;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const options = numbersFrom(args, { days: 365, 'tasks-per-day': 2_000, 'payload-bytes': 4_096 });
  const { days, 'tasks-per-day': tasksPerDay, 'payload-bytes': payloadBytes } = options;
  // In the working directory: a temporary folder is often no disk.
  const directory = mkdtempSync(join(process.cwd(), '.bench-year-'));
  try {
    const dataDir = join(directory, 'data');
    await fill(dataDir, days, { tasksPerDay, payloadBytes });
    const figures = { days, tasksPerDay, payloadBytes, ...(await measure(directory, dataDir)) };
    if (json) process.stdout.write(`${JSON.stringify(figures)}\n`);
    else print(figures);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function fill(
  dataDir: string,
  days: number,
  about: { readonly tasksPerDay: number; readonly payloadBytes: number },
): Promise<void> {
  const retentionDays = DEFAULT_SETTINGS.retentionMs / DAY_MS;
  const store = createSqliteStore({ dataDir, inProcess: true });
  await store.open();
  for (let day = 0; day < days; day += 1) {
    let pending: StoreChange[] = [];
    for (const changes of changesOfDay(day, { ...about, retentionDays })) {
      pending.push(...changes);
      if (pending.length < CHANGES_A_COMMIT) continue;
      await store.commit(pending);
      pending = [];
    }
    await store.commit(pending);
  }
  await store.close();
}

async function measure(
  directory: string,
  dataDir: string,
): Promise<Omit<YearFigures, 'days' | 'tasksPerDay' | 'payloadBytes'>> {
  const path = join(dataDir, 'agent.db');
  const { bookings, ledgerBytes } = ledgerIn(path);
  const starts: number[] = [];
  let keptTasks = 0;
  for (let n = 0; n < STARTS; n += 1) {
    const { ms, kept } = await start(dataDir);
    starts.push(ms);
    keptTasks = kept;
  }
  const wholeStartMs = wholeCheckMs(path);
  const nightlyCheckMs = timed(() => checkWhole(path));
  const backupMs = await backUp(dataDir, join(directory, 'backup.db'));
  const startMs = starts.toSorted((a, b) => a - b)[Math.floor(STARTS / 2)] ?? NaN;
  return {
    bookings,
    fileMib: statSync(path).size / MIB,
    ledgerMib: ledgerBytes / MIB,
    bytesPerBooking: ledgerBytes / bookings,
    keptTasks,
    startMs,
    wholeStartMs: startMs + wholeStartMs,
    nightlyCheckMs,
    backupMs,
  };
}

/** As an agent starts: in a thread of its own, and then the state of the decisions. */
async function start(dataDir: string): Promise<{ readonly ms: number; readonly kept: number }> {
  const { settings } = configOf({ dataDir });
  const beganMs = performance.now();
  const store = createSqliteStore({ dataDir });
  const stored = await store.open();
  loadState(stored, settings, { monoMs: performance.now(), wallMs: Date.now() });
  const ms = performance.now() - beganMs;
  await store.close();
  return { ms, kept: stored.closedTasks.length + stored.openTasks.length };
}

function wholeCheckMs(path: string): number {
  const db = new Database(path, { readonly: true });
  const ms = timed(() => db.pragma('quick_check'));
  db.close();
  return ms;
}

function timed(work: () => unknown): number {
  const beganMs = performance.now();
  work();
  return performance.now() - beganMs;
}

async function backUp(dataDir: string, file: string): Promise<number> {
  const store = createSqliteStore({ dataDir });
  await store.open();
  const beganMs = performance.now();
  await store.backUp(file, new AbortController().signal, () => undefined);
  const ms = performance.now() - beganMs;
  await store.close();
  return ms;
}

function ledgerIn(path: string): { readonly bookings: number; readonly ledgerBytes: number } {
  const db = new Database(path, { readonly: true });
  const bookings = db.prepare<[], number>('SELECT count(*) FROM booking').pluck().get() ?? 0;
  const ledgerBytes =
    db
      .prepare<[], number>(
        "SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND (name = 'booking' OR name LIKE '%_booking_%')",
      )
      .pluck()
      .get() ?? 0;
  db.close();
  return { bookings, ledgerBytes };
}

function print(figures: YearFigures): void {
  const { days, tasksPerDay, payloadBytes, bookings, fileMib, ledgerMib, bytesPerBooking, keptTasks } =
    figures;
  process.stdout.write(
    `${days} days of ${tasksPerDay} tasks with ${payloadBytes} bytes in and out: ${fileMib.toFixed(0)} MiB, ` +
      `of them the ledger ${ledgerMib.toFixed(0)} (${bookings} bookings, ${bytesPerBooking.toFixed(0)} bytes each); ` +
      `${keptTasks} tasks are kept\n` +
      `start ${figures.startMs.toFixed(0)} ms (${figures.wholeStartMs.toFixed(0)} where the whole file is looked at), ` +
      `check at night ${figures.nightlyCheckMs.toFixed(0)} ms, backup ${figures.backupMs.toFixed(0)} ms\n`,
  );
}
