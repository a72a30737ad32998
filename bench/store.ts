/** What the store costs: synced commits a second by batch size, in a thread and in the caller's, beside the disk's own sync. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createSqliteStore } from '../agent/adapters/store-sqlite/store.ts';
import { lifeOf } from '../test/store-records.ts';

const SECONDS = Number(process.env['BENCH_STORE_S'] ?? 3);
const DIRECTORY = process.env['BENCH_STORE_DIR'] ?? '.';

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

function summary(us: number[]): { p50Us: number; p99Us: number } {
  us.sort((left, right) => left - right);
  return { p50Us: Math.round(quantile(us, 0.5)), p99Us: Math.round(quantile(us, 0.99)) };
}

function measureSync(dataDir: string): object {
  const file = openSync(join(dataDir, 'sync.tmp'), 'w');
  const us: number[] = [];
  for (let n = 0; n < 1_000; n += 1) {
    const startedMs = performance.now();
    writeSync(file, Buffer.alloc(16 * 1024), 0, 16 * 1024, n * 16 * 1024);
    fdatasyncSync(file);
    us.push((performance.now() - startedMs) * 1000);
  }
  closeSync(file);
  rmSync(join(dataDir, 'sync.tmp'));
  return { what: 'append 16 KiB and fdatasync', ...summary(us) };
}

async function measureCommits(batch: number, inProcess: boolean): Promise<object> {
  const dataDir = mkdtempSync(join(DIRECTORY, 'bench-store-'));
  const store = createSqliteStore({ dataDir, inProcess });
  await store.open();
  const us: number[] = [];
  let tasks = 0;
  let callUs = 0;
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  while (performance.now() - startedMs < SECONDS * 1000) {
    const lives = Array.from({ length: batch }, (_, n) => lifeOf(tasks + n));
    tasks += batch;
    for (const step of [0, 1, 2] as const) {
      const commitMs = performance.now();
      const committed = store.commit(lives.flatMap((life) => life[step]));
      callUs += (performance.now() - commitMs) * 1000;
      await committed;
      us.push((performance.now() - commitMs) * 1000);
    }
  }
  const elapsedS = (performance.now() - startedMs) / 1000;
  const cpu = process.cpuUsage(startedCpu);
  const ledger = await store.ledger();
  await store.close();
  rmSync(dataDir, { recursive: true });
  return {
    what: `${batch} tasks a commit, ${inProcess ? "in the caller's thread" : 'in a worker'}`,
    commitsPerS: Math.round(us.length / elapsedS),
    tasksPerS: Math.round(tasks / elapsedS),
    ...summary(us),
    callerUsPerTask: Math.round(callUs / tasks),
    cpuUsPerTask: Math.round((cpu.user + cpu.system) / tasks),
    balanced: ledger.balanced,
  };
}

if (import.meta.main) {
  const dataDir = mkdtempSync(join(DIRECTORY, 'bench-store-'));
  console.log(JSON.stringify(measureSync(dataDir)));
  rmSync(dataDir, { recursive: true });
  for (const inProcess of [true, false]) {
    for (const batch of [1, 8, 64]) console.log(JSON.stringify(await measureCommits(batch, inProcess)));
  }
}
