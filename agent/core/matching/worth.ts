/** What one run is worth to a pile that has to choose: the idle capacity that it puts to use, and for how long. Pure. */
import { dominantShare } from '../donors/capacity.ts';
import { wallMsFor } from '../feasible/expected-run.ts';
import type { Need, Way } from '../waiting/need.ts';
import type { State } from '../state.ts';

/**
 * The share of the largest vehicle that the preferred demand takes, in the dimension that it leans on, times its run time on
 * the reference core; of several programs, the one that takes least. So the same request is worth the same on every donor and
 * in every way, and nobody gains by asking for a wasteful one.
 */
export function worthOf(state: State, { ways }: Need): number {
  const preferred = ways.filter(({ alternative }) => alternative === 0);
  return preferred.reduce((least, way) => Math.min(least, worthOfWay(state, way)), Infinity);
}

function worthOfWay({ settings: { largestDonor } }: State, { demand, workMncs }: Way): number {
  const share = Math.min(1, dominantShare(demand, largestDonor));
  return share * wallMsFor(workMncs, demand, 1000);
}
