/**
 * Plans what came together once more as a whole, where greed left somebody out: what a step has placed may move, or step back
 * for what is worth more, before anything is granted (better-board.ts says how). Nothing that holds a lease is touched.
 */
import { makeBetter } from './better-board.ts';
import { Board, isPlaced, type Spot, type Taken, type Unit } from './board.ts';
import { freeOf, type Placement } from '../donors/capacity.ts';
import type { Capacity, Demand } from '@plugpool/proto';
import { choicesOn, choose, type Choice } from '../feasible/feasible.ts';
import { gangOf } from './gang.ts';
import {
  REPLAN_DONORS_PER_NEED_MAX,
  REPLAN_TRIALS_MAX,
  REPLANNED_DONORS_MAX,
  REPLANNED_PLACED_MAX,
  REPLANNED_WAITING_MAX,
} from '../limits.ts';
import { atLeast, isPossible } from './donor-search.ts';
import type { Need, Way } from '../waiting/need.ts';
import type { Matching, Placed, Plan } from './plan.ts';
import { standing } from '../pools/pools.ts';
import { compareDonors } from './rank.ts';
import { compareTurns } from '../waiting/turn-queue.ts';
import type { Donor, Instance } from '../state.ts';
import type { Turn } from '../turn.ts';
import { BANDS_MAX } from '../waiting/usage.ts';
import { worthOf } from './worth.ts';

interface Seat extends Spot {
  readonly donor: number;
  readonly choice: Choice;
}

/** What is placed as a whole: one instance, or all parts that start together. */
interface Member {
  readonly need: Need;
  readonly instances: readonly Instance[];
  /** Where they are planned; empty of those that wait. */
  readonly placed: readonly Placed[];
}

export interface Replanned {
  /** More may fit there now. */
  readonly movedFrom: ReadonlySet<Donor>;
  /** What stands elsewhere than it did, or did not stand before. */
  readonly moved: readonly Placed[];
}

const NOTHING_MOVED: Replanned = { movedFrom: new Set(), moved: [] };

export function replan(matching: Matching): Replanned {
  const { turn, plan } = matching;
  if (plan.size === 0 || turn.newcomers.size === 0) return NOTHING_MOVED;
  const placed = placedMembers(matching).slice(0, REPLANNED_PLACED_MAX);
  const waiting = waitingMembers(matching).slice(0, REPLANNED_WAITING_MAX);
  if (!someMayYield(matching, placed, waiting) && !someMayMove(matching, placed)) return NOTHING_MOVED;
  const members = [...placed, ...waiting];
  const seating = new Seating(matching, members);
  const units = members.map((member) => unitOf(matching, member, seating));
  if (!units.some((unit) => !isPlaced(unit) && unit.parts.every(({ spots }) => spots.length > 0)))
    return NOTHING_MOVED;
  makeBetter(new Board(units, seating.free()), REPLAN_TRIALS_MAX);
  return carryOver(matching, members, units, seating);
}

/** A pile that is full of those who waited for long is asked no further: this is what a busy hour's steps are like. */
function someMayYield(
  { turn, plan }: Matching,
  placed: readonly Member[],
  waiting: readonly Member[],
): boolean {
  const others = waiting.map((member) => ({ need: member.need, tier: tierOf(turn, member) }));
  return placed.some((member) => {
    const yields = yieldsTo(turn, plan, member.instances);
    if (yields === 'nobody') return false;
    const own = tierOf(turn, member);
    return others.some(
      ({ need, tier }) => tier < own || (yields === 'more_worth' && tier === own && need !== member.need),
    );
  });
}

function someMayMove({ turn }: Matching, placed: readonly Member[]): boolean {
  const needs = new Set(placed.map(({ need }) => need));
  return [...needs].some((need) => need.ways.some((way) => hasRoom(turn, need, way)));
}

function hasRoom({ state, now }: Turn, need: Need, way: Way): boolean {
  let found: Donor | undefined;
  state.index.eachWithAtLeast(atLeast(state, way), now.monoMs, (donor) => {
    if (choose(state, need, donor, now) !== undefined) found = donor;
    return found === undefined;
  });
  return found !== undefined;
}

function placedMembers({ plan }: Matching): Member[] {
  const members = new Map<unknown, { need: Need; instances: Instance[]; placed: Placed[] }>();
  for (const placed of plan.placements()) {
    const { instance, need } = placed;
    const whole = gangOf(instance) ?? instance;
    const member = members.get(whole) ?? { need, instances: [], placed: [] };
    members.set(whole, member);
    member.instances.push(instance);
    member.placed.push(placed);
  }
  return [...members.values()];
}

/** Those that arrived in this step and found no place, as they go in line. */
function waitingMembers({ turn: { state, newcomers } }: Matching): Member[] {
  const members = new Map<unknown, Member>();
  for (const instance of newcomers) {
    const need = instance.waitsIn?.need;
    const task = gangOf(instance);
    if (need !== undefined)
      members.set(task ?? instance, { need, instances: task?.instances ?? [instance], placed: [] });
  }
  const worth = (member: Member): number => worthOf(state, member.need) * member.instances.length;
  return [...members.values()].sort(
    (a, b) => b.need.priority - a.need.priority || worth(b) - worth(a) || compareFirst(a, b),
  );
}

function compareFirst({ instances: [a] }: Member, { instances: [b] }: Member): number {
  return a === undefined || b === undefined ? 0 : compareTurns(a, b);
}

function unitOf({ turn, plan }: Matching, member: Member, seating: Seating): Unit<Seat> {
  const { need, instances, placed } = member;
  const { state } = turn;
  const unit: Unit<Seat> = {
    tier: tierOf(turn, member),
    worth: worthOf(state, need) * instances.length,
    yieldsTo: yieldsTo(turn, plan, instances),
    parts: [],
  };
  for (const [n, instance] of instances.entries())
    unit.parts.push({ unit, spots: seating.seatsOf(instance, need), at: seating.seatOf(placed[n]) });
  return unit;
}

/** The order of compareRequests, as far as what something is worth does not matter: priority, sub-pool, fair share. */
function tierOf({ state, now }: Turn, { need, instances, placed }: Member): number {
  const [way] = need.ways;
  // What is placed is counted in its sub-pool already.
  const more = placed.length > 0 ? NO_DEMAND : way?.demand;
  const borrows =
    way !== undefined && more !== undefined && standing(state.pools, way.class, more) === 'borrowing';
  const payer = instances[0]?.task.payer ?? '';
  return (2 * (3 - need.priority) + (borrows ? 1 : 0)) * (BANDS_MAX + 1) + state.usage.excess(payer, now);
}

const NO_DEMAND: Demand = {
  cpuMillicores: 0,
  memoryMib: 0,
  threads: 1,
  gpu: { shareMillis: 0, vramMib: 0 },
};

/** Who waited before was promised nothing less by its turn; who just came has lost nothing where others came better together. */
function yieldsTo({ now }: Turn, plan: Plan, instances: readonly Instance[]): Unit['yieldsTo'] {
  if (instances.some(({ turnMonoMs }) => turnMonoMs <= now.monoMs)) return 'nobody';
  const justCame = instances.every((each) => each.attempts === 0 && plan.isArrival(each));
  return justCame ? 'more_worth' : 'earlier_tiers';
}

/** Where each may stand, with all that is planned taken back. */
class Seating {
  readonly #matching: Matching;
  readonly #donors: readonly Donor[];
  readonly #bases: readonly Capacity[];
  readonly #byNeed = new Map<Need, readonly Seat[]>();

  constructor(matching: Matching, members: readonly Member[]) {
    this.#matching = matching;
    this.#donors = donorsFor(matching, members);
    const placed = members.flatMap((member) => member.placed);
    this.#bases = this.#donors.map((donor) =>
      freeOf(
        donor.free,
        placed.filter((each) => each.donor === donor).map(({ choice }) => givenBack(choice.placement)),
      ),
    );
  }

  donor(seat: Seat): Donor {
    return this.#donors[seat.donor] as Donor;
  }

  /** As it is planned. */
  free(): number[][] {
    return this.#donors.map(({ free }) => [
      free.cpuMillicores,
      free.memoryMib,
      ...free.gpus.flatMap(({ shareMillis, vramMib }) => [shareMillis, vramMib]),
    ]);
  }

  seatOf(placed: Placed | undefined): Seat | undefined {
    if (placed === undefined) return undefined;
    const donor = this.#donors.indexOf(placed.donor);
    return seatAt(donor, placed.donor, placed.choice);
  }

  /** The same list for all who need the same, but for those that something of their own forbids a place. */
  seatsOf(instance: Instance, need: Need): readonly Seat[] {
    const { turn } = this.#matching;
    const all = this.#seatsFor(need);
    const own = all.filter((seat) => isPossible(turn, instance, this.donor(seat), seat.choice));
    return own.length === all.length ? all : own;
  }

  #seatsFor(need: Need): readonly Seat[] {
    let seats = this.#byNeed.get(need);
    if (seats === undefined) this.#byNeed.set(need, (seats = this.#rankedFor(need)));
    return seats;
  }

  #rankedFor(need: Need): Seat[] {
    const { state, now } = this.#matching.turn;
    const ranked = this.#donors.flatMap((donor, n) => {
      const planned = donor.free;
      donor.free = this.#bases[n] as Capacity;
      const choices = choicesOn(state, need, donor, now);
      donor.free = planned;
      return choices.map((choice) => ({ donor, choice, n }));
    });
    ranked.sort(compareDonors);
    return ranked.map(({ donor, choice, n }) => seatAt(n, donor, choice));
  }
}

function seatAt(number: number, donor: Donor, choice: Choice): Seat {
  const { demand, gpuDeviceId } = choice.placement;
  const takes: Taken[] = [
    { dimension: 0, amount: demand.cpuMillicores },
    { dimension: 1, amount: demand.memoryMib },
  ];
  if (demand.gpu !== undefined) {
    const device = donor.free.gpus.findIndex(({ deviceId }) => deviceId === gpuDeviceId);
    takes.push({ dimension: 2 + 2 * device, amount: demand.gpu.shareMillis });
    takes.push({ dimension: 3 + 2 * device, amount: demand.gpu.vramMib });
  }
  return { donor: number, takes, choice };
}

/** Those where something is planned, and others that have room for what could move away from there. */
function donorsFor({ turn }: Matching, members: readonly Member[]): Donor[] {
  const donors = new Set<Donor>();
  for (const { placed } of members) for (const { donor } of placed) donors.add(donor);
  const needs = new Set(members.filter(({ placed }) => placed.length > 0).map(({ need }) => need));
  for (const need of needs) for (const way of need.ways) addThoseWithRoom(turn, need, way, donors);
  return [...donors];
}

function addThoseWithRoom({ state, now }: Turn, need: Need, way: Way, donors: Set<Donor>): void {
  let left = REPLAN_DONORS_PER_NEED_MAX;
  state.index.eachWithAtLeast(atLeast(state, way), now.monoMs, (donor) => {
    if (donors.size >= REPLANNED_DONORS_MAX) return false;
    if (donors.has(donor) || choose(state, need, donor, now) === undefined) return true;
    donors.add(donor);
    left -= 1;
    return left > 0;
  });
}

/** To be added and not taken. */
function givenBack({ demand, gpuDeviceId }: Placement): Placement {
  const { cpuMillicores, memoryMib, threads, gpu } = demand;
  return {
    demand: {
      cpuMillicores: -cpuMillicores,
      memoryMib: -memoryMib,
      threads,
      ...(gpu === undefined ? {} : { gpu: { shareMillis: -gpu.shareMillis, vramMib: -gpu.vramMib } }),
    },
    ...(gpuDeviceId === undefined ? {} : { gpuDeviceId }),
  };
}

/** What moved on the board moves in the plan: first everything is lifted, then everything is placed. */
function carryOver(
  { plan }: Matching,
  members: readonly Member[],
  units: readonly Unit<Seat>[],
  seating: Seating,
): Replanned {
  const movedFrom = new Set<Donor>();
  const toPlace: Placed[] = [];
  for (const [m, { need, instances, placed }] of members.entries())
    for (const [n, instance] of instances.entries()) {
      const before = placed[n];
      const seat = units[m]?.parts[n]?.at;
      if (seat !== undefined && seat.choice === before?.choice) continue;
      if (before !== undefined) {
        plan.lift(before);
        movedFrom.add(before.donor);
      }
      if (seat !== undefined)
        toPlace.push({ instance, need, donor: seating.donor(seat), choice: seat.choice });
    }
  for (const each of toPlace) plan.place(each);
  return { movedFrom, moved: toPlace };
}
