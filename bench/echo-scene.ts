/** The pile of bench/broker.ts: an agent and two donors of the echo runtime, each a process, and what asking them costs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import type { Engine } from '../agent/engine.ts';
import { Stage } from '../scripts/stage.ts';
import { addEcho, charge, untilLending } from './echo-pile.ts';
import { cpuUsOf, threadCpuUsOf, writtenBytesOf } from './proc.ts';

/** A process that runs for months has compiled everything; one that was just started compiles for seconds beside its work. */
export const WARM_UP_MS = 3_000;
const DONORS = ['donor-1', 'donor-2'] as const;

/** What a requester process says of its tasks. */
export interface TaskFigures {
  readonly tasksPerSec: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What the tasks took of the machine, each figure divided by their number. */
interface TaskCosts {
  /** CPU time, user and system, of all threads; `agentMain` and `agentStore` are the two of the agent that matter. */
  readonly cpuUsPerTask: Readonly<
    Record<'agent' | 'agentMain' | 'agentStore' | 'donors' | 'requester', number>
  >;
  readonly syncedCommitsPerTask: number;
  /** What the agent made the kernel write to the disk, the checkpoints of the log included. */
  readonly diskBytesPerTask: number;
}

/** Counts since the start of the processes. */
interface Counts extends Readonly<Record<'agent' | 'agentMain' | 'agentStore' | 'donors', number>> {
  readonly commits: number;
  readonly diskBytes: number;
}

export class EchoScene {
  readonly #stage: Stage;
  #donorPids: readonly number[] = [];

  /** `agentEnv` is added to the agent's environment. */
  constructor(agentEnv: Readonly<Record<string, string>>) {
    this.#stage = new Stage({ agentConfig: { logLevel: 'warn' }, agentEnv });
  }

  async start(): Promise<void> {
    const stage = this.#stage;
    await stage.startAgent();
    await addEcho(stage);
    await charge(stage, DONORS);
    const program = path.join(import.meta.dirname, 'echo-donors.ts');
    const donors = DONORS.map((vehicleId) =>
      stage.startProgram(vehicleId, program, [stage.url, stage.dir, vehicleId]),
    );
    await untilLending(stage, DONORS.length);
    this.#donorPids = donors.map(({ pid }) => pid ?? 0);
  }

  stop(): Promise<void> {
    return this.#stage.stop();
  }

  /** A requester of its own that keeps `concurrency` tasks under way. */
  async ask(concurrency: number, tasks: number): Promise<TaskFigures & TaskCosts> {
    const stage = this.#stage;
    const args = [
      stage.url,
      stage.vehicleDir('requester'),
      String(concurrency),
      String(tasks),
      String(WARM_UP_MS),
    ];
    let before: Counts | undefined;
    const program = path.join(import.meta.dirname, 'broker-requester.ts');
    const said = await runRequester<RequesterFigures>(program, args, async () => {
      before = await this.#counts();
    });
    const after = await this.#counts();
    const { cpuUs, ...figures } = said;
    const aTask = (key: keyof Counts): number => (after[key] - (before?.[key] ?? 0)) / tasks;
    return {
      ...figures,
      cpuUsPerTask: {
        agent: Math.round(aTask('agent')),
        agentMain: Math.round(aTask('agentMain')),
        agentStore: Math.round(aTask('agentStore')),
        donors: Math.round(aTask('donors')),
        requester: Math.round(cpuUs / tasks),
      },
      syncedCommitsPerTask: aTask('commits'),
      diskBytesPerTask: Math.round(aTask('diskBytes')),
    };
  }

  async #counts(): Promise<Counts> {
    const { commits } = (await this.#stage.ask('metrics')) as Engine['metrics'];
    const pid = this.#stage.agentPid;
    return {
      agent: cpuUsOf(pid),
      agentMain: threadCpuUsOf(pid, 'MainThread'),
      agentStore: threadCpuUsOf(pid, 'plugpool-store'),
      donors: this.#donorPids.reduce((sum, donorPid) => sum + cpuUsOf(donorPid), 0),
      commits,
      diskBytes: writtenBytesOf(pid),
    };
  }
}

interface RequesterFigures extends TaskFigures {
  readonly cpuUs: number;
}

/** Runs a requester: it says `warm`, waits for the end of its input, and then says its figures as JSON. */
export async function runRequester<Figures extends TaskFigures>(
  program: string,
  args: readonly string[],
  onWarm: () => Promise<void>,
): Promise<Figures> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const end = (): void => void child.kill();
  process.once('exit', end);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  await lines.next();
  await onWarm();
  goOn(child.stdin);
  const { value: output } = (await lines.next()) as { readonly value?: string };
  const [code] = await closed;
  process.off('exit', end);
  if (code !== 0 || output === undefined) throw new Error(`${path.basename(program)} ended with ${code}`);
  return JSON.parse(output) as Figures;
}

/** One that ended already is told nothing: its exit code says why. */
function goOn(stdin: Writable): void {
  stdin.on('error', () => undefined);
  stdin.end();
}
