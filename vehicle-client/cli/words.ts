/** Numbers as a person reads them. */
import type { Capacity } from '@plugpool/proto';

export function describeCapacity({ cpuMillicores, memoryMib, gpus }: Capacity): string {
  const parts = [`${(cpuMillicores / 1000).toFixed(1)} cores`, `${memoryMib} MiB`];
  for (const gpu of gpus) parts.push(`${gpu.shareMillis / 10} % of ${gpu.model} with ${gpu.vramMib} MiB`);
  return parts.join(', ');
}

export function describeDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** Local time, as the owner gives it: `2026-12-24 17:30`. */
export function describeTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-');
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}
