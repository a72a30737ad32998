/**
 * BullMQ on a Redis of its own, as many processes as the pile of bench/echo-scene.ts: a server, two workers, a producer. It
 * gets what makes it fast: a Unix socket, nothing but its log in the directory, and the better of two settings of its workers.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { runRequester, WARM_UP_MS, type TaskFigures } from './echo-scene.ts';

const PACKAGE_DIR = path.join(import.meta.dirname, 'bullmq');
const WORKERS = 2;
/** Jobs of one worker at once. Few are fastest for jobs that take no time; as many as wait is what a queue of long ones needs. */
const FEW_JOBS = 8;
const TRIAL_TASKS = 2_000;
const READY_MS = 10_000;
const POLL_MS = 20;

export type BullmqSystem = 'bullmq-synced' | 'bullmq-volatile';

/** The last lines of redis.conf decide whether a write is on the disk before it is answered. */
const PERSISTENCE: Readonly<Record<BullmqSystem, readonly string[]>> = {
  'bullmq-synced': ['--appendonly', 'yes', '--appendfsync', 'always'],
  'bullmq-volatile': ['--appendonly', 'no'],
};

/** What must be done before it can be compared with; undefined where it can be. */
export function whyNoBullmq(): string | undefined {
  if (!existsSync(path.join(PACKAGE_DIR, 'node_modules', 'bullmq')))
    return 'BullMQ is not installed: npm ci --prefix bench/bullmq';
  const { status } = spawnSync('redis-server', ['--version'], { stdio: 'ignore' });
  if (status === 0) return undefined;
  return 'there is no redis-server: on Debian apt-get install redis-server, then systemctl disable --now redis-server';
}

export class BullmqScene {
  readonly #system: BullmqSystem;
  readonly #env: Readonly<Record<string, string>>;
  /** Beside the directories of the agent: on the same disk. */
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'plugpool-bullmq-'));
  readonly #log: number;
  #redis: ChildProcess | undefined;
  #workers: readonly ChildProcess[] = [];
  readonly #jobsAWorker = new Map<number, number>();

  /** `env` is added to the environment of Redis. */
  constructor(system: BullmqSystem, env: Readonly<Record<string, string>>) {
    this.#system = system;
    this.#env = env;
    this.#log = openSync(path.join(this.#dir, 'log'), 'a');
  }

  get #socket(): string {
    return path.join(this.#dir, 'redis.sock');
  }

  async start(): Promise<void> {
    const where = ['--port', '0', '--unixsocket', this.#socket, '--dir', this.#dir];
    const redis = spawn('redis-server', [...where, '--save', '', ...PERSISTENCE[this.#system]], {
      stdio: ['ignore', this.#log, this.#log],
      env: { ...process.env, ...this.#env },
    });
    this.#redis = redis;
    const endMs = performance.now() + READY_MS;
    while (!existsSync(this.#socket)) {
      if (redis.exitCode !== null || performance.now() > endMs)
        throw new Error(`redis-server did not start: ${readFileSync(path.join(this.#dir, 'log'), 'utf8')}`);
      await delay(POLL_MS);
    }
  }

  /** A producer of its own that keeps `concurrency` jobs under way. */
  async ask(concurrency: number, tasks: number): Promise<TaskFigures & { readonly jobsAWorker: number }> {
    const jobsAWorker = this.#jobsAWorker.get(concurrency) ?? (await this.#fasterSetting(concurrency));
    this.#jobsAWorker.set(concurrency, jobsAWorker);
    return { ...(await this.#askWith(jobsAWorker, concurrency, tasks)), jobsAWorker };
  }

  async #fasterSetting(concurrency: number): Promise<number> {
    const enough = Math.ceil(concurrency / WORKERS);
    if (enough <= FEW_JOBS) return enough;
    const few = await this.#askWith(FEW_JOBS, concurrency, TRIAL_TASKS);
    const many = await this.#askWith(enough, concurrency, TRIAL_TASKS);
    return few.tasksPerSec > many.tasksPerSec ? FEW_JOBS : enough;
  }

  async #askWith(jobsAWorker: number, concurrency: number, tasks: number): Promise<TaskFigures> {
    await this.#startWorkers(jobsAWorker);
    const args = [this.#socket, concurrency, tasks, WARM_UP_MS].map(String);
    const program = path.join(PACKAGE_DIR, 'requester.js');
    const figures = await runRequester<TaskFigures>(program, args, () => Promise.resolve());
    await this.#stopWorkers();
    return figures;
  }

  async #startWorkers(jobsAWorker: number): Promise<void> {
    const program = path.join(PACKAGE_DIR, 'worker.js');
    const workers = Array.from({ length: WORKERS }, () =>
      spawn(process.execPath, [program, this.#socket, String(jobsAWorker)], {
        stdio: ['ignore', 'pipe', this.#log],
      }),
    );
    this.#workers = workers;
    await Promise.all(workers.map(({ stdout }) => once(stdout as Readable, 'data')));
  }

  async #stopWorkers(): Promise<void> {
    await Promise.all(this.#workers.map(end));
    this.#workers = [];
  }

  async stop(): Promise<void> {
    await this.#stopWorkers();
    if (this.#redis !== undefined) await end(this.#redis);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}
