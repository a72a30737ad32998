/** What runs a stranger's algorithm on this vehicle; types only, implemented by one folder a runtime. */
import type { Failure, RunLimits, RuntimeKind, Used } from '@plugpool/proto';

/** One attempt, with everything it needs already on this vehicle. */
export interface Job {
  /** For logs only. */
  readonly name: string;
  /** Path of the verified image in the cache (read-only for the runtime). */
  readonly imagePath: string;
  readonly args: readonly string[];
  /** What the program finds as its environment, and all of it (wasm; a model has none). */
  readonly env: Readonly<Record<string, string>>;
  /** What the program reads from standard input (wasm) or its input tensors (onnx; see runtimes/onnx). */
  readonly input: Uint8Array;
  /** Absent: what it keeps is of use to nobody. */
  readonly checkpoint?: JobCheckpoint;
  readonly limits: RunLimits;
  /** Seeds what the program sees as randomness. 16 bytes. */
  readonly seed: Uint8Array;
  /** Threads that the grant allows the runtime to use. */
  readonly threads: number;
  /** True where the grant includes a GPU. */
  readonly gpu: boolean;
}

export interface JobCheckpoint {
  /** What an earlier run kept, to go on from (checkpoint-archive.ts, unpacked once to see that it can be); absent: from the start. */
  readonly state?: Uint8Array;
}

export type JobOutcome =
  | { readonly ok: true; readonly output: Uint8Array; readonly used: Used }
  | { readonly ok: false; readonly failure: Failure; readonly used: Used };

/** What a run has kept so far. */
export interface KeptRun {
  /** As checkpoint-archive.ts has it. */
  readonly archive: Uint8Array;
  /** What it took to get there. */
  readonly used: Used;
}

export interface RunningJob {
  /** Settles once, never rejects: what goes wrong is an outcome. After `kill` it settles with `revoked`. */
  readonly outcome: Promise<JobOutcome>;
  /** CPU time so far of the job's process tree; 0 for a runtime without a process of its own. */
  cpuMs(): number;
  /** Process ids of the tree, so that the probe leaves their load out. */
  pids(): readonly number[];
  /** The last state that the program kept whole; undefined before the first. Outlives the run. */
  kept(): KeptRun | undefined;
  /** Stops the whole process group where it is: its processor is free, its memory is not. */
  suspend(): void;
  resume(): void;
  /** Asks the program to end by itself. Those that cannot hear it are ended: no WASI module and no model can. */
  stop(): void;
  /** Ends the whole process group at once. */
  kill(): void;
}

/**
 * Contract: `start` prepares (checks the sandbox, warms children) and rejects with an error that says what to do where it
 * cannot; `run` may be called any number of times at once; `stop` kills what still runs and leaves no process behind.
 */
export interface Runtime {
  readonly kind: RuntimeKind;
  start(signal: AbortSignal): Promise<void>;
  run(job: Job): RunningJob;
  /** Process ids of idle (warm) children. */
  idlePids(): readonly number[];
  stop(): Promise<void>;
}
