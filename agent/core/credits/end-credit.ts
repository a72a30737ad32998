/**
 * A stay is over for its credit when the firmware says that nobody is there any more, or says nothing of its connector after a restart.
 * That another vehicle is named ends nothing: who was named by mistake is named again in the same stay, and has one record of it. The
 * record is made once nothing of the stay is undecided: no run of it is still being taken back, no result of it waits for a second one.
 */
import type { ConnectorId, Now } from '@plugpool/proto';
import { CREDIT_SETTLES_MS_MAX, SIGNED_CHARS_MAX } from '../limits.ts';
import type { CreditId, CreditRecord } from '../records.ts';
import { isPlugged, type Session } from '../sessions/session.ts';
import { isCutOff } from '../sessions/sources.ts';
import type { SignedReadings } from '../sessions/signed-readings.ts';
import type { State } from '../state.ts';
import type { Turn } from '../turn.ts';
import { changeCredit, creditsAt, forgetOpenCredit, type OpenCredit } from './open-credit.ts';
import { sendMade } from './send-credit.ts';

const LOOK_AGAIN_MS = 10_000;

type Ended = NonNullable<CreditRecord['ended']>;

/** After each event of the firmware: `before` is what was known before it. */
export function followStay(turn: Turn, before: Session | undefined, after: Session): void {
  for (const credit of creditsAt(turn.state, after.connectorId)) {
    if (credit.endedMonoMs !== undefined) continue;
    if (isOver(after)) {
      noteFacts(turn, credit, before);
      end(turn, credit, howEnded(credit, turn.now));
    } else {
      noteWhoIsThere(credit, after, turn.now);
      noteFacts(turn, credit, after);
    }
  }
}

function isOver({ state, sources }: Session): boolean {
  return state !== 'unknown' && !isPlugged(state) && !isCutOff(sources);
}

function noteWhoIsThere(credit: OpenCredit, { identity }: Session, now: Now): void {
  if (identity === undefined) return;
  if (identity.vehicleId === credit.record.vehicleId) {
    credit.replacedWallMs = undefined;
    credit.unseenMonoMs = Infinity;
  } else credit.replacedWallMs ??= Math.round(now.wallMs);
}

function howEnded({ replacedWallMs, unseenMonoMs, record }: OpenCredit, now: Now): Ended {
  if (replacedWallMs !== undefined) return { wallMs: replacedWallMs, how: 'unplugged' };
  if (now.monoMs >= unseenMonoMs) return { wallMs: record.lastBookedWallMs, how: 'unseen' };
  return { wallMs: Math.round(now.wallMs), how: 'unplugged' };
}

/** What the firmware told of it since: the transaction, and what the meter signed. */
function noteFacts(turn: Turn, credit: OpenCredit, session: Session | undefined): void {
  const { record } = credit;
  if (session?.identity?.vehicleId !== record.vehicleId) return;
  const transactionId = session.transactionId ?? record.transactionId;
  const signed = signedOf(record.signed, session.signed);
  if (transactionId === record.transactionId && signed === record.signed) return;
  const facts = {
    ...(transactionId === undefined ? {} : { transactionId }),
    ...(signed === undefined ? {} : { signed }),
  };
  changeCredit(turn, credit, { ...record, ...facts }, 'told');
}

/** The first that is known since the vehicle came, a restart between; the last that came. */
function signedOf(
  known: SignedReadings | undefined,
  told: SignedReadings | undefined,
): SignedReadings | undefined {
  if (told === undefined || told.last === known?.last) return known;
  return { first: known?.first ?? told.first, last: told.last };
}

/** Stations say the last signed reading after the plug was pulled, too. */
export function noteLateReading(turn: Turn, connectorId: ConnectorId, data: string): void {
  const ended = creditsAt(turn.state, connectorId).findLast(
    ({ endedMonoMs, replacedWallMs }) => endedMonoMs !== undefined && replacedWallMs === undefined,
  );
  if (ended === undefined || data.length > SIGNED_CHARS_MAX) return;
  const first = ended.record.signed?.first ?? data;
  changeCredit(turn, ended, { ...ended.record, signed: { first, last: data } }, 'told');
}

function end(turn: Turn, credit: OpenCredit, ended: Ended): void {
  credit.endedMonoMs = turn.now.monoMs;
  changeCredit(turn, credit, { ...credit.record, ended }, 'owed');
  // Its runs are told to stop in this very step: what they bring comes within their grace.
  turn.state.timers.set(`credit:${credit.record.creditId}`, turn.now.monoMs + 1);
}

export function onCreditDue(turn: Turn, creditId: CreditId): void {
  const { state, now } = turn;
  const credit = state.credits.open.get(creditId);
  if (credit === undefined) return;
  if (credit.endedMonoMs === undefined) return lookWhetherThere(turn, credit);
  const isLate = now.monoMs - credit.endedMonoMs >= CREDIT_SETTLES_MS_MAX;
  if (isLate || isSettled(state, credit)) return make(turn, credit);
  state.timers.set(`credit:${creditId}`, now.monoMs + LOOK_AGAIN_MS);
}

/** After a start: whether the vehicle is still there, the firmware says sooner or later, or never. */
function lookWhetherThere(turn: Turn, credit: OpenCredit): void {
  const { state, now } = turn;
  const { creditId, connectorId, vehicleId } = credit.record;
  const session = state.sessions.get(connectorId);
  if (session !== undefined && isOver(session)) return end(turn, credit, howEnded(credit, now));
  if (session?.identity?.vehicleId === vehicleId) return noteWhoIsThere(credit, session, now);
  if (now.monoMs < credit.unseenMonoMs) return state.timers.set(`credit:${creditId}`, credit.unseenMonoMs);
  // It is over with the stay that goes on there.
  if (session !== undefined && mayBeItsStay(session, credit)) return;
  end(turn, credit, howEnded(credit, now));
}

/** Whoever is there was there before we looked, or came in the stay that the record is of. */
function mayBeItsStay({ state, stay }: Session, { record }: OpenCredit): boolean {
  if (!isPlugged(state)) return false;
  return stay === undefined || stay.isOlder || Math.round(stay.pluggedWallMs) <= record.pluggedWallMs;
}

function isSettled(state: State, { record, endedMonoMs = Infinity }: OpenCredit): boolean {
  const donor = state.donors.get(record.vehicleId);
  for (const { lease } of donor?.leased.values() ?? [])
    if (lease?.connectorId === record.connectorId && lease.grantedMonoMs < endedMonoMs) return false;
  for (const { instances } of state.tasks.values())
    for (const { result, settled } of instances)
      if (!settled && result?.run !== undefined && result.donor === record.vehicleId) return false;
  return true;
}

/** A stay that earned nothing leaves no record. */
function make(turn: Turn, credit: OpenCredit): void {
  const { state, now } = turn;
  forgetOpenCredit(state, credit);
  turn.changedCredits.delete(credit);
  if (credit.record.bookings === 0) return;
  changeCredit(turn, credit, { ...credit.record, madeWallMs: Math.round(now.wallMs) }, 'owed');
  sendMade(turn, credit.record);
}
