/**
 * What is placed together, or moved, passes over those who are due without asking each donor for its target requester: here that
 * is counted with them, and undone where the grant was owed (dues.ts).
 */
import { gangOf } from '../waiting/gang-of.ts';
import type { Matching, Placed, Plan } from './plan.ts';
import type { Replanned } from './replan.ts';
import { dueOn } from './target.ts';
import type { Donor, Instance } from '../state.ts';
import { isOwed } from '../waiting/dues.ts';

/** Counts, with those who were due, that others were placed together where they could have run. */
export function countPasses({ turn, plan }: Matching, placed: readonly Placed[]): void {
  for (const one of placed) plan.lift(one);
  const passed = new Set<Instance>();
  for (const { donor } of placed) {
    // Of the others nobody who waited could have had more (match.ts).
    const due = turn.changedDonors.has(donor) ? dueOn(turn, donor) : undefined;
    if (due !== undefined && placed.every(({ instance }) => instance !== due)) passed.add(due);
  }
  for (const instance of passed) instance.passedOver += 1;
  for (const one of placed) plan.place(one);
}

/** What was planned again took its room from nobody who is owed it; the donors that may choose once more. */
export function settle({ turn, plan }: Matching, { moved, movedFrom }: Replanned): ReadonlySet<Donor> {
  const donors = new Set(movedFrom);
  const leftOut = new Set<unknown>();
  for (const one of moved) plan.lift(one);
  for (const one of moved) {
    const whole = wholeOf(one.instance);
    const due = turn.changedDonors.has(one.donor) ? dueOn(turn, one.donor) : undefined;
    if (!leftOut.has(whole)) plan.place(one);
    if (due === undefined || moved.some(({ instance }) => instance === due)) continue;
    if (!isOwed(turn.state, due, turn.now)) due.passedOver += 1;
    else {
      leftOut.add(whole);
      for (const donor of leaveOut(plan, whole)) donors.add(donor);
    }
  }
  return donors;
}

/** All parts that are to start together, or the one. */
function wholeOf(instance: Instance): unknown {
  return gangOf(instance) ?? instance;
}

function leaveOut(plan: Plan, whole: unknown): Donor[] {
  const out = [...plan.placements()].filter(({ instance }) => wholeOf(instance) === whole);
  for (const each of out) plan.lift(each);
  return out.map(({ donor }) => donor);
}
