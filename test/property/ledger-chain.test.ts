/** No booking can be edited, removed or moved, and no tail cut off, without the proof of the chain finding it and naming the row. */
import assert from 'node:assert/strict';
import test from 'node:test';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import type { FencingToken, InstanceId, TaskId } from '@plugpool/proto';
import { FIRST_HASH, hashOf } from '../../agent/adapters/store-sqlite/booking-chain.ts';
import { verifyChain, verifyRows } from '../../agent/adapters/store-sqlite/booking-verify.ts';
import { prepareLedger } from '../../agent/adapters/store-sqlite/ledger.ts';
import { migrate } from '../../agent/adapters/store-sqlite/migrations.ts';
import { connect } from '../../agent/adapters/store-sqlite/store-connection.ts';
import type { Account, BookingRecord, StoreChange, Unit } from '../../agent/core/records.ts';
import type { LedgerHead, LedgerVerdict } from '../../agent/ports.ts';

type Db = Database.Database;

const account = fc
  .constantFrom('operator', 'vehicle:a', 'vehicle:b', 'fleet:’;--"\\', 'unsettled')
  .map((name) => name as Account);
const unit = fc.constantFrom('cpuMncs', 'gpuMncs', 'mWh', 'EUR', 'EURe-6').map((name) => name as Unit);
/** In each unit debits equal credits. */
const entries = fc
  .array(fc.tuple(account, account, unit, fc.integer({ min: -1e12, max: 1e12 })), { maxLength: 4 })
  .map((moves) =>
    moves.flatMap(([from, to, of, amount]) => [
      { account: from, unit: of, amount: 0 - amount },
      { account: to, unit: of, amount },
    ]),
  );
const booking: fc.Arbitrary<Omit<BookingRecord, 'fencingToken'>> = fc.record(
  {
    kind: fc.constantFrom('result', 'checkpoint', 'settlement'),
    taskId: fc.constantFrom('', 't1-1', 't1-2').map((id) => id as TaskId),
    instanceId: fc.constantFrom('t1-1_0', 't1-2_0', 'settlement').map((id) => id as InstanceId),
    segment: fc.nat({ max: 3 }),
    wallMs: fc.nat(),
    tariff: fc.string({ unit: 'grapheme', maxLength: 8 }),
    overstay: fc.constant(true as const),
    entries,
  },
  { requiredKeys: ['kind', 'taskId', 'instanceId', 'segment', 'wallMs', 'entries'] },
);
const book = fc.array(booking, { minLength: 1, maxLength: 12 });

/** Committed in batches of up to three. */
function ledgerOf(bookings: readonly Omit<BookingRecord, 'fencingToken'>[]): Db {
  const db = new Database(':memory:');
  migrate(db);
  const store = connect(db);
  const changes = bookings.map((each, n): StoreChange => ({
    change: 'book',
    booking: { ...each, fencingToken: (n + 1) as FencingToken },
  }));
  for (let from = 0; from < changes.length; from += 3) store.commit(changes.slice(from, from + 3));
  return db;
}

/** Two rows a slice, so that every walk has borders. */
function proof(db: Db, known?: Pick<LedgerHead, 'bookings' | 'hash'>): Promise<LedgerVerdict> {
  const ledger = prepareLedger(db);
  return verifyChain(
    {
      begin: async () => ({ head: ledger.head(), balances: ledger.sums() }),
      slice: async (after, throughKey, wantedKey) =>
        verifyRows(after, ledger.rowsBetween(after.key, throughKey, 2), wantedKey),
    },
    known,
  );
}

function headOf(db: Db): Pick<LedgerHead, 'bookings' | 'hash'> {
  const { key, hash } = prepareLedger(db).head();
  return { bookings: key, hash };
}

/** The codes that were found, and the rows. */
async function found(
  db: Db,
  known?: Pick<LedgerHead, 'bookings' | 'hash'>,
): Promise<[string, number | null][]> {
  return (await proof(db, known)).findings.map(({ code, booking: row }) => [code, row]);
}

/** As somebody with a shell and time would do it: the hashes from that row on are made anew. */
function makeAnew(db: Db, fromKey: number): void {
  const ledger = prepareLedger(db);
  let before = FIRST_HASH;
  for (const row of ledger.rowsBetween(0, 1_000, 1_000)) {
    if (row.key >= fromKey) {
      const hash = hashOf(before, row);
      db.prepare('UPDATE booking SET hash = ? WHERE booking_key = ?').run(Buffer.from(hash, 'hex'), row.key);
      before = hash;
    } else before = Buffer.from(row.hash).toString('hex');
  }
}

test('a ledger that nobody touched is proven, against any head that it ever had', async () => {
  await fc.assert(
    fc.asyncProperty(book, fc.nat(), async (bookings, at) => {
      const db = ledgerOf(bookings);
      const rows = prepareLedger(db).rowsBetween(0, 1_000, 1_000);
      const row = rows[at % rows.length];
      assert.ok(row);
      const known = { bookings: row.key, hash: Buffer.from(row.hash).toString('hex') };
      const { findings, bookings: count } = await proof(db, known);
      assert.deepEqual([findings, count], [[], bookings.length]);
      assert.deepEqual(await found(db, { bookings: 0, hash: FIRST_HASH }), []);
      db.close();
    }),
  );
});

const EDITS: readonly string[] = [
  `kind = CASE kind WHEN 'result' THEN 'checkpoint' ELSE 'result' END`,
  `task_id = task_id || 'x'`,
  `instance_id = instance_id || 'x'`,
  'fencing_token = fencing_token + 1000000',
  'segment = segment + 1000',
  'wall_ms = wall_ms + 1',
  `tariff = coalesce(tariff, '') || 'x'`,
  `tariff = CASE WHEN tariff IS NULL THEN '' END`,
  'overstay = 1 - overstay',
  `entries = entries || ' '`,
  `entries = '[["operator","cpuMncs",-1],["vehicle:thief","cpuMncs",1]]'`,
  'hash = zeroblob(32)',
];

test('a row of which any column was edited is found by its number, and no other row is accused but the one behind it', async () => {
  await fc.assert(
    fc.asyncProperty(book, fc.nat(), fc.constantFrom(...EDITS), async (bookings, at, edit) => {
      const db = ledgerOf(bookings);
      const key = 1 + (at % bookings.length);
      const before = prepareLedger(db).rowsBetween(key - 1, key, 1);
      db.prepare(`UPDATE booking SET ${edit} WHERE booking_key = ?`).run(key);
      if (JSON.stringify(before) !== JSON.stringify(prepareLedger(db).rowsBetween(key - 1, key, 1))) {
        const rows = (await found(db)).filter(([code]) => code === 'altered').map(([, row]) => row);
        assert.equal(rows[0], key);
        assert.ok(rows.every((row) => row === key || row === key + 1));
      }
      db.close();
    }),
    { numRuns: 300 },
  );
});

test('a row that is gone is named, and so are two that changed places', async () => {
  await fc.assert(
    fc.asyncProperty(book, fc.nat(), async (bookings, at) => {
      fc.pre(bookings.length > 1);
      const key = 1 + (at % (bookings.length - 1));
      const gone = ledgerOf(bookings);
      gone.prepare('DELETE FROM booking WHERE booking_key = ?').run(key);
      assert.deepEqual((await found(gone))[0], ['missing', key]);
      gone.close();
      const moved = ledgerOf(bookings);
      const move = moved.prepare('UPDATE booking SET booking_key = ? WHERE booking_key = ?');
      for (const [to, from] of [
        [-1, key],
        [key, key + 1],
        [key + 1, -1],
      ])
        move.run(to, from);
      const rows = (await found(moved)).filter(([code]) => code === 'altered').map(([, row]) => row);
      assert.deepEqual(rows.slice(0, 2), [key, key + 1]);
      moved.close();
    }),
  );
});

test('whoever makes the chain anew behind an edit, or cuts its tail off, is found against an exported head', async () => {
  await fc.assert(
    fc.asyncProperty(book, fc.nat(), async (bookings, at) => {
      const key = 1 + (at % bookings.length);
      const edited = ledgerOf(bookings);
      const known = headOf(edited);
      edited.prepare('UPDATE booking SET wall_ms = wall_ms + 1 WHERE booking_key = ?').run(key);
      makeAnew(edited, key);
      assert.deepEqual(await found(edited), [], 'the chain alone cannot tell');
      assert.deepEqual(await found(edited, known), [['other_chain', bookings.length]]);
      edited.close();
      const cut = ledgerOf(bookings);
      cut.prepare('DELETE FROM booking WHERE booking_key >= ?').run(key);
      const codes = await found(cut, known);
      assert.deepEqual(codes[0], ['cut', key]);
      cut.close();
    }),
  );
});

test('a balance that was changed is found, and so is a booking that does not balance', async () => {
  const entry = { account: 'operator' as Account, unit: 'EUR' as Unit };
  const one = {
    kind: 'result',
    taskId: 't' as TaskId,
    instanceId: 'i' as InstanceId,
    segment: 0,
    wallMs: 0,
    entries: [
      { ...entry, amount: -5 },
      { ...entry, account: 'vehicle:a' as Account, amount: 5 },
    ],
  } as const;
  const changed = ledgerOf([one]);
  changed.exec(`UPDATE balance SET credited = 6 WHERE account = 'vehicle:a'`);
  assert.deepEqual(await found(changed), [['other_balance', null]]);
  changed.exec(
    `UPDATE balance SET credited = 5 WHERE account = 'vehicle:a'; INSERT INTO balance VALUES ('vehicle:thief', 'EUR', 1, 0)`,
  );
  assert.deepEqual(await found(changed), [['other_balance', null]]);
  const lopsided = ledgerOf([one]);
  lopsided.exec(`UPDATE booking SET entries = '[["operator","EUR",-5],["vehicle:a","EUR",6]]'`);
  makeAnew(lopsided, 1);
  assert.deepEqual((await found(lopsided))[0], ['unbalanced', 1]);
  const unreadable = ledgerOf([one]);
  unreadable.exec(`UPDATE booking SET entries = '[["operator","EUR",0.5]]'`);
  makeAnew(unreadable, 1);
  assert.deepEqual((await found(unreadable))[0], ['unreadable', 1]);
});

test('a commit that fails leaves chain and balances as they were', () => {
  const db = ledgerOf([]);
  const store = connect(db);
  const change = (token: number): StoreChange => ({
    change: 'book',
    booking: {
      kind: 'result',
      taskId: 't' as TaskId,
      instanceId: 'i' as InstanceId,
      fencingToken: token as FencingToken,
      segment: 0,
      wallMs: 0,
      entries: [
        { account: 'operator' as Account, unit: 'EUR' as Unit, amount: -5 },
        { account: 'vehicle:a' as Account, unit: 'EUR' as Unit, amount: 5 },
      ],
    },
  });
  store.commit([change(1)]);
  assert.throws(() => store.commit([change(2), change(1)]));
  store.commit([change(3)]);
  assert.deepEqual(
    store.ledger.balances().balances.map(({ account: of, balance }) => [of, balance]),
    [
      ['operator', -10],
      ['vehicle:a', 10],
    ],
  );
  assert.equal(store.ledger.head().key, 2);
});
