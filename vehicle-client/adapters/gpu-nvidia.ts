/** What `nvidia-smi` says of the GPUs that can be lent: a process of tens of milliseconds, so asked seldom. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { GpuSample } from '../core/policy.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 5_000;
const DEVICE_FIELDS = 'uuid,name,memory.total,memory.used,utilization.gpu';
const APP_FIELDS = 'gpu_uuid,pid,used_memory';

interface AppUse {
  readonly deviceId: string;
  readonly pid: number;
  readonly memoryMib: number;
}

/** Empty where there is no such tool or no such device. */
export async function readNvidiaGpus(
  ownPids: ReadonlySet<number>,
  signal: AbortSignal,
): Promise<GpuSample[]> {
  const [devices, apps] = await Promise.all([
    query(`--query-gpu=${DEVICE_FIELDS}`, signal),
    query(`--query-compute-apps=${APP_FIELDS}`, signal),
  ]);
  return parseNvidiaGpus(devices, apps, ownPids);
}

/** The two tables as nvidia-smi prints them with `--format=csv,noheader,nounits`. */
export function parseNvidiaGpus(devices: string, apps: string, ownPids: ReadonlySet<number>): GpuSample[] {
  const own = rows(apps)
    .map(([deviceId = '', pid, memory]): AppUse => ({
      deviceId,
      pid: Number(pid),
      memoryMib: Number(memory) || 0,
    }))
    .filter((app) => ownPids.has(app.pid));
  return rows(devices).flatMap(([deviceId = '', model = '', total, used, busy]) => {
    const vramMib = Number(total);
    if (!(vramMib > 0)) return [];
    const ownHere = own.filter((app) => app.deviceId === deviceId);
    const ownMib = ownHere.reduce((sum, app) => sum + app.memoryMib, 0);
    return {
      deviceId,
      model,
      vramMib,
      vramUsedByOthersMib: Math.max(0, (Number(used) || 0) - ownMib),
      // The tool does not divide a device's load by process: while own tasks run on it, the load counts as theirs.
      usedByOthersMillis: ownHere.length > 0 ? 0 : Math.min(1000, (Number(busy) || 0) * 10),
    };
  });
}

function rows(csv: string): string[][] {
  return csv
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.split(',').map((field) => field.trim()));
}

async function query(what: string, signal: AbortSignal): Promise<string> {
  try {
    const options = { timeout: TIMEOUT_MS, signal, maxBuffer: 1024 * 1024 };
    return (await run('nvidia-smi', [what, '--format=csv,noheader,nounits'], options)).stdout;
  } catch {
    return '';
  }
}
