/**
 * The donors that may be granted something now, found by what they have left and how long they will stay.
 *
 * They stand in bins: by whether they have a GPU left, and by the power of two of how long they stay. A demand looks through
 * the bins from the least stay that suffices upward, those without a GPU first where it needs none, and through each bin's
 * tree of maxima. So it meets donors in about the order in which they suit it, and sees those that do not fit in bulk.
 */
import { MaxTree, type SlotValues } from './max-tree.ts';
import type { Donor } from '../state.ts';

/** 2⁰ … 2³¹ ms, 24 days: whoever stays for longer stands in the last. */
const STAY_CLASSES = 32;

/** A stay of this many powers of two above the least is likely to be long enough. */
const ROOM_CLASSES = 5;

interface Seat {
  readonly bin: number;
  slot: number;
}

/** What a donor must have at least; times on the monotonic clock. */
export interface AtLeast {
  readonly cpuMillicores: number;
  readonly memoryMib: number;
  readonly gpuMillis: number;
  readonly vramMib: number;
  /** How long it must stay from now. */
  readonly stayMs: number;
}

export class DonorIndex {
  readonly #bins: (MaxTree<Donor> | undefined)[] = [];
  readonly #seats = new Map<Donor, Seat>();

  get size(): number {
    return this.#seats.size;
  }

  has(donor: Donor): boolean {
    return this.#seats.has(donor);
  }

  donors(): IterableIterator<Donor> {
    return this.#seats.keys();
  }

  /** Puts the donor where it belongs now. */
  put(donor: Donor): void {
    const bin = binOf(donor);
    const seat = this.#seats.get(donor);
    if (seat !== undefined && seat.bin === bin) {
      this.#binAt(bin).set(seat.slot, valuesOf(donor));
      return;
    }
    if (seat !== undefined) this.#leave(seat);
    this.#seats.set(donor, { bin, slot: this.#binAt(bin).add(donor, valuesOf(donor)) });
  }

  remove(donor: Donor): void {
    const seat = this.#seats.get(donor);
    if (seat === undefined) return;
    this.#seats.delete(donor);
    this.#leave(seat);
  }

  /** Visits donors that have at least that much, until `visit` says false. */
  eachWithAtLeast(least: AtLeast, nowMonoMs: number, visit: (donor: Donor) => boolean): void {
    const values = slotValues(least, Math.floor((nowMonoMs + least.stayMs) / MINUTE_MS));
    const needsGpu = least.gpuMillis > 0 || least.vramMib > 0;
    for (const stay of STAYS_FROM[stayClass(least.stayMs)] ?? [])
      for (let gpu = needsGpu ? 1 : 0; gpu <= 1; gpu++)
        if (this.#bins[2 * stay + gpu]?.eachWithAtLeast(values, visit) === false) return;
  }

  #binAt(bin: number): MaxTree<Donor> {
    let tree = this.#bins[bin];
    if (tree === undefined) this.#bins[bin] = tree = new MaxTree(DIMENSIONS);
    return tree;
  }

  #leave({ bin, slot }: Seat): void {
    const moved = this.#binAt(bin).remove(slot);
    const seat = moved === undefined ? undefined : this.#seats.get(moved);
    if (seat !== undefined) seat.slot = slot;
  }
}

/** Those that leave some room first, from the least upward; then those that hardly suffice. */
function staysFrom(least: number): readonly number[] {
  const stays: number[] = [];
  for (let stay = Math.min(STAY_CLASSES - 1, least + ROOM_CLASSES); stay < STAY_CLASSES; stay++)
    stays.push(stay);
  for (let stay = Math.min(STAY_CLASSES - 1, least + ROOM_CLASSES) - 1; stay >= least; stay--)
    stays.push(stay);
  return stays;
}

const STAYS_FROM = Array.from({ length: STAY_CLASSES }, (_, least) => staysFrom(least));

function binOf(donor: Donor): number {
  return 2 * stayClass(donor.stay.mayStayMs) + (donor.free.gpus.length > 0 ? 1 : 0);
}

/** Of a stay that shrinks while time passes: never below the class of what is left of it. */
function stayClass(stayMs: number): number {
  if (stayMs < 1) return 0;
  return Math.min(STAY_CLASSES - 1, Math.floor(Math.log2(stayMs)));
}

function valuesOf({ free, stay }: Donor): SlotValues {
  let gpuMillis = 0;
  let vramMib = 0;
  for (const gpu of free.gpus) {
    if (gpu.shareMillis > gpuMillis) gpuMillis = gpu.shareMillis;
    if (gpu.vramMib > vramMib) vramMib = gpu.vramMib;
  }
  const { cpuMillicores, memoryMib } = free;
  return slotValues(
    { cpuMillicores, memoryMib, gpuMillis, vramMib },
    Math.ceil((stay.reviewedMonoMs + stay.mayStayMs) / MINUTE_MS),
  );
}

/**
 * Beside what there is of each dimension, the lesser of two: a branch in which one donor has the cores and another the memory has
 * the maxima of both, but not of what both have together. Where they are weighed as the demand has them, nothing else passes.
 */
function slotValues(has: Omit<AtLeast, 'stayMs'>, untilMinutes: number): SlotValues {
  const { cpuMillicores, memoryMib, gpuMillis, vramMib } = has;
  return [
    cpuMillicores,
    memoryMib,
    gpuMillis,
    vramMib,
    untilMinutes,
    Math.min(cpuMillicores, memoryMib / 2),
    Math.min(cpuMillicores, memoryMib),
    Math.min(cpuMillicores, memoryMib * 2),
    Math.min(cpuMillicores, gpuMillis),
    Math.min(cpuMillicores, gpuMillis * 4),
    Math.min(memoryMib, gpuMillis * 4),
  ];
}

const DIMENSIONS = 11;
/** Coarse, so that single precision holds them for as long as a pile may run; feasible.ts looks closer. */
const MINUTE_MS = 60_000;
