/** What the leases on this donor take together, so that no offer is started which no longer fits. */
import type { Capacity, Demand, GpuCapacity } from '@plugpool/proto';

/** What one lease took, to be given back as it was. */
export interface Grant {
  readonly demand: Demand;
  readonly deviceId: string | undefined;
}

interface GpuGranted {
  shareMillis: number;
  vramMib: number;
}

export class GrantedCapacity {
  #cpuMillicores = 0;
  #memoryMib = 0;
  readonly #gpus = new Map<string, GpuGranted>();

  fits(demand: Demand, lendable: Capacity): boolean {
    if (this.#cpuMillicores + demand.cpuMillicores > lendable.cpuMillicores) return false;
    if (this.#memoryMib + demand.memoryMib > lendable.memoryMib) return false;
    return demand.gpu === undefined || this.#deviceFor(demand, lendable) !== undefined;
  }

  take(demand: Demand, lendable: Capacity | undefined): Grant {
    this.#cpuMillicores += demand.cpuMillicores;
    this.#memoryMib += demand.memoryMib;
    if (demand.gpu === undefined) return { demand, deviceId: undefined };
    const deviceId = lendable === undefined ? undefined : this.#deviceFor(demand, lendable)?.deviceId;
    if (deviceId !== undefined) this.#addGpu(deviceId, demand.gpu.shareMillis, demand.gpu.vramMib);
    return { demand, deviceId };
  }

  giveBack({ demand, deviceId }: Grant): void {
    this.#cpuMillicores -= demand.cpuMillicores;
    this.#memoryMib -= demand.memoryMib;
    if (demand.gpu === undefined || deviceId === undefined) return;
    this.#addGpu(deviceId, -demand.gpu.shareMillis, -demand.gpu.vramMib);
  }

  inUse(): { readonly cpuMillicores: number; readonly memoryMib: number } {
    return { cpuMillicores: this.#cpuMillicores, memoryMib: this.#memoryMib };
  }

  #deviceFor(demand: Demand, lendable: Capacity): GpuCapacity | undefined {
    const wanted = demand.gpu;
    if (wanted === undefined) return undefined;
    return lendable.gpus.find((device) => {
      const granted = this.#gpus.get(device.deviceId);
      return (
        (wanted.model === undefined || wanted.model === device.model) &&
        (granted?.shareMillis ?? 0) + wanted.shareMillis <= device.shareMillis &&
        (granted?.vramMib ?? 0) + wanted.vramMib <= device.vramMib
      );
    });
  }

  #addGpu(deviceId: string, shareMillis: number, vramMib: number): void {
    const granted = this.#gpus.get(deviceId) ?? { shareMillis: 0, vramMib: 0 };
    granted.shareMillis += shareMillis;
    granted.vramMib += vramMib;
    this.#gpus.set(deviceId, granted);
  }
}
