/**
 * What the results of a part decide: accepted, once as many owners agree as must; else who is missing joins the line.
 *
 *   one result differs from another ──► one more must agree, as far as the replicas that may still come reach; who differs is
 *                                       not believed until it is decided
 *   enough agree                    ──► the part is settled (settle.ts)
 *   they cannot agree any more      ──► the task is dead, with its history
 */
import { REPLICAS_MAX } from '../limits.ts';
import type { ComparedPair } from '../events.ts';
import type { Instance } from '../state.ts';
import { instanceOf } from '../tasks/open-task.ts';
import { endTask } from '../tasks/task-end.ts';
import { log, type Turn } from '../turn.ts';
import { pairName, verdictOn, type Verdict } from './agreement.ts';
import { addReplicas } from './at-grant.ts';
import { beginPatience, waitForOthers } from './patience.ts';
import { firstOf, hasReplicas, isAskedFor, partsOf, replicasOf } from './replicas-of.ts';
import { settlePart } from './settle.ts';

/** A result came, or two were compared. */
export function decidePart(turn: Turn, first: Instance): void {
  if (first.task.end !== undefined || first.quorum === 1 || first.settled) return;
  const verdict = verdictOn(turn, first);
  if (verdict === undefined) return;
  const reach = verdict.agreeing + REPLICAS_MAX - verdict.results.length;
  const quorum = quorumOf(first, verdict, reach);
  if (verdict.agreeing >= quorum) return settlePart(turn, first, verdict, 'agreed');
  if (verdict.isDisputed) suspend(turn, first, verdict);
  if (reach < quorum) return giveUp(turn, first, verdict);
  raise(turn, first, quorum, verdict);
  waitForOthers(turn, first, verdict);
}

export function onCompared(turn: Turn, pair: ComparedPair, isSame: boolean): void {
  const { state } = turn;
  // Meanwhile the part was decided, or the state was loaded again and asked once more.
  if (state.comparisons.get(pairName(pair)) !== 'asked') return;
  state.comparisons.set(pairName(pair), isSame ? 'same' : 'different');
  const instance = instanceOf(state, pair.one);
  if (instance !== undefined) decidePart(turn, firstOf(instance));
}

/**
 * After a load: what was being compared, disputed or waited for was in memory alone. Who could confirm a result may not be
 * connected again yet, so none is taken as it is before the patience is over.
 */
export function decideAll(turn: Turn): void {
  for (const task of turn.state.tasks.values()) {
    if (task.end !== undefined || !hasReplicas(task)) continue;
    for (const first of partsOf(task)) {
      if (first.settled || first.quorum === 1) continue;
      if (replicasOf(first).every(({ result }) => result === undefined)) continue;
      if (!isAskedFor(first)) beginPatience(turn, first);
      decidePart(turn, first);
    }
  }
}

/** A dispute asks for one more, but never for more than can still come. */
function quorumOf({ task }: Instance, { isDisputed }: Verdict, reach: number): number {
  const asked = Math.max(2, task.record.wants?.quorum ?? 1);
  return isDisputed ? Math.max(asked, Math.min(asked + 1, reach)) : asked;
}

function suspend({ state }: Turn, first: Instance, { results }: Verdict): void {
  for (const { result } of results) state.trust.dispute(result.donor, first.instanceId);
}

/** As many as are missing when all that run or wait agree with the most. */
function raise(turn: Turn, first: Instance, quorum: number, { agreeing, results }: Verdict): void {
  const pending = replicasOf(first).length - results.length;
  const missing = quorum - agreeing - pending;
  if (missing > 0) addReplicas(turn, first, missing);
  if (first.quorum === quorum) return;
  first.quorum = quorum;
  turn.changedInstances.set(first.instanceId, first);
}

function giveUp(turn: Turn, first: Instance, { results, agreeing }: Verdict): void {
  const { taskId } = first.task.record;
  log(turn, 'warn', 'results do not agree', { taskId, results: results.length, agreeing });
  const detail = `of ${results.length} results no ${Math.max(2, first.quorum)} of different owners agree`;
  endTask(turn, first.task, { state: 'dead', failure: { code: 'no_agreement', detail, stderrTail: '' } });
}
