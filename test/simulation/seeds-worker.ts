/** A thread of `npm run sim`: its share of the seeds, each outcome told as it comes. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Share } from './main.ts';
import { simulate } from './simulate.ts';

const { from, to, stride, shape } = workerData as Share;
for (let seed = from; seed < to; seed += stride) parentPort?.postMessage(await simulate({ seed, ...shape }));
