/** The spots of a board: on which donors, in which ways and on which GPUs what is planned together may stand. */
import type { Capacity } from '@plugpool/proto';
import type { Spot, Taken } from './board.ts';
import { atLeast, isPossible } from './donor-search.ts';
import type { Member } from './members.ts';
import type { Matching, Placed } from './plan.ts';
import { compareDonors } from './rank.ts';
import { freeOf, type Placement } from '../donors/capacity.ts';
import { choicesOn, choose, type Choice } from '../feasible/feasible.ts';
import { REPLAN_DONORS_PER_NEED_MAX, REPLANNED_DONORS_MAX } from '../limits.ts';
import type { Donor, Instance } from '../state.ts';
import type { Turn } from '../turn.ts';
import type { Need, Way } from '../waiting/need.ts';

export interface Seat extends Spot {
  readonly donor: number;
  readonly choice: Choice;
}

/** Where each may stand, with all that is planned taken back. */
export class Seating {
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
