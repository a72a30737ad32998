/**
 * Tasks of the echo runtime through one agent, request to verified result, every commit synced; `--vs bullmq` runs the same task
 * through BullMQ in turn. Beside the times it says what a task took: CPU time, which other programs on the machine disturb far
 * less, synced commits, bytes written. `--sync-delay N` makes each sync of a disk wait N ms first, as eMMC does.
 */
import { parseArgs } from 'node:util';
import { slowSync, type SlowSync } from '../test/fault/slow-sync/slow-sync.ts';
import { BullmqScene, whyNoBullmq, type BullmqSystem } from './bullmq-scene.ts';
import { EchoScene } from './echo-scene.ts';
import { numbersFrom } from './options.ts';

const CONCURRENCIES = [1, 64, 512] as const;
const RIVALS: readonly BullmqSystem[] = ['bullmq-synced', 'bullmq-volatile'];
/** At concurrency 1 a run of all tasks would take long and say no more. */
const TASKS_ONE_BY_ONE_MAX = 2_000;
const WARM_UP_TASKS_MAX = 4_000;
/** Of the tasks of our side: so that a turn of each takes about as long. */
const RIVAL_TASKS_SHARE = 0.25;
const SYNC_DELAY_MS_MAX = 1_000;
const EXIT_STOPPED = 1;

type SceneRun = Awaited<ReturnType<EchoScene['ask']>> | Awaited<ReturnType<BullmqScene['ask']>>;

type BrokerRun = SceneRun & {
  readonly system: 'plugpool' | BullmqSystem;
  readonly concurrency: number;
  readonly tasks: number;
};

interface Contender {
  readonly system: BrokerRun['system'];
  readonly scene: EchoScene | BullmqScene;
  readonly tasksShare: number;
}

interface Wish {
  readonly tasks: number;
  readonly rounds: number;
  readonly concurrencies: readonly number[];
  readonly syncDelayMs: number;
  readonly vs: boolean;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const wish = wishOf(args);
  const disk = wish.syncDelayMs > 0 ? slowDisk(wish.syncDelayMs) : undefined;
  const contenders = contendersFor(wish, disk?.env ?? {});
  const clearAway = async (): Promise<void> => {
    for (const { scene } of contenders) await scene.stop();
    disk?.remove();
  };
  // Agents and servers that nobody asks any more would outlive a bench that is told to end.
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void clearAway().finally(() => process.exit(EXIT_STOPPED)));
  try {
    const runs = await runInTurn(contenders, wish, json);
    if (json) process.stdout.write(`${JSON.stringify({ syncDelayMs: wish.syncDelayMs, runs })}\n`);
  } finally {
    await clearAway();
  }
}

function wishOf(args: readonly string[]): Wish {
  const { vs, rest } = rivalFrom(args);
  const numbers = numbersFrom(rest, { tasks: 20_000, rounds: 1, concurrency: 0, 'sync-delay': 0 });
  const syncDelayMs = numbers['sync-delay'];
  if (syncDelayMs > SYNC_DELAY_MS_MAX) refuse(`--sync-delay is at most ${SYNC_DELAY_MS_MAX} ms`);
  const { tasks, rounds, concurrency } = numbers;
  return { tasks, rounds, concurrencies: concurrency > 0 ? [concurrency] : CONCURRENCIES, syncDelayMs, vs };
}

function rivalFrom(args: readonly string[]): { readonly vs: boolean; readonly rest: readonly string[] } {
  const { values, tokens } = parseArgs({
    args: [...args],
    options: { vs: { type: 'string' } },
    strict: false,
    tokens: true,
  });
  if (values.vs === undefined) return { vs: false, rest: args };
  if (values.vs !== 'bullmq') refuse(`--vs knows bullmq alone, not ${String(values.vs)}`);
  const token = tokens.find((each) => each.kind === 'option' && each.name === 'vs');
  const words = token?.kind === 'option' && token.inlineValue === true ? 1 : 2;
  return { vs: true, rest: args.toSpliced(token?.index ?? 0, words) };
}

function slowDisk(delayMs: number): SlowSync {
  const made = slowSync(delayMs);
  if (!made.ok) refuse(`--sync-delay cannot be had here: ${made.why}`);
  return made.disk;
}

function refuse(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(2);
}

function contendersFor({ vs }: Wish, env: Readonly<Record<string, string>>): readonly Contender[] {
  const ours: Contender = { system: 'plugpool', scene: new EchoScene(env), tasksShare: 1 };
  const problem = vs ? whyNoBullmq() : undefined;
  if (problem !== undefined) process.stderr.write(`Plugpool runs alone: ${problem}\n`);
  if (!vs || problem !== undefined) return [ours];
  const rivals = RIVALS.map((system): Contender => {
    return { system, scene: new BullmqScene(system, env), tasksShare: RIVAL_TASKS_SHARE };
  });
  return [ours, ...rivals];
}

/** Each concurrency by all in turn, so that what else the machine does falls on all of them. */
async function runInTurn(
  contenders: readonly Contender[],
  { tasks, rounds, concurrencies }: Wish,
  json: boolean,
): Promise<readonly BrokerRun[]> {
  const runs: BrokerRun[] = [];
  // The first run warms agent, donors and servers up and is not counted; a requester does so itself.
  for (const { scene, tasksShare } of contenders) {
    await scene.start();
    await scene.ask(64, Math.ceil(Math.min(WARM_UP_TASKS_MAX, tasks) * tasksShare));
  }
  for (let round = 0; round < rounds; round += 1)
    for (const concurrency of concurrencies)
      for (const { system, scene, tasksShare } of contenders) {
        const count = concurrency === 1 ? Math.min(TASKS_ONE_BY_ONE_MAX, tasks) : tasks;
        const shared = Math.ceil(count * tasksShare);
        const one: BrokerRun = {
          system,
          concurrency,
          tasks: shared,
          ...(await scene.ask(concurrency, shared)),
        };
        runs.push(one);
        if (!json) print(one);
      }
  return runs;
}

function print(run: BrokerRun): void {
  const about = 'jobsAWorker' in run ? `, ${run.jobsAWorker} jobs a worker` : '';
  process.stdout.write(
    `${run.system.padEnd(15)} concurrency ${String(run.concurrency).padStart(3)}: ` +
      `${Math.round(run.tasksPerSec)} tasks/s, p50 ${run.p50Ms.toFixed(2)} ms, p99 ${run.p99Ms.toFixed(2)} ms ` +
      `(${run.tasks} tasks${about})\n`,
  );
  if (!('cpuUsPerTask' in run)) return;
  const { agent, agentMain, agentStore, donors, requester } = run.cpuUsPerTask;
  process.stdout.write(
    `    a task: CPU of the agent ${agent} µs (main thread ${agentMain}, store ${agentStore}), donors ${donors} µs, ` +
      `requester ${requester} µs; ${run.syncedCommitsPerTask.toFixed(3)} synced commits, ` +
      `${(run.diskBytesPerTask / 1024).toFixed(1)} KiB to the disk\n`,
  );
}
