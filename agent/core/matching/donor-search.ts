/** Looks for the best donor of one instance: at those that may suit, in about the order in which they do. */
import { choiceFor, choose, pairObstacle, runObstacle, type Choice } from '../feasible/feasible.ts';
import { shortestRunMs } from '../feasible/expected-run.ts';
import { isKept } from './keep.ts';
import { BELIEVED_SPEED_MILLIS_MAX, DONORS_COMPARED_MAX } from '../limits.ts';
import type { Need, Way } from '../waiting/need.ts';
import { compareDonors, type RankedDonor } from './rank.ts';
import type { AtLeast } from './donor-index.ts';
import type { Donor, Instance, State } from '../state.ts';
import type { Turn } from '../turn.ts';

export class DonorSearch {
  /** Some donor was passed over for what concerns this instance alone. */
  metPersonalObstacle = false;
  readonly #turn: Turn;
  readonly #instance: Instance;
  readonly #need: Need;
  #best: RankedDonor | undefined;
  #compared = 0;

  constructor(turn: Turn, instance: Instance, need: Need) {
    this.#turn = turn;
    this.#instance = instance;
    this.#need = need;
  }

  run(): RankedDonor | undefined {
    const { state, now } = this.#turn;
    for (const way of this.#need.ways) {
      state.index.eachWithAtLeast(atLeast(state, way), now.monoMs, (donor) => this.#consider(donor));
      // A later way is second choice, whatever the donor.
      if (this.#best !== undefined) break;
    }
    return this.#best;
  }

  #consider(donor: Donor): boolean {
    const { state, now } = this.#turn;
    const choice = choose(state, this.#need, donor, now);
    if (choice === undefined) return true;
    const own = choiceFor(state, this.#instance, this.#need, donor, choice, now);
    if (own === undefined) {
      this.metPersonalObstacle = true;
      return true;
    }
    this.#compared += 1;
    const ranked = { donor, choice: own };
    if (this.#best === undefined || compareDonors(ranked, this.#best) < 0) this.#best = ranked;
    return this.#compared < DONORS_COMPARED_MAX;
  }
}

/** Nothing of its own forbids the instance to run there in that way. What is beside what is kept is given out one by one. */
export function isPossible({ state, now }: Turn, instance: Instance, donor: Donor, choice: Choice): boolean {
  if (isKept(state, donor)) return false;
  if (pairObstacle(state, instance, donor, now) !== undefined) return false;
  return runObstacle(state, instance, donor, choice, now) === undefined;
}

/** What no donor may lack, were it the fastest that is believed. */
export function atLeast(state: State, way: Way): AtLeast {
  const { cpuMillicores, memoryMib, gpu } = way.demand;
  return {
    cpuMillicores,
    memoryMib,
    gpuMillis: gpu?.shareMillis ?? 0,
    vramMib: gpu?.vramMib ?? 0,
    stayMs: way.checkpoints ? 0 : shortestRunMs(state, way, BELIEVED_SPEED_MILLIS_MAX),
  };
}
