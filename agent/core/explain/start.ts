/**
 * When an instance that waits may start, as an estimate.
 *
 *   expected ends of the leases on each donor that could run it  ──► when there is room for it there: a slot
 *   each slot comes again when a run like it is through, for as long as the donor stays and the deadline allows
 *   those before it in the line whose need is no larger than these donors take one slot each  ──► the next is its own
 *
 * Only donors that may lend now count. Whoever plugs in later, and whatever room is made by force, comes on top.
 */
import type { Capacity, Demand, GpuCapacity, GpuDemand, Now } from '@plugpool/proto';
import { fit, freeOf } from '../donors/capacity.ts';
import type { Obstacle } from '../feasible/feasible.ts';
import { leaseEndsOn } from '../leases/lease-end.ts';
import { keptFor } from '../matching/keep.ts';
import { INSTANCES_PER_DONOR_ESTIMATED_MAX } from '../limits.ts';
import type { Need, Way } from '../waiting/need.ts';
import type { Donor, Lease, State } from '../state.ts';
import type { DonorTried, Wait, WayTried } from './obstacles.ts';
import { countAhead } from './place.ts';

/** Room for one at `firstMs` from now, and again every `everyMs` until `untilMs`. */
interface Slot {
  readonly firstMs: number;
  readonly everyMs: number;
  readonly untilMs: number;
}

/** From now; undefined where nothing can be said. */
export function estimatedStartMs(wait: Wait, tried: readonly DonorTried[]): number | undefined {
  const kept = keptFor(wait.state, wait.instance);
  if (kept !== undefined) return Math.max(0, Math.round(kept.startMonoMs - wait.now.monoMs));
  // Of parts that start together nothing can be said before that.
  if (wait.state.gangs.has(wait.instance.task)) return undefined;
  const usable = tried.flatMap((one) => usableOn(one));
  const slots = usable.flatMap((each) => slotsOn(wait, each));
  if (slots.length === 0) return undefined;
  const donors = usable.map(({ donor }) => donor);
  const largest = largestOf(donors);
  const ahead = countAhead(wait.state, wait.instance, wait.need, wait.now, (need) => isWithin(need, largest));
  return nthStartMs(slots, ahead + 1);
}

interface Usable {
  readonly donor: Donor;
  readonly way: Way;
  readonly runMs: number;
  readonly restMs: number;
}

/** Where nothing stands in the way but what passes: other runs, and rests. */
function usableOn({ donor, shared, ways }: DonorTried): Usable[] {
  if (!shared.every(passes)) return [];
  const usable = ways.find((each) => canEver(each, donor));
  if (usable === undefined) return [];
  const { way, runMs, obstacles } = usable;
  return [{ donor, way, runMs, restMs: Math.max(restOf(shared), restOf(obstacles)) }];
}

function canEver({ way, obstacles }: WayTried, { lendable }: Donor): boolean {
  return obstacles.every(passes) && fit(lendable, way.demand).ok;
}

function passes({ test }: Obstacle): boolean {
  return PASSES.has(test);
}

const PASSES: ReadonlySet<Obstacle['test']> = new Set<Obstacle['test']>([
  'resting',
  'donor_resting',
  'kept_for_another',
  'overdrawn',
  'cpu',
  'memory',
  'gpu_share',
  'vram',
]);

function restOf(obstacles: readonly Obstacle[]): number {
  return obstacles.reduce(
    (most, obstacle) => ('forMs' in obstacle ? Math.max(most, obstacle.forMs) : most),
    0,
  );
}

function slotsOn({ state, now, instance, need }: Wait, { donor, way, runMs, restMs }: Usable): Slot[] {
  const everyMs = Math.max(1, runMs);
  const deadlineMs = instance.task.deadlineMonoMs - now.monoMs;
  const untilMs = Math.min(deadlineMs, staysMs(state, need, way, donor, now)) - everyMs;
  const slots: Slot[] = [];
  let free = donor.free;
  for (const { lease, inMs } of [{ lease: undefined, inMs: 0 }, ...leaseEndsOn(state, donor, now)]) {
    if (lease !== undefined) free = withBack(free, lease);
    const firstMs = Math.max(inMs, restMs);
    if (firstMs > untilMs) break;
    const room = roomFor(way.demand, free);
    while (slots.length < room) slots.push({ firstMs, everyMs, untilMs });
  }
  return slots;
}

/** From now, by the bar of its priority; a run that checkpoints goes as long as the donor probably stays. */
function staysMs({ settings }: State, need: Need, way: Way, { stay }: Donor, now: Now): number {
  const bar = way.checkpoints ? 0.5 : settings.stayBarMillis[need.priority] / 1000;
  return stay.residual.longestMs(bar) - (now.monoMs - stay.reviewedMonoMs);
}

function withBack(free: Capacity, { demand, gpuDeviceId }: Lease): Capacity {
  const { gpu } = demand;
  return {
    cpuMillicores: free.cpuMillicores + demand.cpuMillicores,
    memoryMib: free.memoryMib + demand.memoryMib,
    gpus: gpu === undefined ? free.gpus : free.gpus.map((device) => gpuWithBack(device, gpu, gpuDeviceId)),
  };
}

function gpuWithBack(device: GpuCapacity, gpu: GpuDemand, gpuDeviceId: string | undefined): GpuCapacity {
  if (device.deviceId !== gpuDeviceId) return device;
  return {
    ...device,
    shareMillis: device.shareMillis + gpu.shareMillis,
    vramMib: device.vramMib + gpu.vramMib,
  };
}

/** How many run side by side in what is free. */
function roomFor(demand: Demand, free: Capacity): number {
  let room = 0;
  for (let left = free; room < INSTANCES_PER_DONOR_ESTIMATED_MAX; room += 1) {
    const verdict = fit(left, demand);
    if (!verdict.ok) break;
    left = freeOf(left, [verdict.placement]);
  }
  return room;
}

interface Largest {
  readonly cpuMillicores: number;
  readonly memoryMib: number;
  readonly gpuMillis: number;
}

function largestOf(donors: readonly Donor[]): Largest {
  let [cpuMillicores, memoryMib, gpuMillis] = [0, 0, 0];
  for (const { lendable } of donors) {
    cpuMillicores = Math.max(cpuMillicores, lendable.cpuMillicores);
    memoryMib = Math.max(memoryMib, lendable.memoryMib);
    for (const gpu of lendable.gpus) gpuMillis = Math.max(gpuMillis, gpu.shareMillis);
  }
  return { cpuMillicores, memoryMib, gpuMillis };
}

function isWithin({ least }: Need, largest: Largest): boolean {
  return (
    least.cpuMillicores <= largest.cpuMillicores &&
    least.memoryMib <= largest.memoryMib &&
    least.gpuMillis <= largest.gpuMillis
  );
}

/** The n-th start of all that the slots allow; undefined where there are not as many. */
function nthStartMs(slots: readonly Slot[], n: number): number | undefined {
  const untilMs = slots.reduce((latest, slot) => Math.max(latest, slot.untilMs), 0);
  if (!Number.isFinite(untilMs) || startsBy(slots, untilMs) < n) return undefined;
  let [earlyMs, lateMs] = [-1, Math.ceil(untilMs)];
  while (lateMs - earlyMs > 1) {
    const middleMs = Math.floor((earlyMs + lateMs) / 2);
    if (startsBy(slots, middleMs) >= n) lateMs = middleMs;
    else earlyMs = middleMs;
  }
  return lateMs;
}

function startsBy(slots: readonly Slot[], ms: number): number {
  let starts = 0;
  for (const { firstMs, everyMs, untilMs } of slots) {
    const lastMs = Math.min(ms, untilMs);
    if (lastMs >= firstMs) starts += 1 + Math.floor((lastMs - firstMs) / everyMs);
  }
  return starts;
}
