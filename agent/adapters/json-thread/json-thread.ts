/** Compares two JSON texts in a thread of their own, with a bound on its memory: what a text becomes in memory its writer decides. */
import { Worker } from 'node:worker_threads';
import { threadEnvironment } from '../thread-environment.ts';
import type { JsonPair } from './json-worker.ts';

/** Two texts of 4 MiB that are nothing but empty arrays take half of it. */
const HEAP_MIB_MAX = 256;

/** In a package the sources are JavaScript, and a URL in a string is not rewritten when they are made. */
const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? './json-worker.ts' : './json-worker.js',
  import.meta.url,
);

/** Rejects where the thread could not tell, and after `signal`. */
export function sameJsonInThread(
  pair: JsonPair,
  signal: AbortSignal,
  heapMib = HEAP_MIB_MAX,
): Promise<boolean> {
  if (signal.aborted) return Promise.reject(new Error('the agent is stopping'));
  const worker = new Worker(workerUrl, {
    workerData: pair,
    name: 'plugpool-json',
    env: threadEnvironment(),
    resourceLimits: { maxOldGenerationSizeMb: heapMib },
  });
  return new Promise((resolve, reject) => {
    let [answer, failure]: [boolean | undefined, unknown] = [undefined, undefined];
    const end = (): void => void worker.terminate();
    signal.addEventListener('abort', end, { once: true });
    worker.on('message', (isSame: boolean) => (answer = isSame));
    worker.on('error', (error: unknown) => (failure = error));
    worker.on('exit', () => {
      signal.removeEventListener('abort', end);
      if (answer !== undefined) resolve(answer);
      else reject(new Error('the thread that compares JSON ended without an answer', { cause: failure }));
    });
  });
}
