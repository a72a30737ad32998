/** Statements on `booking` and `balance`: a double-entry ledger that is only ever added to, each booking chained to the one before. */
import type { FencingToken, InstanceId, TaskId } from '@plugpool/proto';
import type { Database } from 'better-sqlite3';
import assert from 'node:assert/strict';
import type {
  Account,
  BalanceRecord,
  BookingRecord,
  LedgerEntry,
  LedgerSummary,
  Unit,
} from '../../core/records.ts';
import { FIRST_HASH, hashOf, type BookingColumns } from './booking-chain.ts';

/** A row as it lies in the file. */
export interface BookingRow extends BookingColumns {
  readonly hash: Uint8Array;
}

export interface BalanceRow {
  readonly account: string;
  readonly unit: string;
  readonly credited: bigint;
  readonly debited: bigint;
}

const COLUMNS = `booking_key AS key, kind, task_id AS taskId, instance_id AS instanceId,
  fencing_token AS fencingToken, segment, wall_ms AS wallMs, tariff, overstay, entries, hash`;

export function prepareLedger(db: Database) {
  const insert = db.prepare(`INSERT INTO booking (booking_key, kind, task_id, instance_id, fencing_token,
    segment, wall_ms, tariff, overstay, entries, hash) VALUES (?,?,?,?,?,?,?,?,?,?,?)`);
  const addToBalance = db.prepare(`INSERT INTO balance (account, unit, credited, debited) VALUES (?,?,?,?)
    ON CONFLICT (account, unit) DO UPDATE
    SET credited = credited + excluded.credited, debited = debited + excluded.debited`);
  const selectHead = db.prepare<[], NewestBooking>(
    `SELECT booking_key AS key, lower(hex(hash)) AS hash, wall_ms AS wallMs FROM booking
    ORDER BY booking_key DESC LIMIT 1`,
  );
  const selectOfTask = db.prepare<[string, string], BookingRow>(
    `SELECT ${COLUMNS} FROM booking WHERE instance_id IN (SELECT instance_id FROM instance WHERE task_id = ?)
       AND task_id = ? ORDER BY booking_key`,
  );
  const selectBetween = db.prepare<[number, number, number], BookingRow>(
    `SELECT ${COLUMNS} FROM booking WHERE booking_key > ? AND booking_key <= ? ORDER BY booking_key LIMIT ?`,
  );
  const selectBalances = db
    .prepare<[], BalanceRow>('SELECT account, unit, credited, debited FROM balance ORDER BY account, unit')
    .safeIntegers();
  const selectBalancesOf = db
    .prepare<[string], BalanceRow>(
      'SELECT account, unit, credited, debited FROM balance WHERE account = ? ORDER BY unit',
    )
    .safeIntegers();

  const head = (): NewestBooking => selectHead.get() ?? { key: 0, hash: FIRST_HASH, wallMs: 0 };
  /** Of the transaction that is open: the newest booking in it, and what its bookings come to. */
  let last: BookingHead | undefined;
  let firstKey: number | undefined;
  const sums = new Sums();

  return {
    book: (booking: BookingRecord): void => {
      assertBalanced(booking);
      last ??= head();
      firstKey ??= last.key + 1;
      const columns = columnsOf(booking, last.key + 1);
      const hash = hashOf(last.hash, columns);
      insert.run(
        columns.key,
        columns.kind,
        columns.taskId,
        columns.instanceId,
        columns.fencingToken,
        columns.segment,
        columns.wallMs,
        columns.tariff,
        columns.overstay,
        columns.entries,
        Buffer.from(hash, 'hex'),
      );
      last = { key: columns.key, hash };
      sums.add(booking.entries);
    },
    /** At the end of a transaction: one statement an account and unit, however many bookings there were. */
    writeBalances: (): void => {
      for (const { account, unit, credited, debited } of sums.all())
        addToBalance.run(account, unit, credited, debited);
    },
    /** The transaction is over, one way or the other. */
    forget: (): void => {
      last = undefined;
      firstKey = undefined;
      sums.clear();
    },
    head,
    /** In the transaction that is open, the newest booking, and the first of its own (the newest where it has none). */
    headNow: (): BookingHead => last ?? head(),
    firstNow: (): number => firstKey ?? head().key,
    bookingsOf: (taskId: string): BookingRecord[] => selectOfTask.all(taskId, taskId).map(bookingOf),
    /** Bookings never change: slices up to a key that was once the last are a snapshot, with no transaction held open. */
    rowsBetween: (afterKey: number, throughKey: number, limit: number): BookingRow[] =>
      selectBetween.all(afterKey, throughKey, limit),
    sums: (): BalanceRow[] => selectBalances.all(),
    balances: (): LedgerSummary => summarise(head().key, selectBalances.all()),
    balancesOf: (account: string): BalanceRecord[] => selectBalancesOf.all(account).map(balanceOf),
  };
}

/** A booking that others follow: its key, and its hash in hexadecimal. */
export interface BookingHead {
  readonly key: number;
  readonly hash: string;
}

/** Its key is how many there are, since keys have no gaps. */
export interface NewestBooking extends BookingHead {
  readonly wallMs: number;
}

function columnsOf(booking: BookingRecord, key: number): BookingColumns {
  const { kind, taskId, instanceId, fencingToken, segment, wallMs, tariff = null, overstay } = booking;
  const entries = JSON.stringify(booking.entries.map(({ account, unit, amount }) => [account, unit, amount]));
  return {
    key,
    kind,
    taskId,
    instanceId,
    fencingToken,
    segment,
    wallMs,
    tariff,
    overstay: overstay === true ? 1 : 0,
    entries,
  };
}

export function bookingOf(row: BookingColumns): BookingRecord {
  return {
    kind: row.kind as BookingRecord['kind'],
    taskId: row.taskId as TaskId,
    instanceId: row.instanceId as InstanceId,
    fencingToken: row.fencingToken as FencingToken,
    segment: row.segment,
    wallMs: row.wallMs,
    ...(row.tariff === null ? {} : { tariff: row.tariff }),
    ...(row.overstay === 1 ? { overstay: true } : {}),
    entries: (JSON.parse(row.entries) as [Account, Unit, number][]).map(([account, unit, amount]) => ({
      account,
      unit,
      amount,
    })),
  };
}

/** Sums by account and unit, exact beyond 2^53. */
class Sums {
  readonly #sums = new Map<string, { account: Account; unit: Unit; credited: bigint; debited: bigint }>();

  add(entries: readonly LedgerEntry[]): void {
    for (const { account, unit, amount } of entries) {
      const key = `${unit} ${account}`;
      let sum = this.#sums.get(key);
      if (sum === undefined) this.#sums.set(key, (sum = { account, unit, credited: 0n, debited: 0n }));
      if (amount > 0) sum.credited += BigInt(amount);
      else sum.debited -= BigInt(amount);
    }
  }

  all(): Iterable<{ account: Account; unit: Unit; credited: bigint; debited: bigint }> {
    return this.#sums.values();
  }

  clear(): void {
    this.#sums.clear();
  }
}

function assertBalanced(booking: BookingRecord): void {
  const { instanceId, fencingToken, segment, entries } = booking;
  const name = `the booking of ${instanceId} with fencing token ${fencingToken}, segment ${segment}`;
  assert.ok(Number.isSafeInteger(fencingToken), `${name}: a fencing token is a safe integer`);
  const sums = new Map<Unit, bigint>();
  for (const { unit, amount } of entries) {
    assert.ok(Number.isSafeInteger(amount), `${name}: ${amount} is not an integer amount`);
    sums.set(unit, (sums.get(unit) ?? 0n) + BigInt(amount));
  }
  for (const [unit, sum] of sums)
    assert.equal(sum, 0n, `${name}: debits and credits differ by ${sum} ${unit}`);
}

function summarise(bookings: number, rows: readonly BalanceRow[]): LedgerSummary {
  const rest = new Map<string, bigint>();
  for (const { unit, credited, debited } of rows) rest.set(unit, (rest.get(unit) ?? 0n) + credited - debited);
  return {
    bookings,
    balanced: [...rest.values()].every((sum) => sum === 0n),
    balances: rows.map(balanceOf),
  };
}

function balanceOf({ account, unit, credited, debited }: BalanceRow): BalanceRecord {
  return {
    account: account as Account,
    unit: unit as Unit,
    credited: safeNumber(credited),
    debited: safeNumber(debited),
    balance: safeNumber(credited - debited),
  };
}

/** A balance beyond what a number holds cannot be shown and is a broken promise. */
function safeNumber(value: bigint): number {
  const number = Number(value);
  assert.ok(Number.isSafeInteger(number), `${value} is beyond what a number holds exactly`);
  return number;
}
