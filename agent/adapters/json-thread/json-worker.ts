/** A thread that holds two JSON texts against each other, once: reading four MiB of them takes longer than the broker may be silent. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { isSameJson } from '../../core/replicas/same-json.ts';

export interface JsonPair {
  readonly texts: readonly [Uint8Array, Uint8Array];
  readonly tolerance: number;
}

assert.ok(parentPort, 'json-worker.ts runs in a worker thread');
const { texts, tolerance } = workerData as JsonPair;
parentPort.postMessage(isSameJson(texts, tolerance));
