/**
 * One attempt in one child: fetching → running ⇄ suspended → ended. It moves to `ended` once, by the child's own report, by a
 * limit that the parent saw exceeded, by the child's death, or by `kill`; the first of them is the outcome.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import { BLOB_BYTES_MAX } from '@plugpool/proto';
import type { Failure, FailureCode, Used } from '@plugpool/proto';
import { readAccounting } from './accounting.ts';
import type { Accounting } from './accounting.ts';
import type { ChildPool } from './child-pool.ts';
import { tailText } from './child-protocol.ts';
import type { ChildDone, ChildJob } from './child-protocol.ts';
import type { Job, JobOutcome, KeptRun, RunningJob } from './port.ts';
import type { ChildEnd, SandboxedChild } from './sandboxed-child.ts';

export interface JobSurroundings {
  readonly pool: ChildPool;
  readonly executionProviders: readonly string[];
  /** Resident memory beyond the job's own limit: engine, compiled code, the copies of input and output. */
  readonly overheadMib: (job: Job, imageBytes: number) => number;
  /** Called with the time from `run` to the program's first instruction. */
  readonly started: (startMs: number) => void;
}

const CHECK_MS_MIN = 2;
const CHECK_MS_MAX = 50;
/** Kernel limits count whole seconds and cost a process to set: only jobs that run this long get them. */
const BACKSTOP_AFTER_MS = 1000;
const BACKSTOP_SLACK_S = 2;
const MIB_BYTES = 1024 * 1024;
const NO_STATE = new Uint8Array();
const NOTHING: Accounting = { cpuMs: 0, rssMib: 0, peakMib: 0, dataMib: 0 };

export class SandboxedJob implements RunningJob {
  readonly outcome: Promise<JobOutcome>;
  readonly #outcome = Promise.withResolvers<JobOutcome>();
  readonly #job: Job;
  readonly #surroundings: JobSurroundings;
  readonly #calledMonoNs = process.hrtime.bigint();
  #child: SandboxedChild | undefined;
  #failed: Failure | undefined;
  #settled = false;
  #baseline: Accounting = NOTHING;
  #latest: Accounting = NOTHING;
  #startedAtMs = 0;
  #suspendedAtMs: number | undefined;
  #suspendedMs = 0;
  #overheadMib = 0;
  #timer: NodeJS.Timeout | undefined;
  #backstopped = false;
  #kept: KeptRun | undefined;

  constructor(job: Job, surroundings: JobSurroundings) {
    this.#job = job;
    this.#surroundings = surroundings;
    this.outcome = this.#outcome.promise;
  }

  start(): void {
    this.#execute().then(
      (outcome) => this.#settle(outcome),
      (error: unknown) => this.#settle(this.#failure('runtime_crashed', String(error))),
    );
  }

  cpuMs(): number {
    this.#account();
    return Math.max(0, Math.round(this.#latest.cpuMs - this.#baseline.cpuMs));
  }

  pids(): readonly number[] {
    return this.#child?.pids() ?? [];
  }

  kept(): KeptRun | undefined {
    return this.#kept;
  }

  suspend(): void {
    if (this.#suspendedAtMs !== undefined || this.#settled) return;
    this.#suspendedAtMs = performance.now();
    clearTimeout(this.#timer);
    this.#child?.suspend();
  }

  resume(): void {
    if (this.#suspendedAtMs === undefined || this.#settled) return;
    if (this.#startedAtMs > 0) {
      this.#suspendedMs += performance.now() - Math.max(this.#suspendedAtMs, this.#startedAtMs);
    }
    this.#suspendedAtMs = undefined;
    this.#child?.resume();
    if (this.#startedAtMs > 0) this.#check();
  }

  stop(): void {
    this.kill();
  }

  kill(): void {
    this.#end('revoked', 'the donor ended it');
  }

  async #execute(): Promise<JobOutcome> {
    // Both at once: a cold child starts while the image is read.
    const [image, child] = await Promise.all([readImage(this.#job.imagePath), this.#take()]);
    if (typeof child === 'string') return this.#failure('sandbox_unavailable', child);
    this.#child = child;
    if (typeof image !== 'string') return this.#runIn(child, image);
    child.kill();
    return this.#failure('image_unavailable', image);
  }

  /** A child that is ready, or why there is none. */
  #take(): Promise<SandboxedChild | string> {
    return this.#surroundings.pool.take().catch((error: unknown) => (error as Error).message);
  }

  async #runIn(child: SandboxedChild, image: Uint8Array): Promise<JobOutcome> {
    try {
      if (!this.#failed) this.#hand(child, image);
      else child.kill();
      return await this.#conclude(child, await child.end);
    } finally {
      clearTimeout(this.#timer);
      child.kill();
    }
  }

  #hand(child: SandboxedChild, image: Uint8Array): void {
    this.#baseline = this.#latest = child.baseline ?? NOTHING;
    this.#overheadMib = this.#surroundings.overheadMib(this.#job, image.byteLength);
    this.#startedAtMs = performance.now();
    if (this.#job.checkpoint) child.onKept((archive) => this.#keep(archive));
    child.send(childJob(this.#job, image, this.#surroundings.executionProviders), [
      image,
      this.#job.input,
      this.#job.checkpoint?.state ?? NO_STATE,
    ]);
    if (this.#suspendedAtMs === undefined) this.#watch(this.#job.limits.cpuMs, this.#job.limits.wallMs);
    else child.suspend();
    setImmediate(() => this.#surroundings.pool.refill());
  }

  /** It was sent in the moment in which it was whole; what the program took since then is a matter of milliseconds. */
  #keep(archive: Uint8Array): void {
    this.#account();
    this.#kept = { archive, used: this.#used() };
  }

  async #conclude(child: SandboxedChild, end: ChildEnd): Promise<JobOutcome> {
    if (end.kind === 'done' && !this.#failed) return this.#report(end.done, end.output);
    // Nothing of a job that was ended from outside is left when it is said to be over.
    child.kill();
    await child.closed;
    if (this.#failed) return this.#failureOf({ ...this.#failed, stderrTail: tailOf(end) });
    if (end.kind === 'flooded') return this.#failure('output_limit', 'the program sent more than its limit');
    return end.kind === 'died' ? this.#explainDeath(end) : this.#failure('runtime_crashed', 'it ended twice');
  }

  #report(done: ChildDone, output: Uint8Array): JobOutcome {
    this.#account();
    const used = this.#used(done);
    const startedNs = BigInt(done.startedMonoNs);
    if (startedNs > 0n) this.#surroundings.started(Number(startedNs - this.#calledMonoNs) / 1e6);
    if (done.ok) return { ok: true, output, used };
    const stderrTail = tailText(Buffer.from(done.stderrTail));
    return { ok: false, failure: { code: done.code, detail: done.detail, stderrTail }, used };
  }

  /** The child never ends by itself without a report: the engine gave up, or the kernel ended it. */
  #explainDeath(end: Extract<ChildEnd, { kind: 'died' }>): JobOutcome {
    const outOfMemory =
      /heap out of memory|Fatal process out of memory|Array buffer allocation|bad_alloc/.test(end.stderrTail);
    const outOfCpu = this.#usedCpuMs() >= this.#job.limits.cpuMs;
    const code = outOfMemory ? 'memory_limit' : outOfCpu ? 'cpu_time_limit' : 'runtime_crashed';
    const hint =
      code === 'runtime_crashed' ? ' (the kernel does so where the vehicle itself has no memory left)' : '';
    return this.#failure(code, `the program's process ${end.how}${hint}`, end.stderrTail);
  }

  #check(): void {
    this.#account();
    const { limits } = this.#job;
    const cpuLeftMs = limits.cpuMs - this.#usedCpuMs();
    const wallLeftMs = limits.wallMs - this.#wallMs();
    const memoryMib = this.#latest.rssMib - this.#baseline.rssMib;
    if (cpuLeftMs <= 0) return this.#end('cpu_time_limit', `it used its ${limits.cpuMs} ms of CPU time`);
    if (wallLeftMs <= 0) return this.#end('wall_time_limit', `it did not end within ${limits.wallMs} ms`);
    if (memoryMib > limits.memoryMib + this.#overheadMib) {
      return this.#end(
        'memory_limit',
        `it took ${Math.ceil(memoryMib)} MiB; its limit is ${limits.memoryMib} MiB`,
      );
    }
    if (!this.#backstopped && this.#wallMs() > BACKSTOP_AFTER_MS) this.#setBackstop();
    this.#watch(cpuLeftMs, wallLeftMs);
  }

  /** It cannot use up its CPU time sooner than on all of its cores at once. */
  #watch(cpuLeftMs: number, wallLeftMs: number): void {
    const soonestMs = Math.min(cpuLeftMs / this.#parallelism(), wallLeftMs, CHECK_MS_MAX);
    this.#timer = setTimeout(() => this.#check(), Math.max(CHECK_MS_MIN, soonestMs));
  }

  /** Two more than granted: the engine compiles beside the program, and a runtime may read while it computes. */
  #parallelism(): number {
    return Math.min(this.#job.threads + 2, os.availableParallelism());
  }

  /** What the kernel holds should this process be stopped or stuck; coarse, and above the limits that are watched here. */
  #setBackstop(): void {
    this.#backstopped = true;
    const pid = this.#child?.computingPid;
    if (pid === undefined) return;
    const { cpuMs, memoryMib } = this.#job.limits;
    const cpuS = Math.ceil((this.#baseline.cpuMs + cpuMs) / 1000) + BACKSTOP_SLACK_S;
    const dataBytes = Math.ceil(this.#baseline.dataMib + 2 * memoryMib + this.#overheadMib) * MIB_BYTES;
    const args = ['--pid', String(pid), `--cpu=${cpuS}`, `--data=${dataBytes}`];
    // A system without prlimit, or a job that has just ended: the watch goes on without.
    execFile('prlimit', args, () => undefined);
  }

  #end(code: FailureCode, detail: string): void {
    if (this.#failed || this.#settled) return;
    this.#failed = { code, detail, stderrTail: '' };
    clearTimeout(this.#timer);
    this.#account();
    this.#child?.kill();
  }

  #account(): void {
    const pid = this.#child?.computingPid;
    this.#latest = (pid === undefined ? undefined : readAccounting(pid)) ?? this.#latest;
  }

  #usedCpuMs(): number {
    return Math.max(0, this.#latest.cpuMs - this.#baseline.cpuMs);
  }

  /** Time that the owner took away by `suspend` is not the job's. */
  #wallMs(): number {
    if (this.#startedAtMs === 0) return 0;
    const until = this.#suspendedAtMs ?? performance.now();
    return Math.max(0, until - this.#startedAtMs - this.#suspendedMs);
  }

  #used(done?: ChildDone): Used {
    const known = this.#latest !== NOTHING;
    return {
      cpuMs: Math.round(known ? this.#usedCpuMs() : (done?.ownCpuMs ?? 0)),
      wallMs: Math.round(this.#wallMs()),
      memoryPeakMib: Math.max(0, Math.ceil(this.#latest.peakMib - this.#baseline.rssMib)),
      gpuMs: this.#job.gpu ? Math.round(done?.gpuMs ?? 0) : 0,
    };
  }

  #failure(code: FailureCode, detail: string, stderrTail = ''): JobOutcome {
    return this.#failureOf(this.#failed ?? { code, detail, stderrTail });
  }

  #failureOf(failure: Failure): JobOutcome {
    return { ok: false, failure, used: this.#used() };
  }

  #settle(outcome: JobOutcome): void {
    this.#settled = true;
    this.#outcome.resolve(outcome);
  }
}

function tailOf(end: ChildEnd): string {
  if (end.kind === 'died') return end.stderrTail;
  return end.kind === 'done' ? tailText(Buffer.from(end.done.stderrTail)) : '';
}

function childJob(job: Job, image: Uint8Array, executionProviders: readonly string[]): ChildJob {
  return {
    imageBytes: image.byteLength,
    inputBytes: job.input.byteLength,
    stateBytes: job.checkpoint?.state?.byteLength ?? 0,
    keepsState: job.checkpoint !== undefined,
    args: job.args,
    env: Object.entries(job.env).map(([name, value]) => `${name}=${value}`),
    seedHex: Buffer.from(job.seed).toString('hex'),
    limits: job.limits,
    threads: job.threads,
    gpu: job.gpu,
    executionProviders,
  };
}

/** The image, or why there is none. */
async function readImage(imagePath: string): Promise<Uint8Array | string> {
  try {
    const { size } = await fs.stat(imagePath);
    if (size > BLOB_BYTES_MAX) return `the image has ${size} bytes; at most ${BLOB_BYTES_MAX} are allowed`;
    return await fs.readFile(imagePath);
  } catch (error) {
    return `the image cannot be read: ${(error as Error).message}`;
  }
}
