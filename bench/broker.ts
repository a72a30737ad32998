/**
 * Tasks of the echo runtime through one agent: request to verified result, every commit synced. The agent, the requester and
 * the two donors are processes of their own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { Stage } from '../scripts/stage.ts';
import { numbersFrom } from './options.ts';

const DONORS = ['donor-1', 'donor-2'] as const;

export interface BrokerRun {
  readonly system: 'plugpool';
  readonly concurrency: number;
  readonly tasks: number;
  readonly tasksPerSec: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { tasks } = numbersFrom(args, { tasks: 20_000 });
  const stage = new Stage({ agentConfig: { logLevel: 'warn' } });
  try {
    await prepare(stage);
    const runs: BrokerRun[] = [];
    // The first run warms the compilers of all processes up and is not counted.
    await ask(stage, 64, Math.min(4_000, tasks));
    for (const [concurrency, count] of [
      [1, Math.min(2_000, tasks)],
      [64, tasks],
    ] as const)
      runs.push(await ask(stage, concurrency, count));
    if (json) process.stdout.write(`${JSON.stringify({ runs })}\n`);
    else print(runs);
  } finally {
    await stage.stop();
  }
}

async function prepare(stage: Stage): Promise<void> {
  await stage.startAgent();
  const image = path.join(stage.dir, 'echo.image');
  writeFileSync(image, 'echo');
  await stage.operator([
    ...['algorithms', 'add', image, '--id', 'echo', '--version', '1', '--runtime', 'echo'],
    ...['--cpu-millicores', '5', '--memory-mib', '1', '--work-core-s', '0.001'],
  ]);
  for (const [index, vehicleId] of DONORS.entries()) {
    await stage.ask('firmware', { step: 'charge', connector: String(index + 1), vehicleId });
    stage.startDonor(vehicleId, {
      runtimes: ['echo'],
      logLevel: 'warn',
      policy: { cpuPercent: 50, memoryPercent: 40 },
      probe: { ownRootPids: [process.pid] },
    });
  }
  await stage.until('the donors to lend', async () => {
    const { donorsEligible } = (await stage.ask('status')) as { donorsEligible: number };
    return donorsEligible === DONORS.length;
  });
}

/** A requester of its own that keeps `concurrency` tasks under way. */
async function ask(stage: Stage, concurrency: number, tasks: number): Promise<BrokerRun> {
  const child = spawn(
    process.execPath,
    [
      path.join(import.meta.dirname, 'broker-requester.ts'),
      stage.url,
      stage.vehicleDir('requester'),
      String(concurrency),
      String(tasks),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`the requester ended with ${String(code)}; see ${stage.logPath('agent')}`);
  return { system: 'plugpool', concurrency, tasks, ...(JSON.parse(output) as object) } as BrokerRun;
}

function print(runs: readonly BrokerRun[]): void {
  for (const run of runs)
    process.stdout.write(
      `concurrency ${String(run.concurrency).padStart(3)}: ${Math.round(run.tasksPerSec)} tasks/s, ` +
        `p50 ${run.p50Ms.toFixed(2)} ms, p99 ${run.p99Ms.toFixed(2)} ms (${run.tasks} tasks)\n`,
    );
}
