/** Returns its input at once, in this process: for benches, and to check a new installation without any algorithm. */
import type { Job, JobOutcome, Runtime, RunningJob } from '../port.ts';

const NOTHING_USED = { cpuMs: 0, wallMs: 0, memoryPeakMib: 0, gpuMs: 0 };

export class EchoRuntime implements Runtime {
  readonly kind = 'echo';

  start(signal: AbortSignal): Promise<void> {
    return Promise.resolve().then(() => signal.throwIfAborted());
  }

  run(job: Job): RunningJob {
    return new EchoJob(job);
  }

  idlePids(): readonly number[] {
    return [];
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

/** Over before anybody can suspend or kill it. */
class EchoJob implements RunningJob {
  readonly outcome: Promise<JobOutcome>;

  constructor(job: Job) {
    this.outcome = Promise.resolve(echo(job));
  }

  cpuMs(): number {
    return 0;
  }

  pids(): readonly number[] {
    return [];
  }

  kept(): undefined {}

  suspend(): void {}

  resume(): void {}

  stop(): void {}

  kill(): void {}
}

function echo(job: Job): JobOutcome {
  if (job.input.byteLength <= job.limits.outputBytes)
    return { ok: true, output: job.input, used: NOTHING_USED };
  const detail = `the output is larger than ${job.limits.outputBytes} bytes`;
  return { ok: false, failure: { code: 'output_limit', detail, stderrTail: '' }, used: NOTHING_USED };
}
