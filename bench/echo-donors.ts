/**
 * Donors of the echo runtime, as many as asked for in one process: `URL DIR VEHICLE_ID…`. Each has its own real connection, data
 * directory and conversation; the machine they speak of is made up, so that a bench does not depend on what else runs here.
 */
import path from 'node:path';
import type { HardwareProfile } from '@plugpool/proto';
import { startDonor } from '@plugpool/vehicle-client';
import type { ProbeSample } from '../vehicle-client/core/policy.ts';
import type { Probe } from '../vehicle-client/ports.ts';

const CORES = 4;
const MEMORY_MIB = 8192;
const SAMPLE_EVERY_MS = 2_000;

const HARDWARE: HardwareProfile = {
  cpuModel: 'made up',
  cores: CORES,
  clockMhz: 2000,
  memoryMib: MEMORY_MIB,
  gpus: [],
  speedMillis: 1000,
  platform: 'linux/x64',
};

const SAMPLE: ProbeSample = {
  cpuTotalMillicores: CORES * 1000,
  cpuUsedByOthersMillicores: 0,
  memoryTotalMib: MEMORY_MIB,
  memoryIdleMib: MEMORY_MIB,
  gpus: [],
  load1: 0,
};

/** A machine that nobody else uses. */
class MadeUpProbe implements Probe {
  #timer: NodeJS.Timeout | undefined;
  readonly #callbacks: (() => void)[] = [];

  start(): Promise<HardwareProfile> {
    this.#timer = setInterval(() => {
      for (const callback of this.#callbacks) callback();
    }, SAMPLE_EVERY_MS);
    return Promise.resolve(HARDWARE);
  }

  latest(): ProbeSample {
    return SAMPLE;
  }

  onSample(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  stop(): Promise<void> {
    clearInterval(this.#timer);
    return Promise.resolve();
  }
}

const [agent = '', dir = '', ...vehicleIds] = process.argv.slice(2);
const donors = await Promise.all(
  vehicleIds.map((vehicle) =>
    startDonor({
      agent,
      vehicle,
      dataDir: path.join(dir, vehicle),
      sandbox: 'process',
      runtimes: ['echo'],
      warmChildren: { wasm: 0, onnx: 0 },
      executionProviders: [],
      energy: 'off',
      cacheBytesMax: 1024 * 1024,
      policy: {
        cpuPercent: 80,
        memoryPercent: 50,
        gpuPercent: 80,
        socFloorPercent: 20,
        temperatureMaxC: 85,
        hours: [],
        chargingOnly: false,
        computingPowerW: 0,
        allowedAlgorithms: [],
      },
      signals: { adapter: 'static', values: {} },
      probeSettings: { sampleEveryMs: SAMPLE_EVERY_MS, ownRootPids: [] },
      probe: new MadeUpProbe(),
    }),
  ),
);
process.once('SIGTERM', () => {
  void Promise.all(donors.map((donor) => donor.stop())).then(() => process.exit(0));
});
