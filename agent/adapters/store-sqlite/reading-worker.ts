/** A thread that reads the whole store, once, while the thread that writes goes on committing. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import type { CopyProgress } from '../../ports.ts';
import { writeCheckRecord } from './check-record.ts';
import { checkWhole, copyStore, type ReadingJob } from './reading-jobs.ts';
import { errorData, type ErrorData } from './store-calls.ts';
import { storeErrorOf } from './sqlite-errors.ts';

export type ReadingMessage =
  | { readonly kind: 'progress'; readonly progress: CopyProgress }
  | { readonly kind: 'done'; readonly findings: readonly string[] }
  | { readonly kind: 'failed'; readonly error: ErrorData };

assert.ok(parentPort, 'reading-worker.ts runs in a worker thread');
const port = parentPort;
const say = (message: ReadingMessage): void => port.postMessage(message);

async function carryOut(job: ReadingJob): Promise<readonly string[]> {
  if (job.job === 'check') return checkAndRecord(job.path);
  await copyStore(job.path, job.target, (progress) => say({ kind: 'progress', progress }));
  return [];
}

/** Recorded here: a sync of a slow disk is for no other thread to wait for. */
function checkAndRecord(path: string): readonly string[] {
  const beganMs = performance.now();
  const findings = checkWhole(path);
  const about = { wallMs: Date.now(), tookMs: Math.round(performance.now() - beganMs) };
  writeCheckRecord(
    path,
    findings.length === 0 ? { state: 'ok', ...about } : { state: 'failed', ...about, findings },
  );
  return findings;
}

const job = workerData as ReadingJob;
try {
  say({ kind: 'done', findings: await carryOut(job) });
} catch (error) {
  const doing = job.job === 'copy' ? `copy the store to ${job.target}` : 'check the store';
  say({ kind: 'failed', error: errorData(storeErrorOf(error, doing)) });
}
