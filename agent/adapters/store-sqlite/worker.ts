/** The store's thread: takes calls in order, one at a time, so that a slow disk never holds up the broker. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { errorData, type AnswerMessage, type CallMessage, type StoreCall } from './store-calls.ts';
import { SynchronousStore } from './synchronous-store.ts';

assert.ok(parentPort, 'worker.ts runs in a worker thread');
const port = parentPort;
const { dataDir } = workerData as { readonly dataDir: string };

const store = new SynchronousStore({
  dataDir,
  log: {
    info: (fields, message) => say({ kind: 'log', level: 'info', fields, message }),
    warn: (fields, message) => say({ kind: 'log', level: 'warn', fields, message }),
  },
});

function say(message: AnswerMessage): void {
  port.postMessage(message);
}

function answer({ id, call, args }: CallMessage): AnswerMessage {
  try {
    const methods = store as unknown as Record<StoreCall, (...args: readonly unknown[]) => unknown>;
    return { kind: 'returned', id, value: methods[call](...args) };
  } catch (error) {
    return { kind: 'threw', id, error: errorData(error) };
  }
}

port.on('message', (message: CallMessage) => {
  say(answer(message));
  // The thread ends when nothing is left to listen for.
  if (message.call === 'close') port.close();
});
