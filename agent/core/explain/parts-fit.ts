/** Which of the parts that start together would find a place now, and where. */
import type { Now } from '@plugpool/proto';
import { freeOf, type Placement } from '../donors/capacity.ts';
import { DonorSearch } from '../matching/donor-search.ts';
import { gangOf } from '../waiting/gang-of.ts';
import type { Need } from '../waiting/need.ts';
import type { Donor, Instance, State } from '../state.ts';
import { beginTurn } from '../turn.ts';

/** As the step would place them, one after the other; what is taken for the trial is given back. Empty of any other task. */
export function partsThatFit(
  state: State,
  instance: Instance,
  need: Need,
  now: Now,
): ReadonlyMap<Instance, Donor> {
  const fitting = new Map<Instance, Donor>();
  const gang = gangOf(instance);
  if (gang === undefined || state.stopping) return fitting;
  const turn = beginTurn(state, now);
  const freeBefore = new Map<Donor, Donor['free']>();
  for (const part of gang.instances) {
    const best = new DonorSearch(turn, part, need).run();
    if (best === undefined) break;
    const { donor, choice } = best;
    if (!freeBefore.has(donor)) freeBefore.set(donor, donor.free);
    donor.free = lessOne(donor, choice.placement);
    fitting.set(part, donor);
  }
  for (const [donor, free] of freeBefore) donor.free = free;
  return fitting;
}

function lessOne({ free }: Donor, placement: Placement): Donor['free'] {
  return freeOf(free, [placement]);
}
