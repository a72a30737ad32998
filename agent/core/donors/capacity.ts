/** Arithmetic on capacity vectors: what is free, whether a demand fits, and on which GPU it lands. */
import type { Capacity, Demand, GpuCapacity } from '@plugpool/proto';

/** What one grant takes: a demand, and the GPU that it was placed on. */
export interface Placement {
  readonly demand: Demand;
  /** Absent where the demand names no GPU. */
  readonly gpuDeviceId?: string;
}

export const NOTHING: Capacity = { cpuMillicores: 0, memoryMib: 0, gpus: [] };

/** What is left of `total` under the placements; a dimension that is overdrawn is negative. */
export function freeOf(total: Capacity, placements: Iterable<Placement>): Capacity {
  let cpuMillicores = total.cpuMillicores;
  let memoryMib = total.memoryMib;
  let gpus: readonly GpuCapacity[] = total.gpus;
  for (const placement of placements) {
    cpuMillicores -= placement.demand.cpuMillicores;
    memoryMib -= placement.demand.memoryMib;
    if (placement.demand.gpu !== undefined) gpus = takeGpu(gpus, placement);
  }
  return { cpuMillicores, memoryMib, gpus };
}

function takeGpu(gpus: readonly GpuCapacity[], placement: Placement): readonly GpuCapacity[] {
  const gpu = placement.demand.gpu;
  if (gpu === undefined) return gpus;
  const held = gpus.find((device) => device.deviceId === placement.gpuDeviceId);
  // The device is gone from the report: it is overdrawn by all that was placed on it.
  const base = held ?? { deviceId: placement.gpuDeviceId ?? '', model: '', shareMillis: 0, vramMib: 0 };
  const left = {
    ...base,
    shareMillis: base.shareMillis - gpu.shareMillis,
    vramMib: base.vramMib - gpu.vramMib,
  };
  return held === undefined ? [...gpus, left] : gpus.map((device) => (device === held ? left : device));
}

/** True where no dimension is overdrawn. */
export function isWithin(free: Capacity): boolean {
  return (
    free.cpuMillicores >= 0 &&
    free.memoryMib >= 0 &&
    free.gpus.every((gpu) => gpu.shareMillis >= 0 && gpu.vramMib >= 0)
  );
}

export type ShortOf =
  | { readonly what: 'cpu'; readonly need: number; readonly have: number }
  | { readonly what: 'memory'; readonly need: number; readonly have: number }
  | { readonly what: 'gpu_share'; readonly need: number; readonly have: number }
  | { readonly what: 'vram'; readonly need: number; readonly have: number }
  | { readonly what: 'gpu_model'; readonly need: string; readonly have: string };

export type Fit =
  | { readonly ok: true; readonly placement: Placement }
  | { readonly ok: false; readonly shortOf: readonly ShortOf[] };

/** Whether `demand` fits into `free`, and where; else everything that is short. */
export function fit(free: Capacity, demand: Demand): Fit {
  if (mayHold(free, demand) && demand.gpu === undefined) return { ok: true, placement: { demand } };
  const shortOf: ShortOf[] = [];
  if (free.cpuMillicores < demand.cpuMillicores)
    shortOf.push({ what: 'cpu', need: demand.cpuMillicores, have: free.cpuMillicores });
  if (free.memoryMib < demand.memoryMib)
    shortOf.push({ what: 'memory', need: demand.memoryMib, have: free.memoryMib });
  if (demand.gpu === undefined) return { ok: false, shortOf };

  const gpu = fitGpu(free.gpus, demand.gpu);
  if (!gpu.ok) return { ok: false, shortOf: [...shortOf, gpu.shortOf] };
  if (shortOf.length > 0) return { ok: false, shortOf };
  return { ok: true, placement: { demand, gpuDeviceId: gpu.deviceId } };
}

/** By sums alone, whatever the models of its GPUs: cheap, and right where it says no. */
export function mayHold(free: Capacity, { cpuMillicores, memoryMib, gpu }: Demand): boolean {
  if (free.cpuMillicores < cpuMillicores || free.memoryMib < memoryMib) return false;
  return gpu === undefined || free.gpus.length > 0;
}

type GpuFit =
  { readonly ok: true; readonly deviceId: string } | { readonly ok: false; readonly shortOf: ShortOf };

/** Best fit: the device that keeps the least share, so that a whole one stays whole. */
function fitGpu(gpus: readonly GpuCapacity[], demand: NonNullable<Demand['gpu']>): GpuFit {
  const ofModel = gpus.filter(
    (gpu) => demand.model === undefined || gpu.model === '*' || gpu.model === demand.model,
  );
  if (ofModel.length === 0 && demand.model !== undefined && gpus.length > 0) {
    const have = gpus.map((gpu) => gpu.model).join(', ');
    return { ok: false, shortOf: { what: 'gpu_model', need: demand.model, have } };
  }
  let best: GpuCapacity | undefined;
  for (const gpu of ofModel) {
    if (gpu.shareMillis < demand.shareMillis || gpu.vramMib < demand.vramMib) continue;
    if (best === undefined || gpu.shareMillis < best.shareMillis) best = gpu;
  }
  if (best !== undefined) return { ok: true, deviceId: best.deviceId };
  const share = Math.max(0, ...ofModel.map((gpu) => gpu.shareMillis));
  if (share < demand.shareMillis)
    return { ok: false, shortOf: { what: 'gpu_share', need: demand.shareMillis, have: share } };
  const vram = Math.max(0, ...ofModel.map((gpu) => gpu.vramMib));
  return { ok: false, shortOf: { what: 'vram', need: demand.vramMib, have: vram } };
}

/** The largest share, over the dimensions, that `demand` takes of `total`; 0…1, or Infinity where a dimension is absent. */
export function dominantShare(demand: Demand, total: Capacity): number {
  const shares = [ratio(demand.cpuMillicores, total.cpuMillicores), ratio(demand.memoryMib, total.memoryMib)];
  if (demand.gpu !== undefined) {
    shares.push(
      ratio(
        demand.gpu.shareMillis,
        total.gpus.reduce((sum, gpu) => sum + gpu.shareMillis, 0),
      ),
    );
    shares.push(
      ratio(
        demand.gpu.vramMib,
        total.gpus.reduce((sum, gpu) => sum + gpu.vramMib, 0),
      ),
    );
  }
  return Math.max(...shares);
}

function ratio(part: number, whole: number): number {
  if (part === 0) return 0;
  return whole <= 0 ? Infinity : part / whole;
}

/** `report` cut down to what the hardware has: a donor that reports more is believed no further than that. */
export function clampTo(report: Capacity, hardware: Capacity): { capacity: Capacity; clamped: boolean } {
  const gpus: GpuCapacity[] = [];
  let clamped = false;
  for (const gpu of report.gpus) {
    const owned = hardware.gpus.find((device) => device.deviceId === gpu.deviceId);
    // A device that is named twice is there once.
    const isSeen = gpus.some((device) => device.deviceId === gpu.deviceId);
    if (owned === undefined || isSeen) {
      clamped = true;
      continue;
    }
    const shareMillis = Math.min(gpu.shareMillis, owned.shareMillis);
    const vramMib = Math.min(gpu.vramMib, owned.vramMib);
    clamped ||= shareMillis < gpu.shareMillis || vramMib < gpu.vramMib;
    gpus.push({ deviceId: owned.deviceId, model: owned.model, shareMillis, vramMib });
  }
  const cpuMillicores = Math.min(report.cpuMillicores, hardware.cpuMillicores);
  const memoryMib = Math.min(report.memoryMib, hardware.memoryMib);
  clamped ||= cpuMillicores < report.cpuMillicores || memoryMib < report.memoryMib;
  return { capacity: { cpuMillicores, memoryMib, gpus }, clamped };
}
