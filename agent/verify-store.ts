/** What `plugpool ledger verify --store FILE` does where no agent runs: proves the chain of a backup. */
import Database from 'better-sqlite3';
import { statSync } from 'node:fs';
import { ownershipProblem } from './adapters/store-sqlite/ownership.ts';
import { ROWS_A_SLICE, verifyChain, verifyRows } from './adapters/store-sqlite/booking-verify.ts';
import { prepareLedger } from './adapters/store-sqlite/ledger.ts';
import { isSqliteError, storeErrorOf } from './adapters/store-sqlite/sqlite-errors.ts';
import { BackupError } from './backup-error.ts';
import { signatureFindings } from './ledger-care.ts';
import type { LedgerVerdict } from './ports.ts';
import type { SignedHead } from './signed-head.ts';

/** Rejects with a `BackupError` where the file cannot be it, with a `StoreError` where the disk fails. */
export async function verifyStoreFile(file: string, known?: SignedHead): Promise<LedgerVerdict> {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) throw unusable(file, 'it is not there');
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { readonly: true, fileMustExist: true });
    refuseOther(db, file);
    // One moment, where an agent works on the file.
    db.exec('BEGIN');
    const ledger = prepareLedger(db);
    const verdict = await verifyChain(
      {
        begin: async () => ({ head: ledger.head(), balances: ledger.sums() }),
        slice: async (after, throughKey, wantedKey) =>
          verifyRows(after, ledger.rowsBetween(after.key, throughKey, ROWS_A_SLICE), wantedKey),
      },
      known,
    );
    const wrong = known === undefined ? [] : signatureFindings(known);
    return { ...verdict, findings: [...wrong, ...verdict.findings] };
  } catch (error) {
    const isDamaged = isSqliteError(error, 'SQLITE_NOTADB') || isSqliteError(error, 'SQLITE_CORRUPT');
    if (isDamaged) throw unusable(file, 'it is no database, or damaged', error);
    throw error instanceof BackupError ? error : storeErrorOf(error, `read ${file}`);
  } finally {
    db?.close();
  }
}

function refuseOther(db: Database.Database, file: string): void {
  const problem = ownershipProblem(db);
  if (problem !== undefined) throw unusable(file, problem.why, undefined, problem.hint);
  const isChained = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'balance'").get() !== undefined;
  if (!isChained) throw unusable(file, 'it is of a version that kept no chain');
}

function unusable(
  file: string,
  why: string,
  cause?: unknown,
  hint = 'Name a file that "plugpool backup" of this version made.',
): BackupError {
  return new BackupError('backup_unusable', `${file} cannot be looked at: ${why}`, hint, cause);
}
