/**
 * A requester that keeps so many tasks under way until its input ends: `URL DATA_DIR CONCURRENCY`. Each line on standard input ends a
 * stretch of time, whose figures come back as one line of JSON; another begins at once.
 */
import { createInterface } from 'node:readline';
import { connectRequester } from '@plugpool/vehicle-client';
import { percentile } from '../options.ts';

const [url = '', dataDir = '', concurrencyText] = process.argv.slice(2);
const requester = await connectRequester({ agent: url, vehicleId: 'requester', dataDir });

let timesMs: number[] = [];
let errors: string[] = [];
let sinceMs = performance.now();
const over = new AbortController();

function isAsking(): boolean {
  return !over.signal.aborted;
}

async function keepAsking(lane: number): Promise<void> {
  for (let n = 0; isAsking(); n += 1) {
    const input = Buffer.from(`task ${n} of lane ${lane}`);
    const startMs = performance.now();
    try {
      const task = await requester.request({ algorithm: 'echo', input });
      const { output } = await task.result;
      timesMs.push(performance.now() - startMs);
      if (!input.equals(output)) errors.push(`task ${task.taskId} returned other bytes than it was sent`);
    } catch (error) {
      if (isAsking()) errors.push(String(error));
    }
  }
}

function figures(): object {
  const sorted = timesMs.sort((a, b) => a - b);
  const seconds = (performance.now() - sinceMs) / 1000;
  const found = {
    tasks: sorted.length,
    tasksPerSec: sorted.length / seconds,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    errors: errors.length,
    firstError: errors[0] ?? null,
  };
  [timesMs, errors, sinceMs] = [[], [], performance.now()];
  return found;
}

const lanes = Array.from({ length: Number(concurrencyText) }, (_, lane) => keepAsking(lane));
process.stdout.write('asks\n');
for await (const line of createInterface(process.stdin)) {
  if (line === 'end') break;
  process.stdout.write(`${JSON.stringify(figures())}\n`);
}
over.abort();
await Promise.all(lanes);
await requester.close();
