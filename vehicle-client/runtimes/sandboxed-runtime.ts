/** A runtime whose every job has a child process of its own in a sandbox, taken from a pool of warm ones. */
import assert from 'node:assert/strict';
import type { RuntimeKind } from '@plugpool/proto';
import { ChildPool } from './child-pool.ts';
import type { Job, Runtime, RunningJob } from './port.ts';
import type { Sandbox } from './sandbox.ts';
import { SandboxedJob } from './sandboxed-job.ts';
import { stageProgram } from './stage.ts';
import type { ChildProgram, StagedProgram } from './stage.ts';

export interface SandboxedRuntimeOptions {
  readonly kind: RuntimeKind;
  readonly program: ChildProgram;
  /** Asked for at start; several runtimes share one answer. */
  readonly sandbox: () => Promise<Sandbox>;
  readonly warmChildren: number;
  readonly executionProviders: readonly string[];
  readonly overheadMib: (job: Job, imageBytes: number) => number;
  readonly started: (startMs: number) => void;
}

export class SandboxedRuntime implements Runtime {
  readonly kind: RuntimeKind;
  readonly #options: SandboxedRuntimeOptions;
  readonly #jobs = new Set<RunningJob>();
  #staged: StagedProgram | undefined;
  #pool: ChildPool | undefined;

  constructor(options: SandboxedRuntimeOptions) {
    this.kind = options.kind;
    this.#options = options;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { program, warmChildren } = this.#options;
    const sandbox = await this.#options.sandbox();
    this.#staged = await stageProgram(program);
    try {
      this.#pool = new ChildPool(await sandbox.command(program, this.#staged), warmChildren);
      await this.#pool.start();
      signal.throwIfAborted();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  run(job: Job): RunningJob {
    assert(this.#pool, 'a runtime runs jobs between start and stop');
    const { executionProviders, overheadMib, started } = this.#options;
    const running = new SandboxedJob(job, { pool: this.#pool, executionProviders, overheadMib, started });
    this.#jobs.add(running);
    void running.outcome.then(() => this.#jobs.delete(running));
    running.start();
    return running;
  }

  idlePids(): readonly number[] {
    return this.#pool?.idlePids() ?? [];
  }

  async stop(): Promise<void> {
    const jobs = [...this.#jobs];
    for (const job of jobs) job.kill();
    await Promise.all(jobs.map((job) => job.outcome));
    await this.#pool?.stop();
    await this.#staged?.remove();
    this.#pool = undefined;
    this.#staged = undefined;
  }
}
