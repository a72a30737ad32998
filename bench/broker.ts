/**
 * Tasks of the echo runtime through one agent: request to verified result, every commit synced. The agent, the requester and
 * the two donors are processes of their own. Beside the times it says what CPU time a task took in each of them, which
 * other programs on the machine disturb far less.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Stage } from '../scripts/stage.ts';
import { cpuUsOf, threadCpuUsOf } from './proc.ts';
import { addEcho, charge, untilLending } from './echo-pile.ts';
import { numbersFrom } from './options.ts';

const DONORS = ['donor-1', 'donor-2'] as const;
const CONCURRENCIES = [1, 64] as const;
/** At concurrency 1 a run of all tasks would take long and say no more. */
const TASKS_ONE_BY_ONE_MAX = 2_000;
const WARM_UP_TASKS_MAX = 4_000;

export interface BrokerRun {
  readonly system: 'plugpool';
  readonly concurrency: number;
  readonly tasks: number;
  readonly tasksPerSec: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time a task, user and system, of all threads; `agentMain` and `agentStore` are the two of the agent that matter. */
  readonly cpuUsPerTask: Readonly<
    Record<'agent' | 'agentMain' | 'agentStore' | 'donors' | 'requester', number>
  >;
}

interface Scene {
  readonly stage: Stage;
  readonly donorPids: readonly number[];
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { tasks } = numbersFrom(args, { tasks: 20_000 });
  const stage = new Stage({ agentConfig: { logLevel: 'warn' } });
  try {
    const scene = await prepare(stage);
    const runs: BrokerRun[] = [];
    // The first run warms agent and donors up and is not counted; a requester does so itself.
    await ask(scene, 64, Math.min(WARM_UP_TASKS_MAX, tasks));
    for (const concurrency of CONCURRENCIES)
      runs.push(
        await ask(scene, concurrency, concurrency === 1 ? Math.min(TASKS_ONE_BY_ONE_MAX, tasks) : tasks),
      );
    if (json) process.stdout.write(`${JSON.stringify({ runs })}\n`);
    else print(runs);
  } finally {
    await stage.stop();
  }
}

async function prepare(stage: Stage): Promise<Scene> {
  await stage.startAgent();
  await addEcho(stage);
  await charge(stage, DONORS);
  const program = path.join(import.meta.dirname, 'echo-donors.ts');
  const donors = DONORS.map((vehicleId) =>
    stage.startProgram(vehicleId, program, [stage.url, stage.dir, vehicleId]),
  );
  await untilLending(stage, DONORS.length);
  return { stage, donorPids: donors.map(({ pid }) => pid ?? 0) };
}

/** A requester of its own that keeps `concurrency` tasks under way. */
async function ask(scene: Scene, concurrency: number, tasks: number): Promise<BrokerRun> {
  const { stage } = scene;
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
  const closed = once(child, 'close') as Promise<[number | null]>;
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  await lines.next();
  const before = cpuUsNow(scene);
  const { value: output } = (await lines.next()) as { readonly value?: string };
  const after = cpuUsNow(scene);
  const [code] = await closed;
  if (code !== 0) throw new Error(`the requester ended with ${String(code)}; see ${stage.logPath('agent')}`);
  const { cpuUs, ...figures } = JSON.parse(output ?? '') as RequesterFigures;
  const aTask = (us: number): number => Math.round(us / tasks);
  const cpuUsPerTask = {
    agent: aTask(after.agent - before.agent),
    agentMain: aTask(after.agentMain - before.agentMain),
    agentStore: aTask(after.agentStore - before.agentStore),
    donors: aTask(after.donors - before.donors),
    requester: aTask(cpuUs),
  };
  return { system: 'plugpool', concurrency, tasks, ...figures, cpuUsPerTask };
}

interface RequesterFigures {
  readonly tasksPerSec: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
}

function cpuUsNow({ stage, donorPids }: Scene) {
  return {
    agent: cpuUsOf(stage.agentPid),
    agentMain: threadCpuUsOf(stage.agentPid, 'MainThread'),
    agentStore: threadCpuUsOf(stage.agentPid, 'plugpool-store'),
    donors: donorPids.reduce((sum, pid) => sum + cpuUsOf(pid), 0),
  };
}

function print(runs: readonly BrokerRun[]): void {
  for (const run of runs) {
    const { agent, agentMain, agentStore, donors, requester } = run.cpuUsPerTask;
    process.stdout.write(
      `concurrency ${String(run.concurrency).padStart(3)}: ${Math.round(run.tasksPerSec)} tasks/s, ` +
        `p50 ${run.p50Ms.toFixed(2)} ms, p99 ${run.p99Ms.toFixed(2)} ms (${run.tasks} tasks)\n` +
        `                 CPU a task: agent ${agent} µs (main thread ${agentMain}, store ${agentStore}), ` +
        `donors ${donors} µs, requester ${requester} µs\n`,
    );
  }
}
