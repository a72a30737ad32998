/**
 * The grants of one step while they are still only planned: capacity is taken at once, so that each placement sees those before
 * it; one may be moved to another donor to make room. Nothing has left the pile until the plan is carried out.
 */
import { wakeWhenRested } from '../learned/learn.ts';
import { freeOf } from '../donors/capacity.ts';
import type { Choice } from '../feasible/feasible.ts';
import { startGang } from './gang.ts';
import { gangOf } from '../waiting/gang-of.ts';
import { noteLifted, notePlaced } from './keep.ts';
import { grant, leasesOf } from '../leases/lease.ts';
import type { Need } from '../waiting/need.ts';
import { demandMw } from '../power/draw.ts';
import { countLease } from '../pools/pools.ts';
import { classOfAlgorithm } from '../algorithms/profile.ts';
import type { Donor, Instance } from '../state.ts';
import type { Turn } from '../turn.ts';

/** One step's matching. */
export interface Matching {
  readonly turn: Turn;
  readonly plan: Plan;
}

export interface Placed {
  readonly instance: Instance;
  readonly need: Need;
  readonly donor: Donor;
  readonly choice: Choice;
}

export class Plan {
  readonly #turn: Turn;
  readonly #placed = new Map<Instance, Placed>();
  /** Of those placed, who joined the line in this step. */
  readonly #arrived = new Set<Instance>();

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  get size(): number {
    return this.#placed.size;
  }

  placements(): IterableIterator<Placed> {
    return this.#placed.values();
  }

  isArrival(instance: Instance): boolean {
    return this.#arrived.has(instance);
  }

  on(donor: Donor): Placed[] {
    return [...this.#placed.values()].filter((placed) => placed.donor === donor);
  }

  place(placed: Placed): void {
    const { instance, donor, choice } = placed;
    this.#placed.set(instance, placed);
    instance.plannedOn = donor.vehicleId;
    notePlaced(this.#turn, instance, donor, choice);
    this.#setFree(donor, freeOf(donor.free, [choice.placement]));
    this.#count(choice, 1);
    this.#turn.state.health.granted(donor.vehicleId, choice.way.class, this.#turn.now);
    // Where nothing comes of the one that was tried, another may be.
    wakeWhenRested(this.#turn, donor.vehicleId, choice.way.class);
    this.#turn.state.waiting.remove(instance);
    if (this.#turn.newcomers.delete(instance)) this.#arrived.add(instance);
  }

  /** Takes a placement back: its instance waits again. */
  lift({ instance, need, donor, choice }: Placed): void {
    this.#placed.delete(instance);
    instance.plannedOn = undefined;
    noteLifted(this.#turn.state, instance, donor);
    this.#count(choice, -1);
    this.#turn.state.waiting.add(instance, need);
    if (this.#arrived.delete(instance)) this.#turn.newcomers.add(instance);
    const planned = this.on(donor).map(({ choice }) => choice.placement);
    this.#setFree(donor, freeOf(donor.lendable, [...leasesOf(donor), ...planned]));
  }

  carryOut(): void {
    for (const { instance, need, donor, choice } of this.#placed.values()) {
      const gang = gangOf(instance);
      if (gang !== undefined) startGang(this.#turn.state, gang);
      instance.plannedOn = undefined;
      grant(this.#turn, instance, donor, choice, need.priority);
    }
  }

  /** What is planned is used already: the next placement sees whether its class still is within its sub-pool, and the station within its limit. */
  #count({ way, placement }: Choice, sign: 1 | -1): void {
    const { state } = this.#turn;
    state.budget.addedMw += sign * demandMw(state.settings, placement.demand);
    countLease(state.pools, classOfAlgorithm(state, way.algorithm), placement.demand, sign);
  }

  #setFree(donor: Donor, free: Donor['free']): void {
    donor.free = free;
    this.#turn.state.index.put(donor);
  }
}
