/** What the two sides require of each other, in CEL: the requester of the donor, the donor's owner of the request. */
import { isMatch } from './constraint.ts';
import { donorFacts, requestFacts } from './facts.ts';
import { wallMsFor } from '../feasible/expected-run.ts';
import { DONOR_VERDICTS_MAX, OWNER_VERDICTS_MAX } from '../limits.ts';
import type { Way } from '../waiting/need.ts';
import { priorityOf } from '../tasks/priority.ts';
import type { Donor, Instance, State } from '../state.ts';

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
export function ownerAllows(state: State, text: string, instance: Instance, way: Way): boolean {
  const { algorithm } = way;
  const key = `${algorithm.id}@${algorithm.version}/${way.alternative} ${text}`;
  const known = instance.ownerVerdicts?.get(key);
  if (known !== undefined) return known;
  const compiled = state.constraints.compile(text, 'request');
  const allows = compiled.ok && isMatch(compiled.constraint, factsOf(state, instance, way));
  const verdicts = (instance.ownerVerdicts ??= new Map<string, boolean>());
  if (verdicts.size >= OWNER_VERDICTS_MAX) verdicts.clear();
  verdicts.set(key, allows);
  return allows;
}

function factsOf(state: State, { task }: Instance, way: Way): ReturnType<typeof requestFacts> {
  const { record } = task;
  return requestFacts(state, {
    record,
    algorithm: way.algorithm,
    demand: way.demand,
    runMs: wallMsFor(way.workMncs, way.demand, 1000),
    class: way.class,
    priority: priorityOf(record.wants, state.settings),
  });
}
