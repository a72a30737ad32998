/** Statements on `credit`: what stays have earned, and which of their records are with the back office. */
import type { Database } from 'better-sqlite3';
import assert from 'node:assert/strict';
import { CREDITS_OPEN_MAX, CREDITS_UNSENT_MAX } from '../../core/limits.ts';
import type { CreditId, CreditRecord, CreditSending, StoredState } from '../../core/records.ts';
import type { CreditPage, MadeCredit } from '../../ports.ts';
import type { prepareLedger } from './ledger.ts';

interface CreditRow {
  readonly credit_key: number;
  readonly record: string;
  readonly sending: string | null;
}

interface MadeRow extends CreditRow {
  readonly first_booking: number;
  readonly last_booking: number;
  readonly head_bookings: number;
  readonly head_hash: Uint8Array;
}

const ROWS_A_PAGE = 500;

export function prepareCredits(
  db: Database,
  ledger: Pick<ReturnType<typeof prepareLedger>, 'headNow' | 'firstNow'>,
) {
  const put =
    db.prepare(`INSERT INTO credit (credit_key, record, first_booking, last_booking, ended_wall_ms) VALUES (?,?,?,?,?)
    ON CONFLICT (credit_key) DO UPDATE SET record = excluded.record, ended_wall_ms = excluded.ended_wall_ms,
      last_booking = CASE WHEN excluded.record ->> 'bookings' > record ->> 'bookings'
        THEN excluded.last_booking ELSE last_booking END
    WHERE made_wall_ms IS NULL`);
  const make = db.prepare(
    'UPDATE credit SET made_wall_ms = ?, head_bookings = ?, head_hash = ? WHERE credit_key = ? AND made_wall_ms IS NULL',
  );
  const putSending = db.prepare('UPDATE credit SET sending_state = ?, sending = ? WHERE credit_key = ?');
  const selectOpen = db.prepare<[number], CreditRow>(
    `SELECT credit_key, record, sending FROM credit WHERE made_wall_ms IS NULL OR sending_state = 'waiting'
     ORDER BY made_wall_ms IS NOT NULL, credit_key LIMIT ?`,
  );
  const MADE = 'credit_key, record, sending, first_booking, last_booking, head_bookings, head_hash';
  const selectOne = db.prepare<[number], MadeRow>(
    `SELECT ${MADE} FROM credit WHERE credit_key = ? AND made_wall_ms IS NOT NULL`,
  );
  const selectAfter = db.prepare<[number, number, number, number], MadeRow>(
    `SELECT ${MADE} FROM credit WHERE credit_key > ? AND made_wall_ms IS NOT NULL
     AND ended_wall_ms >= ? AND ended_wall_ms < ? ORDER BY credit_key LIMIT ?`,
  );

  return {
    putCredit: (credit: CreditRecord): void => {
      const { creditId, ended, madeWallMs } = credit;
      const head = ledger.headNow();
      const text = JSON.stringify(credit);
      const { changes } = put.run(creditId, text, ledger.firstNow(), head.key, ended?.wallMs ?? null);
      assert.equal(changes, 1, `the credit record ${creditId} was made already and is changed`);
      if (madeWallMs !== undefined) make.run(madeWallMs, head.key, Buffer.from(head.hash, 'hex'), creditId);
    },
    putSending: (creditId: CreditId, sending: CreditSending): void => {
      putSending.run(sending.state, JSON.stringify(sending), creditId);
    },
    /** Those not made first: none of them may be forgotten. */
    openCredits: (): StoredState['credits'] =>
      selectOpen.all(OPEN_MAX).map(({ record, sending }) => ({
        credit: JSON.parse(record) as CreditRecord,
        ...(sending === null ? {} : { sending: JSON.parse(sending) as CreditSending }),
      })),
    credit: (creditId: CreditId): MadeCredit | undefined => {
      const row = selectOne.get(creditId);
      return row && madeOf(row);
    },
    creditsAfter: (after: number, fromWallMs: number, toWallMs: number): CreditPage => {
      const rows = selectAfter.all(after, fromWallMs, toWallMs, ROWS_A_PAGE);
      const next = rows.length < ROWS_A_PAGE ? undefined : rows.at(-1)?.credit_key;
      const credits = rows.map(madeOf);
      return next === undefined ? { credits } : { credits, next };
    },
  };
}

const OPEN_MAX = CREDITS_OPEN_MAX + CREDITS_UNSENT_MAX;

function madeOf(row: MadeRow): MadeCredit {
  const { record, sending, first_booking: first, last_booking: last, head_bookings: bookings } = row;
  return {
    ...(JSON.parse(record) as MadeCredit),
    ledger: { first, last, bookings, hash: Buffer.from(row.head_hash).toString('hex') },
    sending: sending === null ? { state: 'kept', tries: 0 } : (JSON.parse(sending) as CreditSending),
  };
}
