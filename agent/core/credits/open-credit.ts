/**
 * What a donor is credited in one stay at a connector, gathered booking by booking in the transaction of each. There is one record for
 * each vehicle in each stay that earned something, made when the stay is over and nothing of it is undecided any more (end-credit.ts).
 *
 *   in memory, from the first grant ──► on disk, from the first booking ──► ended ──► made, never to change ──► sent (send-credit.ts)
 */
import type { ConnectorId, VehicleId } from '@plugpool/proto';
import { vehicleAccount } from '../ledger/accounts.ts';
import { addOwed } from '../ledger/owed.ts';
import { ENERGY } from '../ledger/units.ts';
import { CREDIT_UNSEEN_MS_MAX, CREDITS_OPEN_MAX } from '../limits.ts';
import { nextNumber } from '../numbers.ts';
import type { BookingRecord, CreditId, CreditRecord, OwedRecord } from '../records.ts';
import type { State } from '../state.ts';
import { log, write, writeLazily, type Turn } from '../turn.ts';

export interface OpenCredit {
  record: CreditRecord;
  endedMonoMs: number | undefined;
  /** Until then it may be that the firmware only has not named the vehicle yet; `Infinity`: it named it since the start. */
  unseenMonoMs: number;
  /** Since when another vehicle is named in its stay: one of the two by mistake, or one left unseen. */
  replacedWallMs: number | undefined;
}

export interface Credits {
  readonly open: Map<CreditId, OpenCredit>;
  /** Oldest first. */
  readonly atConnector: Map<ConnectorId, readonly OpenCredit[]>;
  /** Made, and not yet with the back office: how often that was tried. */
  readonly unsent: Map<CreditId, Unsent>;
}

export interface Unsent {
  readonly connectorId: ConnectorId;
  readonly madeWallMs: number;
  tries: number;
}

export function noCredits(): Credits {
  return { open: new Map(), atConnector: new Map(), unsent: new Map() };
}

/** At a connector, as far as a stay goes there; of a run, when it was granted. */
export interface Where {
  readonly vehicleId: VehicleId;
  readonly connectorId: ConnectorId;
  readonly grantedMonoMs?: number;
  readonly grantedWallMs?: number;
}

/** From its first grant on the stay is known, though it may earn nothing. */
export function noteGranted(turn: Turn, where: Where): void {
  if (turn.state.settings.credits === 'off') return;
  if (creditAt(turn.state, where) === undefined) openCredit(turn, where);
}

/** Called with each booking that credits a donor. */
export function creditBooking(turn: Turn, where: Where, { entries, tariff, wallMs }: BookingRecord): void {
  if (turn.state.settings.credits === 'off') return;
  const earned = earnedIn(entries, where.vehicleId);
  if (!earned.some(({ unit }) => unit !== ENERGY)) return;
  const credit = creditAt(turn.state, where) ?? openCredit(turn, where);
  if (credit === undefined) return;
  const { record } = credit;
  const isNew = tariff !== undefined && !record.tariffs.includes(tariff);
  const more = {
    earned: addOwed(record.earned, earned),
    tariffs: isNew ? [...record.tariffs, tariff] : record.tariffs,
    bookings: record.bookings + 1,
    lastBookedWallMs: Math.round(wallMs),
  };
  changeCredit(turn, credit, { ...record, ...more }, 'owed');
}

/** What is on disk of a stay is written once a step, after the bookings that changed it. */
export function writeCredits(turn: Turn): void {
  for (const [{ record }, why] of turn.changedCredits) {
    if (record.bookings === 0) continue;
    const change = { change: 'putCredit', credit: record } as const;
    if (why === 'owed') write(turn, change);
    else writeLazily(turn, change);
  }
  turn.changedCredits.clear();
}

function earnedIn(entries: BookingRecord['entries'], vehicleId: VehicleId): OwedRecord[] {
  const account = vehicleAccount(vehicleId);
  return entries
    .filter((entry) => entry.account === account && entry.amount > 0)
    .map(({ unit, amount }) => ({ unit, amount }));
}

/** A run that was granted before its vehicle left belongs to that stay, whenever it is booked. */
function creditAt(
  state: State,
  { vehicleId, connectorId, grantedMonoMs = -Infinity }: Where,
): OpenCredit | undefined {
  return creditsAt(state, connectorId).find(
    ({ record, endedMonoMs = Infinity }) => record.vehicleId === vehicleId && grantedMonoMs < endedMonoMs,
  );
}

/** Oldest first. */
export function creditsAt({ credits }: State, connectorId: ConnectorId): readonly OpenCredit[] {
  return credits.atConnector.get(connectorId) ?? [];
}

function openCredit(turn: Turn, { vehicleId, connectorId, grantedWallMs }: Where): OpenCredit | undefined {
  const { state, now } = turn;
  if (state.credits.open.size >= CREDITS_OPEN_MAX) {
    log(turn, 'error', 'no credit record', {
      vehicleId,
      connectorId,
      reason: `more than ${CREDITS_OPEN_MAX}`,
    });
    return undefined;
  }
  const session = state.sessions.get(connectorId);
  const isHere = session?.identity?.vehicleId === vehicleId;
  const stay = isHere ? session.stay : undefined;
  const record: CreditRecord = {
    creditId: nextNumber(turn) as CreditId,
    vehicleId,
    connectorId,
    pluggedWallMs: Math.round(stay?.pluggedWallMs ?? grantedWallMs ?? now.wallMs),
    ...(isHere && session.transactionId !== undefined ? { transactionId: session.transactionId } : {}),
    ...(isHere && session.signed !== undefined ? { signed: session.signed } : {}),
    earned: [],
    tariffs: [],
    bookings: 0,
    lastBookedWallMs: Math.round(now.wallMs),
  };
  if (!isHere) state.timers.set(`credit:${record.creditId}`, now.monoMs + 1);
  return keepOpen(state, record, isHere ? Infinity : now.monoMs + CREDIT_UNSEEN_MS_MAX);
}

/** What is only told may wait for the next commit; what is owed may not. */
export function changeCredit(
  turn: Turn,
  credit: OpenCredit,
  record: CreditRecord,
  why: 'owed' | 'told',
): void {
  credit.record = record;
  if (turn.changedCredits.get(credit) !== 'owed') turn.changedCredits.set(credit, why);
}

export function keepOpen(state: State, record: CreditRecord, unseenMonoMs: number): OpenCredit {
  const credit: OpenCredit = { record, endedMonoMs: undefined, unseenMonoMs, replacedWallMs: undefined };
  const { credits } = state;
  credits.open.set(record.creditId, credit);
  credits.atConnector.set(record.connectorId, [...creditsAt(state, record.connectorId), credit]);
  return credit;
}

export function forgetOpenCredit(state: State, credit: OpenCredit): void {
  const { creditId, connectorId } = credit.record;
  const { open, atConnector } = state.credits;
  open.delete(creditId);
  state.timers.clear(`credit:${creditId}`);
  const left = creditsAt(state, connectorId).filter((each) => each !== credit);
  if (left.length === 0) atConnector.delete(connectorId);
  else atConnector.set(connectorId, left);
}
