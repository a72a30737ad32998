/** A worker process of the comparison: `SOCKET CONCURRENCY`. Returns what it is given, as the echo runtime does; says `ready`. */
import { Worker } from 'bullmq';

const [path, concurrency] = process.argv.slice(2);
const worker = new Worker('echo', async (job) => job.data, {
  // A worker's connection blocks while it waits for work: BullMQ asks for this setting.
  connection: { path, maxRetriesPerRequest: null },
  concurrency: Number(concurrency),
});
worker.on('error', (error) => process.stderr.write(`${error.stack}\n`));
await worker.waitUntilReady();
process.stdout.write('ready\n');
process.once('SIGTERM', () => {
  void worker.close().then(() => process.exit(0));
});
