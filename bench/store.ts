/** What the store costs: synced commits a second by batch size, in a thread and in the caller's, beside the disk's own sync. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createSqliteStore } from '../agent/adapters/store-sqlite/store.ts';
import { lifeOf } from '../test/store-records.ts';
import { numbersFrom, percentile } from './options.ts';

const BATCHES = [1, 8, 64];
const SYNCS = 1_000;
/** About what the first commit of a task writes. */
const SYNC_BYTES = 16 * 1024;

interface Latency {
  readonly p50Us: number;
  readonly p99Us: number;
}

interface CommitFigure extends Latency {
  readonly tasksACommit: number;
  readonly thread: 'own' | "caller's";
  readonly commitsPerSec: number;
  /** Three commits each: accepted and granted; ended and booked; delivered. */
  readonly tasksPerSec: number;
  /** What the caller's thread spends until `commit` returns its promise. */
  readonly callerUsPerTask: number;
}

function latencyOf(us: readonly number[]): Latency {
  const sorted = us.toSorted((left, right) => left - right);
  return { p50Us: Math.round(percentile(sorted, 0.5)), p99Us: Math.round(percentile(sorted, 0.99)) };
}

/** In the working directory: a temporary folder is often no disk. */
function makeDataDir(): string {
  return mkdtempSync(join(process.cwd(), '.bench-store-'));
}

function measureSync(): Latency {
  const dataDir = makeDataDir();
  const file = openSync(join(dataDir, 'sync'), 'w');
  const bytes = Buffer.alloc(SYNC_BYTES);
  const us: number[] = [];
  for (let n = 0; n < SYNCS; n += 1) {
    const beganMs = performance.now();
    writeSync(file, bytes, 0, SYNC_BYTES, n * SYNC_BYTES);
    fdatasyncSync(file);
    us.push((performance.now() - beganMs) * 1000);
  }
  closeSync(file);
  rmSync(dataDir, { recursive: true });
  return latencyOf(us);
}

async function measureCommits(
  tasksACommit: number,
  inProcess: boolean,
  seconds: number,
): Promise<CommitFigure> {
  const dataDir = makeDataDir();
  const store = createSqliteStore({ dataDir, inProcess });
  await store.open();
  const us: number[] = [];
  let tasks = 0;
  let callerUs = 0;
  const beganMs = performance.now();
  while (performance.now() - beganMs < seconds * 1000) {
    const lives = Array.from({ length: tasksACommit }, (_, n) => lifeOf(tasks + n));
    tasks += tasksACommit;
    for (const step of [0, 1, 2] as const) {
      const changes = lives.flatMap((life) => life[step]);
      const commitMs = performance.now();
      const committed = store.commit(changes);
      callerUs += (performance.now() - commitMs) * 1000;
      await committed;
      us.push((performance.now() - commitMs) * 1000);
    }
  }
  const elapsedS = (performance.now() - beganMs) / 1000;
  await store.close();
  rmSync(dataDir, { recursive: true });
  return {
    tasksACommit,
    thread: inProcess ? "caller's" : 'own',
    commitsPerSec: Math.round(us.length / elapsedS),
    tasksPerSec: Math.round(tasks / elapsedS),
    ...latencyOf(us),
    callerUsPerTask: Math.round(callerUs / tasks),
  };
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { seconds } = numbersFrom(args, { seconds: 3 });
  const sync = measureSync();
  const runs: CommitFigure[] = [];
  for (const inProcess of [false, true]) {
    for (const batch of BATCHES) runs.push(await measureCommits(batch, inProcess, seconds));
  }
  if (json) process.stdout.write(`${JSON.stringify({ sync, runs })}\n`);
  else print(sync, runs);
}

function print(sync: Latency, runs: readonly CommitFigure[]): void {
  process.stdout.write(`sync of ${SYNC_BYTES} bytes: p50 ${sync.p50Us} µs, p99 ${sync.p99Us} µs\n`);
  for (const figure of runs) {
    process.stdout.write(
      `${figure.thread.padEnd(8)} thread, ${String(figure.tasksACommit).padStart(2)} tasks a commit: ` +
        `${figure.commitsPerSec} commits/s, ${figure.tasksPerSec} tasks/s, ` +
        `p50 ${figure.p50Us} µs, p99 ${figure.p99Us} µs, caller ${figure.callerUsPerTask} µs a task\n`,
    );
  }
}
