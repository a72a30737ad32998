/** A runtime whose programs give their input backwards after a while: runs are under way whenever something falls. */
import { systemClock } from '../../../vehicle-client/adapters/clock-system.ts';
import type { Job, JobOutcome, Runtime, RunningJob } from '../../../vehicle-client/runtimes/port.ts';

const USED = { cpuMs: 5, wallMs: 50, memoryPeakMib: 1, gpuMs: 0 };

export interface SlowRuntimeOptions {
  readonly runMs: number;
  readonly begun?: () => void;
  readonly computed?: () => void;
}

export class SlowRuntime implements Runtime {
  readonly kind = 'wasm';
  readonly #options: SlowRuntimeOptions;

  constructor(options: SlowRuntimeOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  run({ input }: Job): RunningJob {
    const outcome = Promise.withResolvers<JobOutcome>();
    const cancel = systemClock.setTimer(this.#options.runMs, () => {
      this.#options.computed?.();
      outcome.resolve({ ok: true, output: backwards(input), used: USED });
    });
    this.#options.begun?.();
    return {
      outcome: outcome.promise,
      cpuMs: () => USED.cpuMs,
      pids: () => [],
      kept: () => undefined,
      suspend: () => undefined,
      resume: () => undefined,
      stop: () => undefined,
      kill: () => {
        cancel();
        const failure = { code: 'revoked', detail: 'killed', stderrTail: '' } as const;
        outcome.resolve({ ok: false, failure, used: USED });
      },
    };
  }

  idlePids(): readonly number[] {
    return [];
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

export function backwards(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.toReversed());
}
