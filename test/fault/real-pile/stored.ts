/** What an agent left in its data directory, read by the store's own code from a copy: the next start finds it untouched. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { FIRST_HASH, hashOf } from '../../../agent/adapters/store-sqlite/booking-chain.ts';
import { bookingOf, prepareLedger } from '../../../agent/adapters/store-sqlite/ledger.ts';
import { createSqliteStore } from '../../../agent/adapters/store-sqlite/store.ts';
import type { LedgerSummary, StoredState, TaskHistory } from '../../../agent/core/records.ts';

const TASKS_MAX = 1_000;
const BOOKINGS_MAX = 100_000;

export interface Stored {
  readonly state: StoredState;
  readonly tasks: readonly TaskHistory[];
  readonly ledger: LedgerSummary;
}

/** Fails where the file is damaged, or the ledger is not what it was written as. */
export async function readStored(dataDir: string): Promise<Stored> {
  const copy = mkdtempSync(path.join(tmpdir(), 'plugpool-stored-'));
  try {
    for (const suffix of ['', '-wal'])
      if (existsSync(path.join(dataDir, `agent.db${suffix}`)))
        copyFileSync(path.join(dataDir, `agent.db${suffix}`), path.join(copy, `agent.db${suffix}`));
    const stored = await readWhole(copy);
    checkFile(path.join(copy, 'agent.db'));
    return stored;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

async function readWhole(dataDir: string): Promise<Stored> {
  const store = createSqliteStore({ dataDir, inProcess: true });
  const state = await store.open();
  try {
    const ledger = await store.ledger();
    assert.ok(ledger.balanced, 'debits equal credits');
    return { state, ledger, tasks: await store.recentTasks(TASKS_MAX) };
  } finally {
    await store.close();
  }
}

/** More than a start looks at: every index against its table, every row against the one that it belongs to, every booking. */
function checkFile(file: string): void {
  const db = new Database(file, { readonly: true });
  try {
    assert.deepEqual(db.pragma('integrity_check'), [{ integrity_check: 'ok' }]);
    assert.deepEqual(db.pragma('foreign_key_check'), []);
    checkLedger(prepareLedger(db));
  } finally {
    db.close();
  }
}

/** The chain holds from the first booking to the last, and the balances are what the bookings come to. */
function checkLedger(ledger: ReturnType<typeof prepareLedger>): void {
  const sums = new Map<string, bigint>();
  let before = FIRST_HASH;
  let key = 0;
  for (const row of ledger.rowsBetween(0, Number.MAX_SAFE_INTEGER, BOOKINGS_MAX)) {
    key += 1;
    before = hashOf(before, row);
    assert.equal(row.key, key, 'no booking is missing');
    assert.equal(Buffer.from(row.hash).toString('hex'), before, `booking ${key} is what the chain says`);
    for (const { account, unit, amount } of bookingOf(row).entries)
      sums.set(`${account} ${unit}`, (sums.get(`${account} ${unit}`) ?? 0n) + BigInt(amount));
  }
  const { bookings, balances } = ledger.balances();
  assert.equal(bookings, key);
  const kept = new Map(
    balances.map(({ account, unit, balance }) => [`${account} ${unit}`, BigInt(balance)] as const),
  );
  assert.deepEqual(kept, sums, 'balances are what the bookings come to');
}
