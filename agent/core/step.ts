/**
 * The decisions of an agent. A new reader starts here.
 *
 *   events ──► each changes what is known ──► match: who runs where ──► effects
 *
 * A step takes whatever arrived while the last commit was under way, so that what came together is decided together. It has
 * no I/O, no clock and no randomness of its own: `now` comes in, the generator is part of the state, effects go out as data.
 * It owns the state and changes it in place; when the commit of its effects fails, the state is dropped and loaded again.
 */
import type { Now } from '@plugpool/proto';
import { assertNever } from './assert-never.ts';
import { onConnectorClaim } from './binding/claims.ts';
import { onPowerReport } from './binding/presence.ts';
import { onConnected, onDisconnected, onHello } from './clients/connections.ts';
import { issueChecks } from './checks/issue-check.ts';
import { dropChecks } from './checks/judge-check.ts';
import { writeCredits } from './credits/open-credit.ts';
import { writeSendings } from './credits/send-credit.ts';
import { refreshDonor } from './donors/donor.ts';
import { onCapacity } from './donors/report.ts';
import type { Effects } from './effects.ts';
import type { Event } from './events.ts';
import { forgetOld } from './housekeeping.ts';
import { writeLearned } from './learned/learn.ts';
import { onEarningsQuery } from './ledger/earnings.ts';
import { writeMetered } from './ledger/metered-energy.ts';
import { onCheckpoint } from './leases/checkpoints.ts';
import { onDecline, onRenewal, onResult } from './leases/results.ts';
import { match } from './matching/match.ts';
import { onOperator } from './operator.ts';
import { refuseAwaited, takeAwaited } from './payloads/blobs.ts';
import { endWithoutBytes } from './payloads/gone-bytes.ts';
import { deployImages } from './pools/deploy.ts';
import { countDonor } from './pools/pools.ts';
import { alignPools, keepPools } from './pools/replan.ts';
import { watchPools } from './pools/watch.ts';
import { onControlled } from './power/controlled.ts';
import { watchBudget } from './power/watch-budget.ts';
import { decideAll, onCompared } from './replicas/decide.ts';
import { onFirmware } from './sessions/firmware.ts';
import type { Client, State } from './state.ts';
import { onCancel } from './tasks/cancel.ts';
import { onRequest } from './tasks/requests.ts';
import { onDeliveryAck, onStatusQuery } from './tasks/status.ts';
import { tellAgain } from './tasks/task-end.ts';
import { onDeadline, onTimer } from './time.ts';
import { beginTurn, log, refuse, writeInstances, type Turn } from './turn.ts';

export function step(state: State, events: readonly Event[], now: Now): Effects {
  const turn = beginTurn(state, now);
  // What fell due before these events arrived comes first: a result that is late by a millisecond is late.
  passTime(turn);
  for (const event of events) apply(turn, event);
  if (state.fresh) lookAtAll(turn);
  watchBudget(turn);
  match(turn);
  issueChecks(turn);
  countWhole(turn);
  watchPools(turn);
  deployImages(turn);
  writeInstances(turn);
  writeCredits(turn);
  writeMetered(turn);
  writeSendings(turn);
  return turn.effects;
}

/**
 * After a load nobody was tried against anybody: every donor looks at every request once. What ended may be news to whoever is
 * there: the commit that said so may have reached the disk and been reported as failed.
 */
function lookAtAll(turn: Turn): void {
  turn.state.fresh = false;
  for (const task of turn.state.tasks.values()) tellAgain(turn, task);
  for (const name of turn.state.damaged.splice(0))
    log(turn, 'warn', 'what was learned is damaged and forgotten', { name });
  alignPools(turn);
  decideAll(turn);
  dropChecks(turn);
  for (const donor of turn.state.donors.values()) refreshDonor(turn, donor);
}

/** The index says who may be granted something: that is what sub-pools are parts of. */
function countWhole({ state, touchedDonors }: Turn): void {
  for (const donor of touchedDonors) {
    const isEligible = state.index.has(donor);
    countDonor(state.pools, donor.vehicleId, isEligible ? donor.lendable : undefined);
  }
}

/** When the next step is due even if nothing arrives, on the monotonic clock. */
export function nextDueMs(state: State): number | undefined {
  const timerMs = state.timers.nextMs();
  const deadlineMs = state.deadlines.nextMs();
  if (timerMs === undefined || deadlineMs === undefined) return timerMs ?? deadlineMs;
  return Math.min(timerMs, deadlineMs);
}

function passTime(turn: Turn): void {
  const { state, now } = turn;
  for (;;) {
    const dueMs = nextDueMs(state);
    if (dueMs === undefined || dueMs > now.monoMs) return;
    const task = state.deadlines.passed(dueMs);
    const name = task === undefined ? state.timers.takeDue(dueMs) : undefined;
    if (task !== undefined) onDeadline(turn, task);
    else if (name !== undefined) onTimer(turn, name);
  }
}

function apply(turn: Turn, event: Event): void {
  switch (event.kind) {
    case 'connected':
      return onConnected(turn, event.client, event.connection);
    case 'disconnected':
      return onDisconnected(turn, event.client, event.connection);
    case 'message':
      return onMessage(turn, event);
    case 'blobArrived':
      for (const awaited of takeAwaited(turn, event.digest, event.vehicleId))
        onMessage(turn, { ...awaited, blobHeld: true });
      return;
    case 'blobFailed':
      return refuseAwaited(turn, event.digest, event.vehicleId, event.why);
    case 'blobsGone':
      return endWithoutBytes(turn, event.digests);
    case 'compared':
      return onCompared(turn, event.pair, event.isSame);
    case 'firmware':
      return onFirmware(turn, event.event, event.source);
    case 'controlled':
      return onControlled(turn, event.control, event.outcome);
    case 'operator':
      return onOperator(turn, event.question, event.command);
    case 'tick':
      return;
    case 'housekeeping':
      writeLearned(turn);
      return forgetOld(turn);
    case 'stopping':
      turn.state.stopping = true;
      // The forecast of the day is not learned again after a restart.
      return keepPools(turn);
    default:
      return assertNever(event);
  }
}

type Message = Omit<Extract<Event, { kind: 'message' }>, 'kind'>;

/** Only the newest connection of a client is heard, and nothing but a hello before its welcome. */
function onMessage(turn: Turn, message: Message): void {
  const { clientId } = message.client;
  const client = turn.state.clients.get(clientId);
  if (client?.connection !== message.connection) {
    turn.state.counters.staleMessages += 1;
    return;
  }
  const { correlationId, body } = message.envelope;
  if (client.epoch === 0 && body.kind !== 'hello')
    return refuse(turn, { clientId, correlationId }, [
      {
        code: 'not_welcomed',
        detail: `${body.kind} came before hello`,
        hint: 'say hello first in each connection',
      },
    ]);
  if (!isForSlot(client, body.kind))
    return refuse(turn, { clientId, correlationId }, [
      {
        code: 'wrong_slot',
        detail: `${body.kind} has no place in the slot ${client.name.slot}`,
        hint: 'lend in the slot `lend`, ask in a slot `ask-…`',
      },
    ]);
  dispatch(turn, client, message);
}

const LENDING: ReadonlySet<string> = new Set([
  ...['capacity', 'decline', 'renewal', 'checkpoint', 'result'],
  ...['connectorClaim', 'powerReport'],
]);
const ASKING: ReadonlySet<string> = new Set(['request', 'cancel', 'deliveryAck', 'statusQuery']);

function isForSlot(client: Client, kind: string): boolean {
  if (LENDING.has(kind)) return client.name.slot === 'lend';
  return !ASKING.has(kind) || client.name.slot !== 'lend';
}

function dispatch(turn: Turn, client: Client, message: Message): void {
  const { correlationId, body } = message.envelope;
  const { bodyHash = '', blobHeld = false } = message;
  switch (body.kind) {
    case 'hello':
      return onHello(turn, client, body, correlationId);
    case 'capacity':
      return onCapacity(turn, client, body, correlationId);
    case 'request':
      return onRequest(turn, client, { envelope: { correlationId, body }, bodyHash, blobHeld });
    case 'cancel':
      return onCancel(turn, client, body, correlationId);
    case 'decline':
      return onDecline(turn, client, body);
    case 'renewal':
      return onRenewal(turn, client, body, correlationId);
    case 'result':
      return onResult(turn, client, { envelope: { correlationId, body }, bodyHash, blobHeld });
    case 'deliveryAck':
      return onDeliveryAck(turn, client, body.taskId);
    case 'statusQuery':
      return onStatusQuery(turn, client, body, correlationId);
    case 'earningsQuery':
      return onEarningsQuery(turn, client, correlationId);
    case 'checkpoint':
      return onCheckpoint(turn, client, { envelope: { correlationId, body }, bodyHash, blobHeld });
    case 'connectorClaim':
      return onConnectorClaim(turn, client, body, correlationId);
    case 'powerReport':
      return onPowerReport(turn, client, body);
    case 'blobPull':
    case 'blobChunk':
    case 'blobRefused':
      // The bytes are the daemon's; the core hears only that a blob arrived or failed.
      return;
    default:
      return assertNever(body);
  }
}
