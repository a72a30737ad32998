/** A runtime whose programs count, keep how far they are, and go on from there when they are given it. */
import assert from 'node:assert/strict';
import { systemClock } from '../../../vehicle-client/adapters/clock-system.ts';
import { packCheckpoint, unpackCheckpoint } from '../../../vehicle-client/runtimes/checkpoint-archive.ts';
import type { Job, JobOutcome, KeptRun, Runtime, RunningJob } from '../../../vehicle-client/runtimes/port.ts';

export const STEPS = 20;
const STEP_MS = 50;

export class KeepingRuntime implements Runtime {
  readonly kind = 'wasm';

  start(): Promise<void> {
    return Promise.resolve();
  }

  run(job: Job): RunningJob {
    return new CountingRun(job);
  }

  idlePids(): readonly number[] {
    return [];
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

class CountingRun implements RunningJob {
  readonly outcome: Promise<JobOutcome>;
  readonly #settle = Promise.withResolvers<JobOutcome>();
  readonly #input: Uint8Array;
  /** Where this run began; what was done before is another's. */
  readonly #from: number;
  #step: number;
  #kept: KeptRun | undefined;
  #cancel: () => void = () => undefined;

  constructor({ input, checkpoint }: Job) {
    this.outcome = this.#settle.promise;
    this.#input = input;
    this.#from = stepIn(checkpoint?.state);
    this.#step = this.#from;
    this.#goOn();
  }

  cpuMs(): number {
    return (this.#step - this.#from) * STEP_MS;
  }

  pids(): readonly number[] {
    return [];
  }

  kept(): KeptRun | undefined {
    return this.#kept;
  }

  suspend(): void {
    this.#cancel();
  }

  resume(): void {
    this.#goOn();
  }

  stop(): void {}

  kill(): void {
    this.#cancel();
    const failure = { code: 'revoked', detail: 'killed', stderrTail: '' } as const;
    this.#settle.resolve({ ok: false, failure, used: this.#used() });
  }

  #goOn(): void {
    this.#cancel = systemClock.setTimer(STEP_MS, () => this.#stepped());
  }

  #stepped(): void {
    this.#step += 1;
    if (this.#step < STEPS) {
      this.#kept = { archive: archiveOf(this.#step), used: this.#used() };
      return this.#goOn();
    }
    const output = Buffer.concat([this.#input, Buffer.from(`, begun at ${this.#from}`)]);
    this.#settle.resolve({ ok: true, output, used: this.#used() });
  }

  #used() {
    return { cpuMs: this.cpuMs(), wallMs: this.cpuMs(), memoryPeakMib: 1, gpuMs: 0 };
  }
}

function archiveOf(step: number): Uint8Array {
  const packed = packCheckpoint([{ path: 'step', bytes: Buffer.from(String(step)) }]);
  assert.ok(packed.ok);
  return packed.archive;
}

function stepIn(state: Uint8Array | undefined): number {
  if (state === undefined) return 0;
  const unpacked = unpackCheckpoint(state);
  assert.ok(unpacked.ok, 'the pile gives back what it was given');
  return Number(Buffer.from(unpacked.files[0]?.bytes ?? []).toString());
}
