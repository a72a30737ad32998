/** What the vehicle client's tests put in the place of the machine and of programs that take their time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { HardwareProfile, RuntimeKind } from '@plugpool/proto';
import type { ProbeSample } from '../../vehicle-client/core/policy.ts';
import type { DonorOptions } from '../../vehicle-client/start-donor.ts';
import type { Probe } from '../../vehicle-client/ports.ts';
import type { Job, JobOutcome, KeptRun, Runtime, RunningJob } from '../../vehicle-client/runtimes/port.ts';
import { EchoRuntime } from '../../vehicle-client/runtimes/echo/runtime.ts';

export const HARDWARE: HardwareProfile = {
  cpuModel: 'a cpu',
  cores: 4,
  clockMhz: 3000,
  memoryMib: 8192,
  gpus: [],
  speedMillis: 1000,
  platform: 'linux/x64',
};

export const SAMPLE: ProbeSample = {
  cpuTotalMillicores: 4000,
  cpuUsedByOthersMillicores: 0,
  memoryTotalMib: 8192,
  memoryIdleMib: 8192,
  gpus: [],
  load1: 0,
};

/** Tells what the test sets, when the test says so. */
export class ToldProbe implements Probe {
  sample: ProbeSample = SAMPLE;
  #callbacks: (() => void)[] = [];

  start(): Promise<HardwareProfile> {
    return Promise.resolve(HARDWARE);
  }

  latest(): ProbeSample {
    return this.sample;
  }

  onSample(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  tell(sample: ProbeSample): void {
    this.sample = sample;
    for (const callback of this.#callbacks) callback();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

interface HeldJob {
  readonly job: Job;
  readonly end: (output: Uint8Array) => void;
  wasKilled: boolean;
  /** What it has computed. */
  cpuMs: number;
  /** What it says that it kept. */
  kept: KeptRun | undefined;
  readonly signals: ('suspend' | 'resume')[];
}

/** Jobs that end when the test says so, or when they are killed. */
export class HeldRuntime implements Runtime {
  readonly kind = 'wasm';
  readonly jobs: HeldJob[] = [];
  #arrivals: (() => void)[] = [];
  #kills: (() => void)[] = [];

  start(): Promise<void> {
    return Promise.resolve();
  }

  run(job: Job): RunningJob {
    const outcome = Promise.withResolvers<JobOutcome>();
    const used = () => ({ cpuMs: held.cpuMs, wallMs: 9, memoryPeakMib: 3, gpuMs: 0 });
    const held: HeldJob = {
      job,
      end: (output: Uint8Array) => outcome.resolve({ ok: true, output, used: used() }),
      wasKilled: false,
      cpuMs: 7,
      kept: undefined,
      signals: [],
    };
    this.jobs.push(held);
    for (const arrive of this.#arrivals.splice(0)) arrive();
    const end = (): void => {
      held.wasKilled = true;
      outcome.resolve({
        ok: false,
        failure: { code: 'revoked', detail: 'killed', stderrTail: '' },
        used: used(),
      });
      for (const told of this.#kills.splice(0)) told();
    };
    return {
      outcome: outcome.promise,
      cpuMs: () => held.cpuMs,
      pids: () => [],
      kept: () => held.kept,
      suspend: () => this.#signalled(held, 'suspend'),
      resume: () => this.#signalled(held, 'resume'),
      stop: end,
      kill: end,
    };
  }

  idlePids(): readonly number[] {
    return [];
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  #signalled(held: HeldJob, signal: 'suspend' | 'resume'): void {
    held.signals.push(signal);
    for (const told of this.#kills.splice(0)) told();
  }

  async signalled(index: number, count: number): Promise<void> {
    while ((this.jobs[index]?.signals.length ?? 0) < count)
      await new Promise<void>((resolve) => this.#kills.push(resolve));
  }

  async started(count: number): Promise<void> {
    while (this.jobs.length < count) await new Promise<void>((resolve) => this.#arrivals.push(resolve));
  }

  async killed(index: number): Promise<void> {
    while (this.jobs[index]?.wasKilled !== true)
      await new Promise<void>((resolve) => this.#kills.push(resolve));
  }
}

export function runtimesOf(...runtimes: Runtime[]): ReadonlyMap<RuntimeKind, Runtime> {
  return new Map(runtimes.map((runtime) => [runtime.kind, runtime]));
}

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'plugpool-vehicle-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A donor that lends all of a made-up machine. */
export function donorOptions(agent: string, dataDir: string, over: Partial<DonorOptions> = {}): DonorOptions {
  return {
    agent,
    vehicle: 'lender',
    dataDir,
    token: 'a-token-of-the-lender',
    sandbox: 'process',
    runtimes: ['echo'],
    warmChildren: { wasm: 0, onnx: 0 },
    executionProviders: [],
    cacheBytesMax: 1024 * 1024 * 1024,
    policy: {
      cpuPercent: 100,
      memoryPercent: 100,
      gpuPercent: 100,
      socFloorPercent: 20,
      temperatureMaxC: 90,
      hours: [],
      chargingOnly: false,
      computingPowerW: 100,
      allowedAlgorithms: [],
    },
    signals: { adapter: 'static', values: {} },
    probeSettings: { sampleEveryMs: 2000, ownRootPids: [] },
    probe: new ToldProbe(),
    energy: 'off',
    runtimesInstead: runtimesOf(new EchoRuntime()),
    ...over,
  };
}
