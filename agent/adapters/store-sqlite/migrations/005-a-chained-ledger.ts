/** Schema 5: one row a booking, each with the hash of the one before; balances beside them; what is owed for checkpoints. */
import type { Database } from 'better-sqlite3';
import { FIRST_HASH, hashOf } from '../booking-chain.ts';

const TABLES = `
ALTER TABLE booking RENAME TO booking_4;

-- Never changed, never deleted, no gaps in its keys: bookings outlive their task.
CREATE TABLE booking (
  booking_key INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('result', 'checkpoint', 'settlement')),
  -- Empty: of no task.
  task_id TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  fencing_token INTEGER NOT NULL,
  segment INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL,
  -- Null: nothing was paid in money.
  tariff TEXT,
  overstay INTEGER NOT NULL CHECK (overstay IN (0, 1)),
  -- JSON: [[account, unit, amount], ...].
  entries TEXT NOT NULL,
  -- Of the row before, and of every column of this one: booking-chain.ts.
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  UNIQUE (instance_id, fencing_token, segment)
) STRICT;

-- The sums of all bookings, kept in their transactions.
CREATE TABLE balance (
  account TEXT NOT NULL,
  unit TEXT NOT NULL,
  credited INTEGER NOT NULL,
  debited INTEGER NOT NULL,
  PRIMARY KEY (account, unit)
) STRICT, WITHOUT ROWID;

-- JSON: [{unit, amount}, ...]; null where nothing is owed.
ALTER TABLE instance ADD COLUMN owed TEXT;
`;

const BALANCES = `
INSERT INTO balance (account, unit, credited, debited)
  SELECT account, 'cpuMncs', sum(max(amount_mncs, 0)), sum(max(-amount_mncs, 0)) FROM entry GROUP BY account;
DROP TABLE entry;
DROP TABLE booking_4;
`;

interface EntryRow {
  readonly booking_key: number;
  readonly task_id: string;
  readonly instance_id: string;
  readonly fencing_token: number;
  readonly wall_ms: number;
  readonly account: string | null;
  readonly amount_mncs: number;
}

/** Bookings that were made before there was a chain are its beginning, in the order in which they were made. */
export function chainedLedger(db: Database): void {
  db.exec(TABLES);
  // A read of everything under way is no obstacle here: nothing else is done with the store meanwhile.
  const rows = db.prepare<[number], EntryRow>(`SELECT booking_4.booking_key, task_id, instance_id,
    fencing_token, wall_ms, account, amount_mncs FROM booking_4 LEFT JOIN entry USING (booking_key)
    WHERE booking_4.booking_key > ? ORDER BY booking_4.booking_key, position LIMIT ${ENTRIES_A_SLICE}`);
  const insert = db.prepare(`INSERT INTO booking (booking_key, kind, task_id, instance_id, fencing_token,
    segment, wall_ms, overstay, entries, hash) VALUES (?,'result',?,?,?,0,?,0,?,?)`);
  let key = 0;
  let hash = FIRST_HASH;
  for (const booking of bookingsIn((after) => rows.all(after))) {
    const [first] = booking as [EntryRow];
    key += 1;
    const columns = {
      key,
      kind: 'result',
      taskId: first.task_id,
      instanceId: first.instance_id,
      fencingToken: first.fencing_token,
      segment: 0,
      wallMs: first.wall_ms,
      tariff: null,
      overstay: 0,
      entries: JSON.stringify(
        booking.flatMap((row) => (row.account === null ? [] : [[row.account, 'cpuMncs', row.amount_mncs]])),
      ),
    };
    hash = hashOf(hash, columns);
    const { taskId, instanceId, fencingToken, wallMs, entries } = columns;
    insert.run(key, taskId, instanceId, fencingToken, wallMs, entries, Buffer.from(hash, 'hex'));
  }
  db.exec(BALANCES);
}

/** A booking had three entries, so that a slice holds many; were one larger than a slice, it would be met again whole. */
const ENTRIES_A_SLICE = 10_000;

/** Slices, since a statement that is read from cannot be written beside. */
function* bookingsIn(after: (key: number) => EntryRow[]): Generator<readonly EntryRow[]> {
  for (let key = 0; ;) {
    const rows = after(key);
    const bookings = [...Map.groupBy(rows, (row) => row.booking_key).values()];
    // The last may go on in the next slice.
    const whole = rows.length < ENTRIES_A_SLICE ? bookings : bookings.slice(0, -1);
    yield* whole;
    if (whole.length === 0 || rows.length < ENTRIES_A_SLICE) return;
    key = whole.at(-1)?.[0]?.booking_key ?? key;
  }
}
