/**
 * Records that were made are sent to the operator's back office, where that is switched on: again and again with more and more time
 * between, until it took one, or says that it never will. The same id twice counts once there.
 */
import type { ControlOutcome } from '@plugpool/firmware-bridge';
import { CREDIT_GIVEN_UP_MS, CREDIT_RETRY_MS_MAX, CREDITS_UNSENT_MAX } from '../limits.ts';
import type { CreditId, CreditRecord, CreditSending } from '../records.ts';
import type { Unsent } from './open-credit.ts';
import { log, write, writeLazily, type Turn } from '../turn.ts';

const FIRST_RETRY_MS = 60_000;
/** A back office that has trouble of its own refuses too: it is asked again for some hours. */
const REFUSALS_MAX = 8;

export function sendMade(turn: Turn, { creditId, connectorId, madeWallMs = 0 }: CreditRecord): void {
  const { state } = turn;
  const isSent = state.settings.credits === 'send';
  const sending: CreditSending = { state: isSent ? 'waiting' : 'kept', tries: 0 };
  turn.creditSendings.push({ creditId, sending });
  // Beyond the bound it waits on disk for the next start.
  if (!isSent || state.credits.unsent.size >= CREDITS_UNSENT_MAX) return;
  state.credits.unsent.set(creditId, { connectorId, madeWallMs, tries: 0 });
  turn.effects.controls.push({ kind: 'sendCredit', connectorId, creditId });
}

/** After the records themselves. */
export function writeSendings(turn: Turn): void {
  for (const { creditId, sending } of turn.creditSendings.splice(0))
    write(turn, { change: 'putCreditSending', creditId, sending });
}

export function onSendDue({ state, effects }: Turn, creditId: CreditId): void {
  const unsent = state.credits.unsent.get(creditId);
  if (unsent !== undefined)
    effects.controls.push({ kind: 'sendCredit', connectorId: unsent.connectorId, creditId });
}

export function onCreditOutcome(turn: Turn, creditId: CreditId, outcome: ControlOutcome): void {
  const { state, now } = turn;
  const unsent = state.credits.unsent.get(creditId);
  if (unsent === undefined) return;
  unsent.tries += 1;
  const next = stateAfter(turn, unsent, outcome);
  const sending: CreditSending = {
    state: next,
    tries: unsent.tries,
    triedWallMs: Math.round(now.wallMs),
    ...(outcome.ok ? {} : { code: outcome.code, detail: outcome.message.slice(0, DETAIL_CHARS_MAX) }),
  };
  if (next === 'waiting') {
    writeLazily(turn, { change: 'putCreditSending', creditId, sending });
    return state.timers.set(`send:${creditId}`, now.monoMs + retryInMs(unsent.tries));
  }
  state.credits.unsent.delete(creditId);
  write(turn, { change: 'putCreditSending', creditId, sending });
  if (!outcome.ok) log(turn, 'warn', 'credit is not taken', { creditId, state: next, code: outcome.code });
}

const DETAIL_CHARS_MAX = 200;

function stateAfter(
  { now }: Turn,
  { madeWallMs, tries }: Unsent,
  outcome: ControlOutcome,
): CreditSending['state'] {
  if (outcome.ok) return 'accepted';
  if (outcome.code === 'unsupported') return 'refused';
  if (outcome.code === 'refused' && tries >= REFUSALS_MAX) return 'refused';
  return now.wallMs - madeWallMs > CREDIT_GIVEN_UP_MS ? 'given_up' : 'waiting';
}

export function retryInMs(tries: number): number {
  return Math.min(CREDIT_RETRY_MS_MAX, FIRST_RETRY_MS * 2 ** Math.min(16, tries - 1));
}
