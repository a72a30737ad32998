/** A dispute that is over, decided or not: who was part of it is believed as before, as far as it was not outvoted. */
import type { Instance, Task } from '../state.ts';
import type { Turn } from '../turn.ts';
import { forgetComparisons } from './agreement.ts';
import { partsOf, replicasOf } from './replicas-of.ts';

export function endDispute({ state, changedDonors }: Turn, first: Instance): void {
  for (const { result } of replicasOf(first)) {
    if (result === undefined) continue;
    state.trust.decided(result.donor, first.instanceId);
    // Who is believed may be given what another may not (keeps-state.ts).
    const donor = state.donors.get(result.donor);
    if (donor !== undefined) changedDonors.add(donor);
  }
  state.timers.clear(`replica:${first.instanceId}`);
  forgetComparisons(state, first);
}

/** Its task ends, whatever its parts have come to. */
export function endDisputes(turn: Turn, task: Task): void {
  for (const first of partsOf(task)) endDispute(turn, first);
}
