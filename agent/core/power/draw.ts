/** What computing is taken to draw while it goes on: as the ledger reckons where a vehicle does not measure it. Pure. */
import type { Capacity, Demand } from '@plugpool/proto';
import type { Settings } from '../settings.ts';

/** All that is lent at work. */
export function capacityMw(settings: Settings, { cpuMillicores, gpus }: Capacity): number {
  const gpuMillis = gpus.reduce((sum, { shareMillis }) => sum + shareMillis, 0);
  return drawMw(settings, cpuMillicores, gpuMillis);
}

export function demandMw(settings: Settings, { cpuMillicores, gpu }: Demand): number {
  return drawMw(settings, cpuMillicores, gpu?.shareMillis ?? 0);
}

function drawMw(settings: Settings, cpuMillicores: number, gpuMillis: number): number {
  const drawsMw = (cpuMillicores * settings.coreDrawsMw + gpuMillis * settings.gpuDrawsMw) / 1000;
  return Math.min(settings.computingPowerMaxMw, drawsMw);
}
