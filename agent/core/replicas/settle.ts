/** A part is decided: one of its results is accepted, who agreed is credited and believed the more, who was outvoted is not. */
import type { ConnectorId } from '@plugpool/proto';
import { keepAnswer } from '../checks/keep-answer.ts';
import { learnFromResult } from '../learned/learn.ts';
import { learnFromRun } from '../learned/learn-use.ts';
import { bookAgreement, type AgreeingClaim } from '../ledger/bookings.ts';
import { revokeAtOnce } from '../leases/lease.ts';
import { alignPools } from '../pools/replan.ts';
import type { PartResultRecord } from '../records.ts';
import type { Instance } from '../state.ts';
import { acceptPart, failTask, type Program } from '../tasks/parts.ts';
import { leaveLine, log, type Turn } from '../turn.ts';
import type { Returned, Verdict } from './agreement.ts';
import { endDispute } from './end-disputes.ts';
import { endedByLimit } from './ended-by-limit.ts';
import { learnAgreed, learnInconclusive, learnOutvoted } from './keep-trust.ts';
import { restOutvoted } from './outvoted.ts';
import { firstOf, replicasOf } from './replicas-of.ts';

/** `unconfirmed`: nobody of another owner came to say the same; nothing is learned of anybody's honesty. */
export function settlePart(
  turn: Turn,
  first: Instance,
  { best, results, agreeing }: Verdict,
  how: 'agreed' | 'unconfirmed',
): void {
  const [accepted] = best;
  if (accepted === undefined) throw new Error(`${first.instanceId} is settled without a result`);
  endDispute(turn, first);
  if (how === 'agreed') judge(turn, first, best, results);
  for (const instance of replicasOf(first)) stop(turn, instance);
  const { failure } = accepted.result.run ?? {};
  if (failure !== undefined) return failTask(turn, accepted, failure, agreeing);
  learn(turn, best, how);
  const chargedMncs = bookAgreement(turn, first, best.flatMap(claimIn));
  for (const { instance } of results) if (instance !== accepted.instance) instance.result = undefined;
  if (how === 'agreed') keepAnswer(turn.state, first.task, first.program ?? '', best);
  const program = programIn(accepted.result);
  acceptPart(turn, accepted.instance, { ...accepted.result, chargedMncs, agreeing }, program);
}

/** Of a run that an older version kept. */
const UNKNOWN = 'unknown/unknown/unknown' as ConnectorId;

function claimIn({ instance, result }: Returned): AgreeingClaim[] {
  if (result.run === undefined) return [];
  const { claim, fencingToken, connectorId = UNKNOWN } = result.run;
  return [{ instanceId: instance.instanceId, fencingToken, vehicleId: result.donor, connectorId, claim }];
}

function programIn({ run }: PartResultRecord): Program {
  if (run === undefined) throw new Error('a replica returned a result without its run');
  return { algorithmId: run.algorithmId, algorithmVersion: run.algorithmVersion };
}

/** Who ends at a limit agrees with nobody and contradicts nobody: it may be small, or busy, or have something to hide. */
function judge(turn: Turn, first: Instance, best: readonly Returned[], results: readonly Returned[]): void {
  const key = first.program ?? '';
  const isAtLimit = best.some(hitLimit);
  for (const { result } of isAtLimit ? [] : best) learnAgreed(turn, result.donor, key, 'replica');
  for (const each of results) {
    if (best.includes(each)) continue;
    const { donor, run } = each.result;
    if (hitLimit(each)) learnInconclusive(turn, donor, key, 'replica');
    if (isAtLimit || hitLimit(each)) continue;
    log(turn, 'warn', 'result outvoted', { instanceId: each.instance.instanceId, vehicleId: donor });
    learnOutvoted(turn, donor);
    if (run !== undefined) restOutvoted(turn, donor, run.demand);
  }
}

function hitLimit({ result }: Returned): boolean {
  return endedByLimit(result.run?.failure);
}

/** What is not believed tells little of how long such runs take. */
function learn(turn: Turn, best: readonly Returned[], how: 'agreed' | 'unconfirmed'): void {
  let isNewClass = false;
  for (const { instance, result } of best) {
    const algorithm = turn.state.algorithms.get(firstOf(instance).program ?? '');
    if (result.run === undefined || algorithm === undefined) continue;
    const { demand, runMs } = result.run;
    const ran = { vehicleId: result.donor, algorithm, demand };
    if (instance.checkpoint === undefined)
      learnFromResult(turn, instance.task, { ...ran, runMs }, how === 'agreed' ? 'believed' : 'doubted');
    if (how === 'agreed') isNewClass = learnFromRun(turn, ran, result.used) || isNewClass;
  }
  if (isNewClass) alignPools(turn);
}

/** Whoever still runs it is told to stop: its result could change nothing any more. */
function stop(turn: Turn, instance: Instance): void {
  instance.settled = true;
  leaveLine(turn, instance);
  revokeAtOnce(turn, instance, 'superseded', 'cancelled');
  turn.changedInstances.set(instance.instanceId, instance);
}
