/** What `plugpool ledger verify --store FILE` does where no agent runs: proves the chain of a backup. */
import Database from 'better-sqlite3';
import { ownershipProblem } from './adapters/store-sqlite/ownership.ts';
import { ROWS_A_SLICE, verifyChain, verifyRows } from './adapters/store-sqlite/booking-verify.ts';
import { prepareLedger } from './adapters/store-sqlite/ledger.ts';
import { storeErrorOf } from './adapters/store-sqlite/sqlite-errors.ts';
import { signatureFindings } from './ledger-care.ts';
import type { LedgerVerdict } from './ports.ts';
import { signedHeadSchema, type SignedHead } from './signed-head.ts';
import { StoreError } from './store-error.ts';

/** Rejects with a `StoreError`. */
export async function verifyStoreFile(file: string, head?: unknown): Promise<LedgerVerdict> {
  const known = head === undefined ? undefined : headIn(head);
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
    throw error instanceof StoreError ? error : storeErrorOf(error, `read ${file}`);
  } finally {
    db?.close();
  }
}

function headIn(head: unknown): SignedHead {
  const parsed = signedHeadSchema.safeParse(head);
  if (parsed.success) return parsed.data;
  throw new StoreError('unavailable', 'the head is no head of a ledger', {
    hint: 'Give what "plugpool ledger head --out" wrote.',
    retryable: false,
  });
}

function refuseOther(db: Database.Database, file: string): void {
  const problem = ownershipProblem(db);
  const isChained = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'balance'").get() !== undefined;
  if (problem === undefined && isChained) return;
  const what = problem ?? 'it is of a version that kept no chain';
  throw new StoreError('unavailable', `${file} cannot be looked at: ${what}`, {
    hint: 'Give a file that "plugpool backup" of this version made.',
    retryable: false,
  });
}
