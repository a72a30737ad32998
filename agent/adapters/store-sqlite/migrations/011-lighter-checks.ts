/** Schema 11: what a state or a kind may be is checked as before, without a table for it at each row. */
import type { Database } from 'better-sqlite3';

/** A list of more than two becomes a table in memory that SQLite fills anew for each row that is written; alternatives do not. */
const CHECKS = [
  {
    table: 'task',
    list: `CHECK (state IN ('completed', 'failed', 'expired', 'cancelled', 'dead'))`,
    alternatives: `CHECK (state = 'completed' OR state = 'failed' OR state = 'expired' OR state = 'cancelled' OR state = 'dead')`,
  },
  {
    table: 'booking',
    list: `CHECK (kind IN ('result', 'checkpoint', 'settlement'))`,
    alternatives: `CHECK (kind = 'result' OR kind = 'checkpoint' OR kind = 'settlement')`,
  },
] as const;

/**
 * The words of the two tables alone are replaced, as https://www.sqlite.org/lang_altertable.html (7) allows for a CHECK that says
 * the same: no row is copied, however many there are.
 */
export function lighterChecks(db: Database): void {
  db.unsafeMode(true);
  try {
    db.pragma('writable_schema = ON');
    const replace = db.prepare('UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = ?');
    for (const { table, list, alternatives } of CHECKS) replace.run(list, alternatives, table);
    const version = db.pragma('schema_version', { simple: true }) as number;
    db.pragma(`schema_version = ${version + 1}`);
  } finally {
    // The words are read again, by this connection too.
    db.pragma('writable_schema = RESET');
    db.unsafeMode(false);
  }
}
