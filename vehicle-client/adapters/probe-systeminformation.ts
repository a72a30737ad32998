/**
 * What this machine leaves idle, looked at every two seconds. Load and memory of this client's own process tree count as idle:
 * what is lent must not look like the owner's own use.
 *
 * On Linux the looks read /proc and /sys directly (under a millisecond of work); elsewhere they ask systeminformation, which
 * starts processes. Looks never overlap, and none is made while a message is handled.
 */
import os from 'node:os';
import type { HardwareProfile } from '@plugpool/proto';
import type { GpuSample, ProbeSample } from '../core/policy.ts';
import type { Clock, Log, Probe } from '../ports.ts';
import { readNvidiaGpus } from './gpu-nvidia.ts';
import { surveyHardware } from './hardware-survey.ts';
import {
  TICKS_PER_SEC,
  findTemperatureFiles,
  readAvailableMib,
  readCpuTicks,
  readHottestC,
  readTreeUse,
  type CpuTicks,
} from './linux-proc.ts';

export const SAMPLE_EVERY_MS = 2_000;
/** The first look after the start: load is a difference of two. */
const FIRST_SAMPLE_AFTER_MS = 300;
const GPU_SAMPLE_EVERY_MS = 10_000;
/** Processor time is taken back only when others used it in so many looks in a row: a spike is not the owner at work. */
const BUSY_LOOKS = 3;
const MIB = 1024 * 1024;

export interface SystemProbeOptions {
  /** Where the survey of the hardware is kept. */
  readonly surveyPath: string;
  /** Processes whose trees count as this client's own, beside its own tree. */
  readonly ownRootPids?: readonly number[];
  readonly sampleEveryMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

interface Look {
  readonly cpu: CpuTicks;
  readonly ownTicks: number;
}

export class SystemProbe implements Probe {
  readonly #options: SystemProbeOptions;
  readonly #rootPids: readonly number[];
  readonly #callbacks: (() => void)[] = [];
  #hardware: HardwareProfile | undefined;
  #temperatureFiles: readonly string[] = [];
  #previous: Look | undefined;
  #recentOthersMillicores: readonly number[] = [];
  #latest: ProbeSample | undefined;
  #gpus: readonly GpuSample[] = [];
  #gpusReadMonoMs = -Infinity;
  #cancelTimer: (() => void) | undefined;
  #abort = new AbortController();
  #looking: Promise<void> | undefined;

  constructor(options: SystemProbeOptions) {
    this.#options = options;
    this.#rootPids = [process.pid, ...(options.ownRootPids ?? [])];
  }

  async start(signal: AbortSignal): Promise<HardwareProfile> {
    this.#abort = new AbortController();
    this.#hardware = await surveyHardware(
      this.#options.surveyPath,
      AbortSignal.any([signal, this.#abort.signal]),
    );
    this.#temperatureFiles = findTemperatureFiles();
    await this.#look();
    await this.#wait(FIRST_SAMPLE_AFTER_MS);
    await this.#look();
    this.#planLook();
    return this.#hardware;
  }

  latest(): ProbeSample | undefined {
    return this.#latest;
  }

  onSample(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#cancelTimer?.();
    await this.#looking;
  }

  #planLook(): void {
    if (this.#abort.signal.aborted) return;
    this.#cancelTimer = this.#options.clock.setTimer(this.#options.sampleEveryMs ?? SAMPLE_EVERY_MS, () => {
      this.#looking = this.#lookAndPlan();
    });
  }

  async #lookAndPlan(): Promise<void> {
    try {
      await this.#look();
      for (const callback of this.#callbacks) callback();
    } catch (error) {
      // The last sample grows old, the pile holds the capacity for stale: nothing is lent on a guess.
      if (!this.#abort.signal.aborted)
        this.#options.log.warn({ err: error }, 'the machine could not be measured');
    } finally {
      this.#planLook();
    }
  }

  async #look(): Promise<void> {
    if (process.platform === 'linux') await this.#lookAtLinux();
    else await this.#lookElsewhere();
  }

  async #lookAtLinux(): Promise<void> {
    const own = readTreeUse(this.#rootPids);
    const look: Look = { cpu: readCpuTicks(), ownTicks: own.ticks };
    const availableMib = readAvailableMib() ?? Math.floor(os.freemem() / MIB);
    await this.#readGpus(own.pids);
    const previous = this.#previous;
    this.#previous = look;
    if (previous === undefined) return;
    this.#keep(
      othersMillicores(previous, look),
      availableMib + own.residentMib,
      readHottestC(this.#temperatureFiles),
    );
  }

  /** Without a process tree to ask for, only this process's own use is left out. */
  async #lookElsewhere(): Promise<void> {
    const { default: si } = await import('systeminformation');
    const [load, memory, temperature] = await Promise.all([si.currentLoad(), si.mem(), si.cpuTemperature()]);
    await this.#readGpus(new Set([process.pid]));
    const { user, system } = process.cpuUsage();
    const look: Look = {
      cpu: { busy: 0, total: 0 },
      ownTicks: ((user + system) / 1_000_000) * TICKS_PER_SEC,
    };
    const previous = this.#previous;
    this.#previous = look;
    const cores = os.cpus().length;
    const ownMillicores =
      previous === undefined
        ? 0
        : ((look.ownTicks - previous.ownTicks) * 1000) / (SAMPLE_EVERY_MS / 1000) / TICKS_PER_SEC;
    const others = Math.max(0, (load.currentLoad / 100) * cores * 1000 - ownMillicores);
    // Its types say number, and where there is no sensor it gives null.
    const hottestC = temperature.max as number | null;
    this.#keep(others, (memory.available + process.memoryUsage.rss()) / MIB, hottestC ?? undefined);
  }

  async #readGpus(ownPids: ReadonlySet<number>): Promise<void> {
    const nowMonoMs = this.#options.clock.monoMs();
    const hasGpus = (this.#hardware?.gpus.length ?? 0) > 0;
    if (!hasGpus || nowMonoMs - this.#gpusReadMonoMs < GPU_SAMPLE_EVERY_MS) return;
    this.#gpusReadMonoMs = nowMonoMs;
    this.#gpus = await readNvidiaGpus(ownPids, this.#abort.signal);
  }

  #keep(othersMillicoresUsed: number, idleMib: number, temperatureC: number | undefined): void {
    const { cores, memoryMib } = this.#hardware as HardwareProfile;
    this.#recentOthersMillicores = [...this.#recentOthersMillicores, othersMillicoresUsed].slice(-BUSY_LOOKS);
    const sustained = Math.min(...this.#recentOthersMillicores);
    this.#latest = {
      cpuTotalMillicores: cores * 1000,
      cpuUsedByOthersMillicores: Math.round(Math.min(cores * 1000, Math.max(0, sustained))),
      memoryTotalMib: memoryMib,
      memoryIdleMib: Math.floor(Math.min(memoryMib, idleMib)),
      gpus: this.#gpus,
      ...(temperatureC === undefined ? {} : { temperatureC }),
      load1: os.loadavg()[0] ?? 0,
    };
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#cancelTimer = this.#options.clock.setTimer(delayMs, resolve);
    });
  }
}

/** What all processes but our own used between two looks. Ticks of a process whose parent never waited for it vanish: not below 0. */
function othersMillicores(before: Look, after: Look): number {
  const totalTicks = after.cpu.total - before.cpu.total;
  if (totalTicks <= 0) return 0;
  const othersTicks = after.cpu.busy - before.cpu.busy - Math.max(0, after.ownTicks - before.ownTicks);
  return Math.max(0, (othersTicks / totalTicks) * os.cpus().length * 1000);
}
