/** What donors say of their attempts: renewals, declines, results. Only the holder of the live fencing token is heard. */
import type { Decline, Failure, FailureCode, LeaseId, Renewal, Result, VehicleId } from '@plugpool/proto';
import { awaitBlob, TOO_MANY_UPLOADS } from '../payloads/blobs.ts';
import { bookResult } from '../ledger/bookings.ts';
import { judgeCheck } from '../checks/judge-check.ts';
import { closeLease, renew } from './lease.ts';
import { learnFromCrash, learnFromResult, runMsOf } from '../learned/learn.ts';
import { avoid, loseLease } from './lost-lease.ts';
import { mayBeOnDisk, RESULT_REFUSED, takenAck, voidAck } from './result-answer.ts';
import { noteSuspension } from './suspension.ts';
import { shouldKeepState } from './checkpoint-interval.ts';
import { heldMsMax } from './offer.ts';
import { alignPools } from '../pools/replan.ts';
import { learnFromRun } from '../learned/learn-use.ts';
import { acceptPart, programOf, ranBy } from '../tasks/parts.ts';
import { isReplicated } from '../replicas/replicas-of.ts';
import { takeReplicaResult } from '../replicas/take-result.ts';
import type { Heard } from '../events.ts';
import { instanceOf, taskIdOf } from '../tasks/open-task.ts';
import type { Client, Instance, Lease, State } from '../state.ts';
import { endTask } from '../tasks/task-end.ts';
import { tellRequester } from '../tasks/task-news.ts';
import { log, refuse, send, type Turn } from '../turn.ts';

/** Failures that another donor may not have. */
const DONORS_OWN: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'checkpoint_invalid',
  'image_unavailable',
  'input_unavailable',
  'sandbox_unavailable',
  'runtime_crashed',
]);

export interface Holding {
  readonly instance: Instance;
  readonly lease: Lease;
}

/** The lease, where its token is the live one and that vehicle holds it. */
export function holdingOf(state: State, vehicleId: VehicleId, id: LeaseId): Holding | undefined {
  const instance = instanceOf(state, id.instanceId);
  const lease = instance?.lease;
  if (instance === undefined || lease === undefined) return undefined;
  if (lease.fencingToken !== id.fencingToken || lease.vehicleId !== vehicleId) return undefined;
  return { instance, lease };
}

export function onRenewal(turn: Turn, client: Client, renewal: Renewal, correlationId: number): void {
  const { state } = turn;
  const held: LeaseId[] = [];
  const keepState: LeaseId[] = [];
  for (const entry of renewal.held) {
    const holding = holdingOf(state, client.name.vehicleId, entry.lease);
    if (holding === undefined) {
      state.counters.staleMessages += 1;
      continue;
    }
    const { instance, lease } = holding;
    if (turn.now.monoMs - lease.grantedMonoMs > heldMsMax(turn, lease)) {
      log(turn, 'warn', 'lease held too long', { ...entry.lease, vehicleId: lease.vehicleId });
      endAttempt(turn, holding, 'crashed', 'it was held for longer than its limits allow');
      continue;
    }
    held.push(entry.lease);
    noteSuspension(lease, entry.suspended === true, turn.now.monoMs);
    if (shouldKeepState(turn, lease)) keepState.push(entry.lease);
    const news = lease.phase === 'granted' || entry.progressPermille > lease.progressPermille;
    lease.progressPermille = Math.max(lease.progressPermille, entry.progressPermille);
    renew(turn, instance, lease);
    if (news)
      tellRequester(turn, instance.task, {
        state: 'running',
        attempt: instance.attempts,
        progressPermille: lease.progressPermille,
        donor: lease.vehicleId,
      });
  }
  const { leaseMs } = state.settings;
  const keep = keepState.length === 0 ? {} : { keepState };
  send(turn, client.name.clientId, { kind: 'renewed', held, leaseMs, ...keep }, correlationId);
}

/** The donor will not run it, or stopped it as it was told to. */
export function onDecline(turn: Turn, client: Client, decline: Decline): void {
  const holding = holdingOf(turn.state, client.name.vehicleId, decline.lease);
  if (holding === undefined) {
    turn.state.counters.staleMessages += 1;
    return;
  }
  endAttempt(turn, holding, 'declined', decline.reason);
}

export function onResult(turn: Turn, client: Client, heard: Heard<Result>): void {
  const { state } = turn;
  const { body, correlationId } = heard.envelope;
  const holding = holdingOf(state, client.name.vehicleId, body.lease);
  if (holding === undefined) {
    state.counters.staleMessages += 1;
    return askDisk(turn, client, body.lease, correlationId);
  }
  const { outcome } = body;
  if (outcome.ok && outcome.output.where === 'blob' && !heard.blobHeld) {
    // The lease goes on while the bytes are pulled: the donor renews it until the result is acknowledged.
    const { envelope, bodyHash } = heard;
    const waits = awaitBlob(turn, client, outcome.output.blob, { envelope, bodyHash }, requesterOf(holding));
    if (!waits) refuse(turn, { clientId: client.name.clientId, correlationId }, [TOO_MANY_UPLOADS], true);
    return;
  }
  holding.lease.handedIn = true;
  if (!outcome.ok && outcome.failure.code === 'revoked')
    endAttempt(turn, holding, 'departed', outcome.failure.detail);
  else if (!outcome.ok && DONORS_OWN.has(outcome.failure.code)) crash(turn, holding, outcome.failure);
  else finish(turn, holding, body);
  send(turn, client.name.clientId, takenAck(body.lease), correlationId);
}

/** The lease is over, or never was this vehicle's: which of them the disk knows, and with it what was said of the result before. */
function askDisk(turn: Turn, { name: { clientId } }: Client, lease: LeaseId, correlationId: number): void {
  if (mayBeOnDisk(turn.state, lease)) {
    const taskId = taskIdOf(lease.instanceId);
    turn.effects.resultRecalls.push({ clientId, correlationId, taskId, lease });
    return;
  }
  const ack = voidAck(lease);
  send(turn, clientId, ack, correlationId);
  log(turn, 'warn', RESULT_REFUSED, { clientId, ...lease, reason: ack.reason });
}

function requesterOf({ instance }: Holding): VehicleId {
  return instance.task.record.vehicleId;
}

/** What it should go on from may be no checkpoint. */
function crash(turn: Turn, holding: Holding, { code, detail }: Failure): void {
  if (code === 'checkpoint_invalid') {
    const { keptBy } = holding.instance;
    // Who of the two is at fault nobody can tell: it is held against both, and adds up with the one who does it again.
    if (keptBy !== undefined && keptBy !== holding.lease.vehicleId)
      learnFromCrash(turn, { ...holding.lease, vehicleId: keptBy });
    dropCheckpoint(turn, holding);
  }
  endAttempt(turn, holding, 'crashed', `${code}: ${detail}`);
}

/** A revocation that is under way says how the attempt ends; otherwise what the donor said does. */
function endAttempt(
  turn: Turn,
  { instance, lease }: Holding,
  outcome: 'declined' | 'departed' | 'crashed',
  reason: string,
): void {
  const { revocation } = lease;
  if (outcome === 'crashed') learnFromCrash(turn, lease);
  loseLease(turn, instance, revocation?.outcome ?? outcome, revocation?.reason ?? reason);
}

/** The one accepted result of its instance: booked, written and delivered in the same transaction. */
function finish(turn: Turn, holding: Holding, result: Result): void {
  const { instance, lease } = holding;
  const { outcome, used } = result;
  const { check } = instance.task;
  if (check !== undefined) return judgeCheck(turn, holding, check, result);
  if (!outcome.ok && lease.beganAtMncs > 0) return failAfterCheckpoint(turn, holding, outcome.failure.code);
  if (isReplicated(instance)) return takeReplicaResult(turn, holding, result);
  if (!outcome.ok) {
    closeLease(turn, instance, 'failed', outcome.failure.code);
    // The program's own doing: it would fail the same way anywhere, and nobody is charged for it.
    return endTask(turn, instance.task, { ...ranBy(lease, used), state: 'failed', failure: outcome.failure });
  }
  closeLease(turn, instance, 'completed', '');
  // A run that went on from a checkpoint, or left one, is not the whole run.
  if (instance.checkpoint === undefined) {
    const { vehicleId, algorithm, demand } = lease;
    const ran = { vehicleId, algorithm, demand, runMs: runMsOf(turn, lease, used) };
    learnFromResult(turn, instance.task, ran, 'believed');
  }
  if (learnFromRun(turn, lease, used)) alignPools(turn);
  const chargedMncs = bookResult(turn, instance, lease, used);
  const accepted = { output: outcome.output, donor: lease.vehicleId, used, chargedMncs };
  acceptPart(turn, instance, accepted, programOf(lease));
}

/** The state that another donor left may be the reason, by its fault or by its doing: only what fails from its start has failed. */
function failAfterCheckpoint(turn: Turn, holding: Holding, code: FailureCode): void {
  dropCheckpoint(turn, holding);
  const reason = `${code} after it went on from a checkpoint: it starts anew`;
  loseLease(turn, holding.instance, 'crashed', reason);
}

/** The next attempt starts anew, and whoever left it is not asked for that one. */
function dropCheckpoint(turn: Turn, { instance, lease }: Holding): void {
  const { keptBy } = instance;
  instance.checkpoint = undefined;
  instance.keptBy = undefined;
  if (keptBy !== undefined && keptBy !== lease.vehicleId) avoid(turn, instance, keptBy);
}
