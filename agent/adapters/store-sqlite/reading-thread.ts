/** Starts a long reading of the store in a thread of its own, and ends it where nobody waits for it any more. */
import { Worker } from 'node:worker_threads';
import { StoreError } from '../../store-error.ts';
import type { CopyProgress } from '../../ports.ts';
import type { ReadingJob } from './reading-jobs.ts';
import type { ReadingMessage } from './reading-worker.ts';
import { errorFromData } from './store-calls.ts';
import { threadEnvironment } from '../thread-environment.ts';

/** In a package the sources are JavaScript, and a URL in a string is not rewritten when they are made. */
const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? './reading-worker.ts' : './reading-worker.js',
  import.meta.url,
);

/** What a check found; empty for a copy. Rejects with a `StoreError`, and after `signal` once the thread has ended. */
export function readInThread(
  job: ReadingJob,
  signal: AbortSignal,
  report: (progress: CopyProgress) => void = () => undefined,
): Promise<readonly string[]> {
  if (signal.aborted) return Promise.reject(stopped());
  const worker = new Worker(workerUrl, {
    workerData: job,
    name: `plugpool-${job.job}`,
    env: threadEnvironment(),
  });
  return new Promise((resolve, reject) => {
    let outcome: (() => void) | undefined;
    const end = (): void => void worker.terminate();
    signal.addEventListener('abort', end, { once: true });
    worker.on('message', (message: ReadingMessage) => {
      if (message.kind === 'progress') report(message.progress);
      else if (message.kind === 'done') outcome = () => resolve(message.findings);
      else outcome = () => reject(errorFromData(message.error));
    });
    worker.on('error', (error) => {
      outcome ??= () => reject(died(error));
    });
    // Only then does nothing of it hold a file any more.
    worker.on('exit', () => {
      signal.removeEventListener('abort', end);
      (outcome ?? (() => reject(signal.aborted ? stopped() : died(undefined))))();
    });
  });
}

function stopped(): StoreError {
  return new StoreError('unavailable', 'the agent is stopping', {
    hint: 'Ask again when it runs.',
    retryable: true,
  });
}

function died(cause: unknown): StoreError {
  const why = cause instanceof Error ? cause.message : 'it ended without an answer';
  return new StoreError('unavailable', `the thread that reads the store ended: ${why}`, {
    hint: 'Ask again; if this repeats, look at the memory of the pile.',
    retryable: true,
    cause,
  });
}
