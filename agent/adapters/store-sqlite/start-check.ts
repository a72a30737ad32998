/** What a start looks at before it trusts the file: all of a small one; of a large one all but the past of its ledger. */
import type { Database } from 'better-sqlite3';
import { statSync } from 'node:fs';
import { readCheckRecord } from './check-record.ts';
import { inALine, quickProblem } from './reading-jobs.ts';

/** A quick check reads 350 MB in a second: this takes a fifth of one. */
const WHOLE_BYTES_MAX = 64 * 1024 * 1024;
/** They grow for as long as the pile is there, and a start reads nothing of them. */
const GROWING: ReadonlySet<string> = new Set(['booking']);
const NEWEST_ROWS = 1_000;

/** The finding, or undefined. Throws where SQLite itself finds damage. */
export function startProblem(
  db: Database,
  path: string,
  wholeBytesMax = WHOLE_BYTES_MAX,
): string | undefined {
  if (isCheckedWhole(path, wholeBytesMax)) return quickProblem(db);
  for (const table of tablesOf(db)) {
    if (GROWING.has(table)) {
      readNewestRows(db, table);
      continue;
    }
    const problem = tableProblem(db, table);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Also where damage was met since, or in the last night: then it is to be set aside now. */
function isCheckedWhole(path: string, wholeBytesMax: number): boolean {
  const record = readCheckRecord(path);
  const isSuspect = record !== undefined && record.state !== 'ok';
  return isSuspect || statSync(path).size <= wholeBytesMax;
}

function tablesOf(db: Database): string[] {
  const names = db.prepare<[], string>(`SELECT name FROM sqlite_schema WHERE type = 'table'`).pluck();
  return names.all();
}

function tableProblem(db: Database, table: string): string | undefined {
  const found = db.pragma(`quick_check('${table}')`) as { quick_check: string }[];
  const bad = found.map((row) => row.quick_check).filter((finding) => finding !== 'ok');
  return inALine(bad);
}

/** Where the next rows go: reading them is the check. */
function readNewestRows(db: Database, table: string): void {
  db.prepare(`SELECT * FROM ${table} ORDER BY booking_key DESC LIMIT ${NEWEST_ROWS}`).raw().all();
}
