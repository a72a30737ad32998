/** Long readings of the store's file, each on a connection of its own that cannot write: the whole check, and a copy. */
import Database from 'better-sqlite3';
import type { CopyProgress } from '../../ports.ts';
import { ownershipProblem } from './ownership.ts';
import { isSqliteError } from './sqlite-errors.ts';

/** A file that is damaged all over says no more with more lines. */
const FINDINGS_MAX = 20;
/** About 0.8 MB, and a few milliseconds of a slow disk, between two reports. */
const PAGES_A_STEP = 200;

export type ReadingJob =
  | { readonly job: 'check'; readonly path: string }
  | { readonly job: 'copy'; readonly path: string; readonly target: string };

/** Every page, every index against its table, every reference between tables. Empty: all is well. */
export function checkWhole(path: string): string[] {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { readonly: true });
    return findingsIn(db);
  } catch (error) {
    // Some damage ends the check itself.
    if (!isSqliteError(error, 'SQLITE_CORRUPT') && !isSqliteError(error, 'SQLITE_NOTADB')) throw error;
    return [(error as Error).message];
  } finally {
    db?.close();
  }
}

function findingsIn(db: Database.Database): string[] {
  const found = db.pragma(`integrity_check(${FINDINGS_MAX})`) as { integrity_check: string }[];
  const findings = found.map((row) => row.integrity_check).filter((finding) => finding !== 'ok');
  if (findings.length > 0) return findings;
  const broken = db.pragma('foreign_key_check') as { table: string; parent: string }[];
  return broken
    .slice(0, FINDINGS_MAX)
    .map(({ table, parent }) => `a row of ${table} names one of ${parent} that is not there`);
}

/**
 * A copy of one moment. The read transaction that is held open pins it: without, each commit of the writer would make the copy
 * begin anew, and from the writer's own connection every commit would wait for a step of it.
 */
export async function copyStore(
  path: string,
  target: string,
  report: (progress: CopyProgress) => void,
): Promise<void> {
  const db = new Database(path, { readonly: true });
  try {
    db.exec('BEGIN');
    db.prepare('SELECT generation FROM meta').get();
    await db.backup(target, {
      progress: ({ totalPages, remainingPages }) => {
        report({ pagesDone: totalPages - remainingPages, pagesTotal: totalPages });
        return PAGES_A_STEP;
      },
    });
  } finally {
    db.close();
  }
  makeOneFile(target);
}

/** Without a log beside it, and found whole. */
function makeOneFile(target: string): void {
  const copy = new Database(target);
  try {
    copy.pragma('journal_mode = DELETE');
    const problem = ownershipProblem(copy)?.why ?? quickProblem(copy);
    if (problem !== undefined) throw new Error(`the copy is not what was copied: ${problem}`);
  } finally {
    copy.close();
  }
}

/** What a quick check of the whole file finds; undefined: nothing. */
export function quickProblem(db: Database.Database): string | undefined {
  const found = db.pragma(`quick_check(${FINDINGS_MAX})`) as { quick_check: string }[];
  const findings = found.map((row) => row.quick_check).filter((finding) => finding !== 'ok');
  return inALine(findings);
}

/** The first of what SQLite found, and how much more there is: nobody mends pages by hand. Undefined of nothing. */
export function inALine(findings: readonly string[]): string | undefined {
  const lines = findings
    .flatMap((finding) => finding.split('\n'))
    .filter((line) => !/^(\*\*\*.*)?$/.test(line));
  const [first, ...more] = lines;
  if (first === undefined) return findings.length === 0 ? undefined : findings.join(' ');
  return more.length === 0 ? first : `${first}, and ${more.length} more`;
}
