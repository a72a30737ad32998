/** What the two sides require of each other, in CEL: the requester of the donor, the donor's owner of the request. */
import type { Now } from '@plugpool/proto';
import { isMatch } from './constraint.ts';
import { donorFacts, requestFacts } from './facts.ts';
import { wallMsFor } from '../feasible/expected-run.ts';
import {
  DONOR_VERDICTS_MAX,
  OWNER_VERDICTS_AT_ONCE_MAX,
  OWNER_VERDICTS_EVERY_MS,
  OWNER_VERDICTS_MAX,
} from '../limits.ts';
import type { Way } from '../waiting/need.ts';
import { priorityOf } from '../tasks/priority.ts';
import type { Donor, Instance, State, Task } from '../state.ts';

/** Only `true` is; the verdict holds until anything about the donor changes. */
export function constraintHolds(state: State, text: string, donor: Donor): boolean {
  const known = donor.verdicts?.get(text);
  if (known !== undefined) return known;
  const compiled = state.constraints.compile(text, 'donor');
  const holds = compiled.ok && isMatch(compiled.constraint, donorFacts(state, donor));
  const verdicts = (donor.verdicts ??= new Map<string, boolean>());
  if (verdicts.size >= DONOR_VERDICTS_MAX) verdicts.clear();
  verdicts.set(text, holds);
  return holds;
}

/** Whether the owner takes that request, run in that way. Never changes while the request waits. */
export function ownerAllows(state: State, text: string, { task }: Instance, way: Way): boolean {
  const known = task.ownerVerdicts?.get(text)?.get(way);
  if (known !== undefined) return known;
  const compiled = state.constraints.compile(text, 'request');
  const allows = compiled.ok && isMatch(compiled.constraint, factsOf(state, task, way));
  remember(task, text, way, allows);
  return allows;
}

/**
 * Whether matching may find out now: what is known costs nothing, and else a donor has so many verdicts a while. An owner who
 * changes his constraint with each report would have all who wait judged each time; beyond that they are left for the next while.
 */
export function mayJudge(
  state: State,
  text: string,
  donor: Donor,
  { task }: Instance,
  way: Way,
  now: Now,
): boolean {
  if (task.ownerVerdicts?.get(text)?.has(way) === true) return true;
  if (donor.judging === undefined || donor.judging.untilMonoMs <= now.monoMs)
    donor.judging = { untilMonoMs: now.monoMs + OWNER_VERDICTS_EVERY_MS, left: OWNER_VERDICTS_AT_ONCE_MAX };
  donor.judging.left -= 1;
  // It looks at those who wait once more.
  if (donor.judging.left === -1) state.timers.set(`judge:${donor.vehicleId}`, donor.judging.untilMonoMs);
  return donor.judging.left >= 0;
}

/** By the owner's text itself, which all tasks share: a key put together for each would take 2 KiB of each. */
function remember(task: Task, text: string, way: Way, allows: boolean): void {
  const byText = (task.ownerVerdicts ??= new Map<string, Map<Way, boolean>>());
  let byWay = byText.get(text);
  if (byWay === undefined) {
    if (byText.size >= OWNER_VERDICTS_MAX) byText.clear();
    byText.set(text, (byWay = new Map<Way, boolean>()));
  }
  if (byWay.size >= OWNER_VERDICTS_MAX) byWay.clear();
  byWay.set(way, allows);
}

/** A spot check is judged as the request at whose grant it was drawn: else an owner could refuse whatever is one. */
function factsOf(
  state: State,
  { record: own, judgedAs: record = own }: Task,
  way: Way,
): ReturnType<typeof requestFacts> {
  return requestFacts(state, {
    record,
    algorithm: way.algorithm,
    demand: way.demand,
    runMs: wallMsFor(way.workMncs, way.demand, 1000),
    class: way.class,
    priority: priorityOf(record.wants, state.settings),
  });
}
