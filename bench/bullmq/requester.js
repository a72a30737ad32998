/**
 * The producer of the comparison: `SOCKET CONCURRENCY TASKS WARM_UP_MS`. Adds jobs and waits for their results, so many at once;
 * runs some for a while that are not counted, says `warm`, waits for the end of its input, and then says its figures as one line of JSON: as broker-requester.ts does.
 */
import { once } from 'node:events';
import { Queue, QueueEvents } from 'bullmq';

const FIRST_WAIT_MS = 500;

const [path, concurrencyText, tasksText, warmUpMsText] = process.argv.slice(2);
const concurrency = Number(concurrencyText);
const tasks = Number(tasksText);

const connection = { path, maxRetriesPerRequest: null };
const queue = new Queue('echo', { connection });
const events = new QueueEvents('echo', { connection });
// As many wait for an event at once as there are jobs under way.
for (const emitter of [queue, events]) emitter.setMaxListeners(0);
await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);

/** Keeps so many jobs under way until all have ended, or the time has; how long each took. */
async function askFor(count, endMs = Infinity) {
  const timesMs = [];
  const left = { count, endMs };
  await Promise.all(Array.from({ length: concurrency }, (_, lane) => keepAsking(lane, left, timesMs)));
  return timesMs.sort((a, b) => a - b);
}

async function keepAsking(lane, left, timesMs) {
  while (left.count > 0 && performance.now() < left.endMs) {
    left.count -= 1;
    const input = `task ${left.count} of lane ${lane}`;
    const startMs = performance.now();
    const job = await queue.add('echo', input);
    const output = await job.waitUntilFinished(events);
    timesMs.push(performance.now() - startMs);
    if (input !== output) throw new Error(`job ${job.id} returned other bytes than it was sent`);
  }
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

// QueueEvents hears what comes after its first read began, and does not say when that is: until then events are lost.
for (let isHeard = false; !isHeard;) {
  const job = await queue.add('echo', 'first');
  isHeard = await job.waitUntilFinished(events, FIRST_WAIT_MS).then(
    () => true,
    () => false,
  );
}
await askFor(Infinity, performance.now() + Number(warmUpMsText));
process.stdout.write('warm\n');
process.stdin.resume();
await once(process.stdin, 'end');
const startMs = performance.now();
const timesMs = await askFor(tasks);
const seconds = (performance.now() - startMs) / 1000;
await events.close();
await queue.close();
const figures = {
  tasksPerSec: tasks / seconds,
  p50Ms: percentile(timesMs, 0.5),
  p99Ms: percentile(timesMs, 0.99),
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
