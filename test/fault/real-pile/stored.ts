/** What an agent left in its data directory, read by the store's own code from a copy: the next start finds it untouched. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { createSqliteStore } from '../../../agent/adapters/store-sqlite/store.ts';
import type { LedgerSummary, StoredState, TaskHistory } from '../../../agent/core/records.ts';

const TASKS_MAX = 1_000;

export interface Stored {
  readonly state: StoredState;
  readonly tasks: readonly TaskHistory[];
  readonly ledger: LedgerSummary;
}

/** Fails where the file is damaged, or the ledger does not add up. */
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

/** More than a start looks at: every index against its table, every row against the one that it belongs to. */
function checkFile(file: string): void {
  const db = new Database(file, { readonly: true });
  try {
    assert.deepEqual(db.pragma('integrity_check'), [{ integrity_check: 'ok' }]);
    assert.deepEqual(db.pragma('foreign_key_check'), []);
  } finally {
    db.close();
  }
}
