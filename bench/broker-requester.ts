/** The requester of bench/broker.ts: `URL DATA_DIR CONCURRENCY TASKS`; prints its figures as one JSON document. */
import { connectRequester } from '@plugpool/vehicle-client';
import { percentile } from './options.ts';

const [url = '', dataDir = '', concurrencyText, tasksText] = process.argv.slice(2);
const concurrency = Number(concurrencyText);
const tasks = Number(tasksText);

const requester = await connectRequester({ agent: url, vehicleId: 'requester', dataDir });
const timesMs: number[] = [];
let left = tasks;

/** Asks, waits for the result, checks that it is what was sent. */
async function keepAsking(lane: number): Promise<void> {
  while (left > 0) {
    left -= 1;
    const input = Buffer.from(`task ${left} of lane ${lane}`);
    const startMs = performance.now();
    const task = await requester.request({ algorithm: 'echo', input });
    const { output } = await task.result;
    timesMs.push(performance.now() - startMs);
    if (!input.equals(output)) throw new Error(`task ${task.taskId} returned other bytes than it was sent`);
  }
}

const startMs = performance.now();
const startCpu = process.cpuUsage();
await Promise.all(Array.from({ length: concurrency }, (_, lane) => keepAsking(lane)));
const seconds = (performance.now() - startMs) / 1000;
const { user, system } = process.cpuUsage(startCpu);
await requester.close();
timesMs.sort((a, b) => a - b);
process.stdout.write(
  JSON.stringify({
    tasksPerSec: tasks / seconds,
    p50Ms: percentile(timesMs, 0.5),
    p99Ms: percentile(timesMs, 0.99),
    cpuUs: user + system,
  }),
);
