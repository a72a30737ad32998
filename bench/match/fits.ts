/**
 * The oracle's own reading of the rules: what may run where, what a set of placements takes, and what it is worth. It shares no
 * code with the matcher, so that an error of the matcher is not excused by itself.
 */
import type { Demand } from '@plugpool/proto';
import { priorityOf, type Scene, type SceneDonor, type SceneProgram, type SceneRequest } from './instance.ts';

/** One part of a request on a donor, by a program with one of its demands. */
export interface Placement {
  readonly request: SceneRequest;
  readonly donor: SceneDonor;
  readonly program: SceneProgram;
  readonly demand: Demand;
  readonly gpuDeviceId: string | undefined;
}

/** What the largest vehicle lends: sizes are shares of it. */
const LARGEST = { cpuMillicores: 32_000, memoryMib: 128 * 1024, gpuMillis: 1000, vramMib: 64 * 1024 };
const TRANSFER_BYTES_PER_MS = 1_000;

/**
 * What a placed part is worth: the share of the largest vehicle that its preferred demand takes, in the dimension that it leans
 * on, times how long it runs on the reference core; of several programs, the one that takes least. That is the idle capacity
 * which it puts to use; a way that takes more for the same request is worth no more, and neither is a slower donor.
 */
export function valueOf({ programs }: SceneRequest): number {
  const values = programs.map((program) => {
    const [preferred] = program.demands;
    if (preferred === undefined) throw new Error(`${program.id} has no demand`);
    return sizeOf(preferred) * runMsOf(program, preferred, 1000);
  });
  return Math.min(...values);
}

function sizeOf({ cpuMillicores, memoryMib, gpu }: Demand): number {
  return Math.max(
    cpuMillicores / LARGEST.cpuMillicores,
    memoryMib / LARGEST.memoryMib,
    (gpu?.shareMillis ?? 0) / LARGEST.gpuMillis,
    (gpu?.vramMib ?? 0) / LARGEST.vramMib,
  );
}

function runMsOf({ workCoreS }: SceneProgram, demand: Demand, speedMillis: number): number {
  const cores = Math.min(demand.cpuMillicores / 1000, demand.threads);
  return (workCoreS * 1000 * 1000) / speedMillis / cores;
}

/** Every place where one part of the request may run, were nothing else there. */
export function placesOf(request: SceneRequest, { donors }: Scene): Placement[] {
  const willing = donors.filter((donor) => areWilling(request, donor));
  return willing.flatMap((donor) =>
    request.programs.flatMap((program) =>
      program.demands.flatMap((demand) =>
        devicesOf(donor, demand)
          .map((gpuDeviceId) => ({ request, donor, program, demand, gpuDeviceId }))
          .filter(isPossible),
      ),
    ),
  );
}

function devicesOf(donor: SceneDonor, demand: Demand): (string | undefined)[] {
  return demand.gpu === undefined ? [undefined] : donor.gpus.map(({ deviceId }) => deviceId);
}

function areWilling(request: SceneRequest, donor: SceneDonor): boolean {
  const { trust, constraint } = request;
  if (request.vehicleId === donor.id) return false;
  if (trust?.whom === 'makes' && !trust.makes.includes(donor.make)) return false;
  if (trust?.whom === 'fleet' && (donor.fleet === '' || donor.fleet !== request.fleet)) return false;
  return constraint?.holds(donor) !== false && donor.ownerTakes?.holds(request) !== false;
}

function isPossible(placement: Placement): boolean {
  const { request, donor, program, demand } = placement;
  if (donor.allows.length > 0 && !donor.allows.includes(program.id)) return false;
  const transferMs = donor.hasImageOf.includes(program.id) ? 0 : program.imageBytes / TRANSFER_BYTES_PER_MS;
  const untilMs = transferMs + runMsOf(program, demand, donor.speedMillis);
  if (untilMs > donor.staysMs || untilMs > request.deadlineMs) return false;
  return overloadedBy(donor, [placement]).length === 0;
}

/** The dimensions of a donor that the placements overdraw. */
export function overloadedBy(donor: SceneDonor, placements: readonly Placement[]): string[] {
  const over: string[] = [];
  const sum = (of: (placement: Placement) => number): number =>
    placements.reduce((total, placement) => total + of(placement), 0);
  if (sum(({ demand }) => demand.cpuMillicores) > donor.cpuMillicores) over.push('cpu');
  if (sum(({ demand }) => demand.memoryMib) > donor.memoryMib) over.push('memory');
  for (const { deviceId, shareMillis, vramMib } of donor.gpus) {
    const onDevice = (of: 'shareMillis' | 'vramMib'): number =>
      sum(({ demand, gpuDeviceId }) => (gpuDeviceId === deviceId ? (demand.gpu?.[of] ?? 0) : 0));
    if (onDevice('shareMillis') > shareMillis || onDevice('vramMib') > vramMib) over.push(deviceId);
  }
  return over;
}

/** Placements that some rule forbids: by themselves, by what else is on their donor, or since not all parts start. */
export function infeasibleAmong(placements: readonly Placement[], scene: Scene): Placement[] {
  return placements.filter(({ request, donor, program, demand, gpuDeviceId }) => {
    const isPlace = placesOf(request, scene).some(
      (place) =>
        place.donor === donor &&
        place.program === program &&
        place.gpuDeviceId === gpuDeviceId &&
        isSame(place.demand, demand),
    );
    const together = placements.filter((placement) => placement.donor === donor);
    const ofRequest = placements.filter((placement) => placement.request === request).length;
    const isWhole = ofRequest <= request.parts && (!request.allAtOnce || ofRequest === request.parts);
    return !isPlace || !isWhole || overloadedBy(donor, together).length > 0;
  });
}

function isSame(a: Demand, b: Demand): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The worth of what is placed, for each priority. */
export function worthOf(placements: readonly Placement[]): [number, number, number, number] {
  const worth: [number, number, number, number] = [0, 0, 0, 0];
  for (const { request } of placements) worth[priorityOf(request)] += valueOf(request);
  return worth;
}
