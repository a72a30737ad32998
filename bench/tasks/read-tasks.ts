/** Reads a tasks file, leaving out or repairing what cannot be true, and counts what it did. */
import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';

export const TASK_COLUMNS = [
  'task_id',
  'submitted_s',
  'cpu_millicores',
  'memory_mib',
  'gpu_millis',
  'duration_s',
  'class',
] as const;

export interface TaskRow {
  readonly id: string;
  readonly submittedS: number;
  readonly cpuMillicores: number;
  readonly memoryMib: number;
  readonly gpuMillis: number;
  readonly durationS: number;
  readonly class: string;
}

interface Tasks {
  /** By time of submission. */
  readonly rows: readonly TaskRow[];
  /** What was wrong, and how often. */
  readonly repairs: ReadonlyMap<string, number>;
}

/** Rejects where the file has not the form at all. */
export async function readTasks(file: string): Promise<Tasks> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Error(
      `${file} cannot be read (${error instanceof Error ? error.message : String(error)}): give the path of a tasks CSV`,
    );
  });
  return parseTasks(text, file);
}

export function parseTasks(text: string, file: string): Tasks {
  const records = parse<Record<string, string>>(text, {
    bom: true,
    trim: true,
    columns: true,
    skip_empty_lines: true,
    relax_column_count: true,
  });
  const missing = TASK_COLUMNS.filter((name) => records.length > 0 && !(name in (records[0] as object)));
  if (records.length === 0 || missing.length > 0)
    throw new Error(
      `${file}: ${records.length === 0 ? 'no task in it' : `missing column ${missing.join(', ')}`}; the first line must be ${TASK_COLUMNS.join(',')}`,
    );
  const repairs = new Map<string, number>();
  const seen = new Set<string>();
  const rows: TaskRow[] = [];
  for (const record of records) {
    const row = rowOf(record);
    const fault =
      faultOf(row) ?? (seen.has(row.id) ? 'a task id that stood there before: left out' : undefined);
    if (fault !== undefined) repairs.set(fault, (repairs.get(fault) ?? 0) + 1);
    else {
      seen.add(row.id);
      rows.push(row);
    }
  }
  const sorted = rows.every(
    (row, index) => index === 0 || (rows[index - 1] as TaskRow).submittedS <= row.submittedS,
  );
  if (!sorted) repairs.set('rows out of order: sorted by submission', 1);
  return { rows: rows.sort((a, b) => a.submittedS - b.submittedS), repairs };
}

function rowOf(record: Record<string, string>): TaskRow {
  return {
    id: record['task_id'] ?? '',
    submittedS: numberOf(record['submitted_s']),
    cpuMillicores: numberOf(record['cpu_millicores']),
    memoryMib: numberOf(record['memory_mib']),
    gpuMillis: numberOf(record['gpu_millis']),
    durationS: numberOf(record['duration_s']),
    class: record['class'] ?? '',
  };
}

/** An empty cell is not 0. */
function numberOf(text: string | undefined): number {
  return text === undefined || text === '' ? NaN : Number(text);
}

function faultOf(row: TaskRow): string | undefined {
  if (row.id === '') return 'no task id: left out';
  if (!(row.submittedS >= 0) || row.submittedS === Infinity) return 'no time of submission: left out';
  if (!(row.durationS > 0) || row.durationS === Infinity) return 'a duration that is not above 0: left out';
  const demand = [row.cpuMillicores, row.memoryMib, row.gpuMillis];
  if (!demand.every((d) => d >= 0 && Number.isFinite(d)))
    return 'a demand that is no number of 0 or more: left out';
  if (demand.every((d) => d === 0)) return 'a demand of nothing: left out';
  return undefined;
}
