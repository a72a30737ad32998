/** The survey itself, as a program of its own: prints one JSON object, the hardware profile, and ends. */
import os from 'node:os';
import si from 'systeminformation';
import { GPUS_MAX, type GpuCapacity, type HardwareProfile } from '@plugpool/proto';
import {
  KERNEL_CHECKSUM,
  KERNEL_ITERATIONS,
  KERNEL_RUNS,
  KERNEL_WARM_UP_RUNS,
  runKernel,
  speedMillisOf,
} from '../core/kernel.ts';
import { readNvidiaGpus } from './gpu-nvidia.ts';

const TEXT_CHARS_MAX = 128;
const MIB = 1024 * 1024;

const [cpu, platform, gpus] = await Promise.all([si.cpu(), si.osInfo(), surveyGpus()]);
const profile: HardwareProfile = {
  cpuModel: (os.cpus()[0]?.model || `${cpu.manufacturer} ${cpu.brand}`).slice(0, TEXT_CHARS_MAX),
  cores: os.availableParallelism(),
  clockMhz: Math.round((cpu.speed || 0) * 1000) || (os.cpus()[0]?.speed ?? 0),
  memoryMib: Math.floor(usableMemoryBytes() / MIB),
  gpus,
  speedMillis: measureSpeed(),
  platform: `${process.platform}/${process.arch} ${platform.distro} ${platform.release}`
    .trim()
    .slice(0, TEXT_CHARS_MAX),
};
process.stdout.write(`${JSON.stringify(profile)}\n`);

/** A container's limit counts as the machine's memory. */
function usableMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(os.totalmem(), constrained) : os.totalmem();
}

/** With nvidia-smi's names where it is there, since those tell the devices that can be lent; else as the system lists them. */
async function surveyGpus(): Promise<GpuCapacity[]> {
  const lendable = await readNvidiaGpus(new Set(), new AbortController().signal);
  if (lendable.length > 0) {
    return lendable
      .slice(0, GPUS_MAX)
      .map(({ deviceId, model, vramMib }) => ({ deviceId, model, shareMillis: 1000, vramMib }));
  }
  const { controllers } = await si.graphics();
  return controllers
    .filter((controller) => controller.model !== '')
    .slice(0, GPUS_MAX)
    .map((controller, index) => ({
      deviceId: (controller.busAddress || `gpu-${index}`).slice(0, TEXT_CHARS_MAX),
      model: controller.model.slice(0, TEXT_CHARS_MAX),
      shareMillis: 1000,
      vramMib: Math.max(0, Math.round(controller.vram ?? 0)),
    }));
}

/** By this thread's own CPU time: what else runs on the machine does not make its core look slow. */
function measureSpeed(): number {
  const elapsedMs: number[] = [];
  for (let run = 0; run < KERNEL_WARM_UP_RUNS + KERNEL_RUNS; run++) {
    const before = process.threadCpuUsage();
    const checksum = runKernel(KERNEL_ITERATIONS);
    const { user, system } = process.threadCpuUsage(before);
    if (checksum !== KERNEL_CHECKSUM)
      throw new Error(`the kernel computed ${checksum} instead of ${KERNEL_CHECKSUM}`);
    if (run >= KERNEL_WARM_UP_RUNS) elapsedMs.push((user + system) / 1000);
  }
  return speedMillisOf(KERNEL_ITERATIONS, elapsedMs);
}
