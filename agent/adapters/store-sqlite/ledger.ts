/** Statements on `booking` and `entry`: a double-entry ledger that is only ever added to. */
import type { FencingToken, InstanceId, TaskId } from '@plugpool/proto';
import type { Database } from 'better-sqlite3';
import assert from 'node:assert/strict';
import type { Account, BookingRecord, LedgerSummary } from '../../core/records.ts';

/** Bookings that are summed between two commits, when somebody asks for the ledger. */
export const BOOKINGS_A_SLICE = 20_000;

interface BookingRow {
  readonly booking_key: bigint;
  readonly task_id: string;
  readonly instance_id: string;
  readonly fencing_token: bigint;
  readonly wall_ms: bigint;
}

interface AccountSums {
  readonly account: string;
  readonly creditedMncs: bigint;
  readonly debitedMncs: bigint;
}

/** Sums over one range of bookings. */
export interface LedgerSlice {
  readonly bookings: number;
  readonly unbalanced: number;
  readonly accounts: readonly AccountSums[];
}

export function prepareLedger(db: Database) {
  const insertBooking = db.prepare(
    'INSERT INTO booking (task_id, instance_id, fencing_token, wall_ms) VALUES (?,?,?,?)',
  );
  const insertEntry = db.prepare(
    'INSERT INTO entry (booking_key, position, account, amount_mncs) VALUES (?,?,?,?)',
  );
  const selectOfTask = db
    .prepare<[string, string], BookingRow>(
      `SELECT * FROM booking WHERE instance_id IN (SELECT instance_id FROM instance WHERE task_id = ?)
       AND task_id = ? ORDER BY booking_key`,
    )
    .safeIntegers();
  const selectEntries = db
    .prepare<[bigint], { account: string; amount_mncs: bigint }>(
      'SELECT account, amount_mncs FROM entry WHERE booking_key = ? ORDER BY position',
    )
    .safeIntegers();
  const lastKey = db.prepare<[], number | null>('SELECT max(booking_key) FROM booking').pluck();
  const countBetween = db
    .prepare<[number, number], number>(
      'SELECT count(*) FROM booking WHERE booking_key > ? AND booking_key <= ?',
    )
    .pluck();
  const sumBetween = db
    .prepare<[number, number], AccountSums>(
      `SELECT account, sum(max(amount_mncs, 0)) AS creditedMncs, sum(max(-amount_mncs, 0)) AS debitedMncs
       FROM entry WHERE booking_key > ? AND booking_key <= ? GROUP BY account`,
    )
    .safeIntegers();
  const unbalancedBetween = db
    .prepare<[number, number], number>(
      `SELECT count(*) FROM (SELECT 1 FROM entry WHERE booking_key > ? AND booking_key <= ?
       GROUP BY booking_key HAVING sum(amount_mncs) <> 0)`,
    )
    .pluck();

  const book = (booking: BookingRecord): void => {
    assertBalanced(booking);
    const { lastInsertRowid } = insertBooking.run(
      booking.taskId,
      booking.instanceId,
      booking.fencingToken,
      booking.wallMs,
    );
    booking.entries.forEach(({ account, amountMncs }, position) => {
      insertEntry.run(lastInsertRowid, position, account, amountMncs);
    });
  };

  const bookingOf = (row: BookingRow): BookingRecord => ({
    taskId: row.task_id as TaskId,
    instanceId: row.instance_id as InstanceId,
    fencingToken: safeNumber(row.fencing_token) as FencingToken,
    wallMs: safeNumber(row.wall_ms),
    entries: selectEntries.all(row.booking_key).map((entry) => ({
      account: entry.account as Account,
      amountMncs: safeNumber(entry.amount_mncs),
    })),
  });

  return {
    book,
    bookingsOf: (taskId: string): BookingRecord[] => selectOfTask.all(taskId, taskId).map(bookingOf),
    lastBookingKey: (): number => lastKey.get() ?? 0,
    /** Bookings never change: slices up to a key that was once the last are a snapshot, with no transaction held open. */
    slice: (afterKey: number, throughKey: number): LedgerSlice => ({
      bookings: countBetween.get(afterKey, throughKey) ?? 0,
      unbalanced: unbalancedBetween.get(afterKey, throughKey) ?? 0,
      accounts: sumBetween.all(afterKey, throughKey),
    }),
  };
}

function assertBalanced({ instanceId, fencingToken, entries }: BookingRecord): void {
  const name = `the booking of ${instanceId} with fencing token ${fencingToken}`;
  assert.ok(Number.isSafeInteger(fencingToken), `${name}: a fencing token is a safe integer`);
  let sumMncs = 0n;
  for (const { amountMncs } of entries) {
    assert.ok(Number.isSafeInteger(amountMncs), `${name}: ${amountMncs} is not an integer amount`);
    sumMncs += BigInt(amountMncs);
  }
  assert.equal(sumMncs, 0n, `${name}: debits and credits differ by ${sumMncs}`);
}

/** Adds slices up. Sums are exact beyond 2^53; a balance beyond it cannot be shown and is a broken promise. */
export function summariseLedger(slices: readonly LedgerSlice[]): LedgerSummary {
  const sums = new Map<string, { credited: bigint; debited: bigint }>();
  for (const { account, creditedMncs, debitedMncs } of slices.flatMap((slice) => slice.accounts)) {
    const sum = sums.get(account) ?? { credited: 0n, debited: 0n };
    sum.credited += creditedMncs;
    sum.debited += debitedMncs;
    sums.set(account, sum);
  }
  const total = [...sums.values()].reduce((rest, { credited, debited }) => rest + credited - debited, 0n);
  return {
    bookings: slices.reduce((count, slice) => count + slice.bookings, 0),
    balanced: total === 0n && slices.every((slice) => slice.unbalanced === 0),
    accounts: [...sums]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([account, { credited, debited }]) => ({
        account: account as Account,
        balanceMncs: safeNumber(credited - debited),
        creditedMncs: safeNumber(credited),
        debitedMncs: safeNumber(debited),
      })),
  };
}

function safeNumber(value: bigint): number {
  const number = Number(value);
  assert.ok(Number.isSafeInteger(number), `${value} is beyond what a number holds exactly`);
  return number;
}
