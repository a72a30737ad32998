/**
 * How long a result waits to be confirmed. What the pile alone wants confirmed must not make a pile useless where all who lend are
 * of one owner: where no other could run it, or none did in time, the result is taken as it is, and nobody is believed for it. What
 * its requester asked for waits until the deadline.
 */
import type { InstanceId } from '@plugpool/proto';
import { mayEverRun } from '../feasible/feasible.ts';
import type { Instance } from '../state.ts';
import { queue, type Turn } from '../turn.ts';
import { neededBy } from '../waiting/line.ts';
import { verdictOn, type Returned, type Verdict } from './agreement.ts';
import { firstOf, hasReplicas, isAskedFor, replicasOf } from './replicas-of.ts';
import { settlePart } from './settle.ts';

/** Called when a result came, and its part is not decided. */
export function waitForOthers(turn: Turn, first: Instance, verdict: Verdict): void {
  if (isAskedFor(first) || verdict.results.length === 0) return;
  // It waits already.
  if (turn.state.timers.has(timerOf(first))) return;
  if (!verdict.isDisputed && isAlone(turn, first)) return settlePart(turn, first, verdict, 'unconfirmed');
  beginPatience(turn, first);
}

export function beginPatience({ state, now }: Turn, first: Instance): void {
  state.timers.set(timerOf(first), now.monoMs + state.settings.confirmWithinMs);
}

function timerOf({ instanceId }: Instance): `replica:${InstanceId}` {
  return `replica:${instanceId}`;
}

/** The patience is over. What runs already is waited for, and whoever wants to disprove a result must be heard. */
export function onPatienceOver(turn: Turn, first: Instance): void {
  if (first.task.end !== undefined || first.settled) return;
  const runs = replicasOf(first).some(({ lease }) => lease !== undefined);
  const verdict = runs ? undefined : verdictOn(turn, first);
  const taken = verdict && takenOf(turn, first, verdict);
  if (taken !== undefined) return settlePart(turn, first, taken.verdict, taken.how);
  beginPatience(turn, first);
}

/** Nobody runs it, and nobody who lends now and is of another owner ever could. */
function isAlone({ state, now }: Turn, first: Instance): boolean {
  const replicas = replicasOf(first);
  if (replicas.some(({ lease }) => lease !== undefined)) return false;
  const waiting = replicas.find((each) => state.waiting.has(each));
  if (waiting === undefined) return false;
  const need = neededBy(state, waiting);
  for (const donor of state.index.donors()) if (mayEverRun(state, waiting, need, donor, now)) return false;
  return true;
}

interface Taken {
  readonly verdict: Verdict;
  readonly how: 'agreed' | 'unconfirmed';
}

/**
 * What is taken where no other owner comes. Of a dispute what most say, where that is two at least; else what one says who
 * agreed more often than the others before. Undefined: it goes on, until somebody comes or the deadline does.
 */
function takenOf(turn: Turn, first: Instance, verdict: Verdict): Taken | undefined {
  const { isDisputed, isTied, agreeing, results } = verdict;
  if (!isDisputed) return { verdict, how: 'unconfirmed' };
  if (agreeing > 1) return isTied ? undefined : { verdict, how: 'agreed' };
  const { state, now } = turn;
  const weightOf = ({ result }: Returned): number =>
    state.trust.agreed(result.donor, first.program ?? '', now);
  const [best, next] = [...results].sort((a, b) => weightOf(b) - weightOf(a));
  if (best === undefined || weightOf(best) <= (next === undefined ? 0 : weightOf(next))) return undefined;
  return { verdict: { ...verdict, best: [best] }, how: 'unconfirmed' };
}

/** A replica is given up: what others returned is taken as it is, where that is allowed. True: it was. */
export function takeUnconfirmed(turn: Turn, instance: Instance): boolean {
  const first = firstOf(instance);
  if (first.quorum === 1 || isAskedFor(first)) return false;
  const verdict = verdictOn(turn, first);
  const taken =
    verdict === undefined || verdict.results.length === 0 ? undefined : takenOf(turn, first, verdict);
  if (taken === undefined) return false;
  settlePart(turn, first, taken.verdict, taken.how);
  return true;
}

/** A lease of one replica ended without a result: other vehicles of that owner may run the rest. */
export function wakeSiblings(turn: Turn, instance: Instance): void {
  const { waiting } = turn.state;
  if (!hasReplicas(instance.task)) return;
  for (const sibling of replicasOf(firstOf(instance))) {
    if (sibling === instance || !waiting.has(sibling)) continue;
    waiting.remove(sibling);
    queue(turn, sibling);
  }
}
