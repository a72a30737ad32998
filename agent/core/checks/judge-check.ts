/**
 * What a donor answered to a question whose answer is known: right, and it is believed the more; wrong, and it lied; ended at a
 * limit, and it is neither, so often in a row (trust-book.ts), and is paid nothing for it.
 */
import type { Result } from '@plugpool/proto';
import { learnFromResult, runMsOf } from '../learned/learn.ts';
import { bookResult } from '../ledger/bookings.ts';
import { closeLease } from '../leases/lease.ts';
import type { Comparison } from '../records.ts';
import { compareInline } from '../replicas/compare.ts';
import { endedByLimit } from '../replicas/ended-by-limit.ts';
import { learnAgreed, learnInconclusive, learnOutvoted } from '../replicas/keep-trust.ts';
import { restOutvoted } from '../replicas/outvoted.ts';
import type { Instance, Lease } from '../state.ts';
import { programOf, ranBy } from '../tasks/parts.ts';
import { endTask } from '../tasks/task-end.ts';
import { log, type Turn } from '../turn.ts';
import { CHECKER } from './checker.ts';
import type { KnownAnswer } from './known-answers.ts';

/** It is credited as for any other run, at the operator's cost: a donor that lied is not told that it was found out. */
export function judgeCheck(
  turn: Turn,
  { instance, lease }: { readonly instance: Instance; readonly lease: Lease },
  answer: KnownAnswer,
  result: Result,
): void {
  const { outcome, used } = result;
  const { vehicleId, algorithm } = lease;
  const key = `${algorithm.id}@${algorithm.version}`;
  const verdict = verdictOn(outcome, answer, algorithm.compare ?? { by: 'bytes' });
  closeLease(turn, instance, outcome.ok ? 'completed' : 'failed', outcome.ok ? '' : outcome.failure.code);
  if (verdict === 'right') {
    learnFromResult(turn, instance.task, { ...lease, runMs: runMsOf(turn, lease, used) }, 'believed');
    learnAgreed(turn, vehicleId, key, 'check');
  } else if (verdict === 'inconclusive') {
    learnInconclusive(turn, vehicleId, key, 'check');
  } else {
    log(turn, 'warn', 'wrong answer to a spot check', { vehicleId, taskId: instance.task.record.taskId });
    learnOutvoted(turn, vehicleId);
    restOutvoted(turn, vehicleId, lease.demand);
    turn.state.answers.doubt(key, answer);
  }
  if (!outcome.ok)
    return endTask(turn, instance.task, { ...ranBy(lease, used), state: 'failed', failure: outcome.failure });
  const chargedMncs = bookResult(turn, instance, lease, used);
  const about = { donor: vehicleId, used, ...programOf(lease) };
  endTask(turn, instance.task, { ...about, state: 'completed', output: outcome.output, chargedMncs });
}

/** Known answers are small: what did not fit into the message is another, unless it only came another way. */
function verdictOn(
  outcome: Result['outcome'],
  { output }: KnownAnswer,
  compare: Comparison,
): 'right' | 'wrong' | 'inconclusive' {
  if (!outcome.ok) return endedByLimit(outcome.failure) ? 'inconclusive' : 'wrong';
  if (outcome.output.where === 'inline')
    return compareInline(outcome.output.bytes, output, compare) ? 'right' : 'wrong';
  return outcome.output.blob.sizeBytes === output.length ? 'inconclusive' : 'wrong';
}

/** After a load nobody knows any more what the right answers were. */
export function dropChecks(turn: Turn): void {
  for (const task of turn.state.tasks.values())
    if (task.record.vehicleId === CHECKER && task.end === undefined) dropCheck(turn, task.instances[0]);
}

/** Its donor left, or would not run it: that is nobody's fault, and nobody waits for it. */
export function dropCheck(turn: Turn, instance: Instance | undefined): void {
  if (instance === undefined) return;
  const failure = { code: 'cancelled', detail: 'a spot check that came to nothing', stderrTail: '' };
  endTask(turn, instance.task, { state: 'cancelled', failure });
}
