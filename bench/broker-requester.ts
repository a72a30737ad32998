/**
 * The requester of bench/broker.ts and bench/footprint.ts: `URL DATA_DIR CONCURRENCY TASKS WARM_UP_MS`. Runs tasks that are not counted,
 * since this process has compiled nothing yet, says `warm`, waits for the end of its input, and then says its figures as one line of JSON.
 */
import { once } from 'node:events';
import { connectRequester } from '@plugpool/vehicle-client';
import { percentile } from './options.ts';

const [url = '', dataDir = '', concurrencyText, tasksText, warmUpMsText] = process.argv.slice(2);
const concurrency = Number(concurrencyText);
const tasks = Number(tasksText);

const requester = await connectRequester({ agent: url, vehicleId: 'requester', dataDir });

/** Keeps so many tasks under way until all have ended, or the time has; how long each took. */
async function askFor(count: number, endMs = Infinity): Promise<number[]> {
  const timesMs: number[] = [];
  const left = { count, endMs };
  await Promise.all(Array.from({ length: concurrency }, (_, lane) => keepAsking(lane, left, timesMs)));
  return timesMs.sort((a, b) => a - b);
}

/** Asks, waits for the result, checks that it is what was sent. */
async function keepAsking(
  lane: number,
  left: { count: number; readonly endMs: number },
  timesMs: number[],
): Promise<void> {
  while (left.count > 0 && performance.now() < left.endMs) {
    left.count -= 1;
    const input = Buffer.from(`task ${left.count} of lane ${lane}`);
    const startMs = performance.now();
    const task = await requester.request({ algorithm: 'echo', input });
    const { output } = await task.result;
    timesMs.push(performance.now() - startMs);
    if (!input.equals(output)) throw new Error(`task ${task.taskId} returned other bytes than it was sent`);
  }
}

await askFor(Infinity, performance.now() + Number(warmUpMsText));
process.stdout.write('warm\n');
process.stdin.resume();
await once(process.stdin, 'end');
const startMs = performance.now();
const startCpu = process.cpuUsage();
const timesMs = await askFor(tasks);
const seconds = (performance.now() - startMs) / 1000;
const { user, system } = process.cpuUsage(startCpu);
await requester.close();
const figures = {
  tasksPerSec: tasks / seconds,
  p50Ms: percentile(timesMs, 0.5),
  p99Ms: percentile(timesMs, 0.99),
  cpuUs: user + system,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
