/** Reads a sessions file whole, within a bound, and leaves out the rows that cannot be true, saying which. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CsvError, parse } from 'csv-parse';
import { FirmwareError } from '../firmware-error.ts';
import type { ReportIssue } from '../firmware-error.ts';
import { RecordingError } from '../recording.ts';
import { formatLocalTime } from './local-time.ts';
import { SESSION_COLUMNS, byStart, parseSessionRow } from './session-row.ts';
import type { ParsedRow, RowFault, SessionCells, SessionColumn, SessionRow } from './session-row.ts';

/** 28 times the largest public set that we know; a row takes about 300 bytes of memory. */
export const SESSIONS_FILE_BYTES_MAX = 64 * 1024 * 1024;
export const SESSION_ROWS_MAX = 1_000_000;
/** A line of the form has about 100 bytes; a longer record means that a quote was never closed. */
const RECORD_CHARS_MAX = 4096;
/** Of one row: each mends one cell. */
const REPAIRS_MAX = 8;
/** Faults told one by one; the rest are only counted. */
const FAULTS_TOLD_MAX = 20;

export interface ReadSessionsOptions {
  /** The station of connectors that the file names by number or name alone. */
  readonly station: string;
  /** True: the first row that cannot be true refuses the file. Default false: such rows are skipped and reported. */
  readonly strict?: boolean | undefined;
  /** True: reading ends at the first line that cannot be read, and `brokenAt` says which. */
  readonly endAtFault?: boolean | undefined;
  readonly report?: ReportIssue | undefined;
  /** Other cells for a row that cannot be true, or undefined where it is to be skipped; asked again of what it gave. */
  readonly repair?: RepairRow | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type RepairRow = (cells: SessionCells, fault: RowFault) => SessionCells | undefined;

export interface Sessions {
  /** By time of plugging in, then connector. No two of one connector overlap. */
  readonly rows: readonly SessionRow[];
  readonly rowsSkipped: number;
  /** Only with `endAtFault`; the rows are those of the lines before it. */
  readonly brokenAt?: RecordingError;
}

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/** Rejects with a `FirmwareError` that names file, line and column. */
export async function readSessions(file: string, options: ReadSessionsOptions): Promise<Sessions> {
  await checkFile(file);
  const faults = new FaultLog(file, options);
  const read = await readRows(file, faults, options);
  const kept = options.endAtFault === true ? untilOverlap(read, faults) : read;
  const rows = withoutOverlaps(kept.rows, faults);
  faults.summarise(rows.length);
  const { brokenAt } = kept;
  return { rows, rowsSkipped: faults.rowsSkipped, ...(brokenAt === undefined ? {} : { brokenAt }) };
}

interface ReadRows {
  readonly rows: SessionRow[];
  readonly brokenAt?: RecordingError;
}

async function readRows(
  file: string,
  faults: FaultLog,
  options: ReadSessionsOptions,
  lineMax?: number,
): Promise<ReadRows> {
  const rows: SessionRow[] = [];
  let columns: Columns | undefined;
  try {
    for await (const { record, info } of records(file, options.signal, lineMax)) {
      if (columns === undefined) {
        columns = new Columns(file, record);
        continue;
      }
      if (faults.rowsSkipped + rows.length >= SESSION_ROWS_MAX) throw tooManyRows(file);
      const parsed = parseRepaired(columns.cellsOf(record), info.lines, options);
      if (parsed.ok) rows.push(parsed.row);
      else faults.add(info.lines, parsed.fault);
    }
  } catch (error) {
    const fault = error instanceof CsvError ? notCsv(file, error, options) : error;
    if (!(fault instanceof RecordingError)) throw fault;
    // Where the form breaks, what the parser had read before is lost with it.
    const isLost = error instanceof CsvError && fault.line > 1;
    const before = isLost ? await readRows(file, faults, options, fault.line - 1) : { rows };
    return { brokenAt: fault, ...before };
  }
  if (columns === undefined) throw new FirmwareError('invalid_file', `${file} is empty`, HEADER_HINT);
  return { rows };
}

/** Each time around there are fewer rows. */
function untilOverlap(read: ReadRows, faults: FaultLog): ReadRows {
  try {
    withoutOverlaps([...read.rows], faults);
    return read;
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    return untilOverlap({ rows: read.rows.filter(({ line }) => line < error.line), brokenAt: error }, faults);
  }
}

function parseRepaired(cells: SessionCells, line: number, options: ReadSessionsOptions): ParsedRow {
  let parsed = parseSessionRow(cells, line, options.station);
  for (let repairs = 0; !parsed.ok && repairs < REPAIRS_MAX; repairs++) {
    const repaired = options.repair?.(cells, parsed.fault);
    if (repaired === undefined) break;
    cells = repaired;
    parsed = parseSessionRow(cells, line, options.station);
  }
  return parsed;
}

const HEADER_HINT = `The first line must be ${SESSION_COLUMNS.join(',')}`;

class Columns {
  readonly #indexes: ReadonlyMap<SessionColumn, number>;

  constructor(file: string, header: readonly string[]) {
    const missing = SESSION_COLUMNS.filter((name) => !header.includes(name));
    if (missing.length > 0) {
      throw new FirmwareError('invalid_file', `${file}:1: missing column ${missing.join(', ')}`, HEADER_HINT);
    }
    const twice = SESSION_COLUMNS.find((name) => header.indexOf(name) !== header.lastIndexOf(name));
    if (twice !== undefined) {
      throw new FirmwareError('invalid_file', `${file}:1: column ${twice} stands there twice`, HEADER_HINT);
    }
    this.#indexes = new Map(SESSION_COLUMNS.map((name) => [name, header.indexOf(name)]));
  }

  /** A cell that the row does not have reads as empty, and is then found wanting where it must not be. */
  cellsOf(record: readonly string[]): SessionCells {
    const cells: Partial<Record<SessionColumn, string>> = {};
    for (const [name, index] of this.#indexes) cells[name] = record[index] ?? '';
    return cells as SessionCells;
  }
}

class FaultLog {
  readonly #file: string;
  readonly #options: ReadSessionsOptions;
  rowsSkipped = 0;

  constructor(file: string, options: ReadSessionsOptions) {
    this.#file = file;
    this.#options = options;
  }

  add(line: number, fault: RowFault): void {
    const problem = `${fault.column} ${JSON.stringify(fault.value.slice(0, 80))} ${fault.problem}`;
    if (this.#options.endAtFault === true) throw new RecordingError(line, problem, fault.hint);
    const message = `${this.#file}:${line}: ${problem}`;
    if (this.#options.strict === true) throw new FirmwareError('invalid_file', message, fault.hint);
    this.rowsSkipped++;
    if (this.rowsSkipped > FAULTS_TOLD_MAX) return;
    this.#options.report?.({
      code: 'row_skipped',
      message: `${message}; the row is skipped`,
      hint: fault.hint,
    });
  }

  summarise(rowsKept: number): void {
    if (this.rowsSkipped === 0) return;
    this.#options.report?.({
      code: 'rows_skipped',
      message: `${this.#file}: ${this.rowsSkipped} of ${this.rowsSkipped + rowsKept} rows were skipped`,
      hint: 'Correct the file; with strict, the first such row refuses the whole file',
    });
  }
}

async function* records(
  file: string,
  signal: AbortSignal | undefined,
  lineMax: number | undefined,
): AsyncGenerator<CsvRecord> {
  const source = createReadStream(file, { signal });
  const parser = parse({
    bom: true,
    info: true,
    trim: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: RECORD_CHARS_MAX,
    ...(lineMax === undefined ? {} : { to_line: lineMax }),
  });
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    // csv-parse types its records by the options only when they have no `info`.
    yield* parser as AsyncIterable<CsvRecord>;
  } finally {
    source.destroy();
  }
}

function notCsv(file: string, error: CsvError, { endAtFault }: ReadSessionsOptions): FirmwareError {
  const line = typeof error['lines'] === 'number' ? error['lines'] : undefined;
  const problem = `this is not CSV: ${error.message.slice(0, 200)}`;
  const hint = 'Look for a quote that is not closed, or not doubled inside a quoted cell';
  if (endAtFault === true) return new RecordingError(line ?? 1, problem, hint, { cause: error });
  const where = line === undefined ? '' : `:${line}`;
  return new FirmwareError('invalid_file', `${file}${where}: ${problem}`, hint, { cause: error });
}

async function checkFile(file: string): Promise<void> {
  const stats = await stat(file).catch((error: unknown) => {
    throw new FirmwareError(
      'invalid_file',
      `${file} cannot be read: ${messageOf(error)}`,
      'Give the path of a sessions CSV',
      {
        cause: error,
      },
    );
  });
  if (!stats.isFile()) {
    throw new FirmwareError(
      'invalid_file',
      `${file} is not a regular file`,
      'Give the path of a sessions CSV',
    );
  }
  if (stats.size > SESSIONS_FILE_BYTES_MAX) {
    throw new FirmwareError(
      'invalid_file',
      `${file} has ${stats.size} bytes, the bound is ${SESSIONS_FILE_BYTES_MAX}`,
      'Cut it into files of fewer sites or months',
    );
  }
}

function tooManyRows(file: string): FirmwareError {
  return new FirmwareError(
    'invalid_file',
    `${file} has more than ${SESSION_ROWS_MAX} rows`,
    'Cut it into files of fewer sites or months',
  );
}

/** Of two stays at one connector that overlap, the one that began later is the fault. */
function withoutOverlaps(rows: SessionRow[], faults: FaultLog): readonly SessionRow[] {
  const last = new Map<string, SessionRow>();
  return rows.sort(byStart).filter((row) => {
    const before = last.get(row.connectorId);
    if (before !== undefined && row.pluggedMs < before.unpluggedMs) {
      faults.add(row.line, overlap(row, before));
      return false;
    }
    last.set(row.connectorId, row);
    return true;
  });
}

function overlap(row: SessionRow, before: SessionRow): RowFault {
  return {
    column: 'plugged_at',
    value: formatLocalTime(row.pluggedMs),
    problem: `at connector ${row.connector} is before the vehicle of line ${before.line} left`,
    hint: 'A connector holds one vehicle at a time; where two sites number theirs alike, split the file by site',
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
