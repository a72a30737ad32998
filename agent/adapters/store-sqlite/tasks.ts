/** Statements on `task`, `task_bytes` and `task_output`: what was asked, how it ended, and whether its requester knows. */
import type { Digest, Payload, RequestId, Selector, Slot, TaskId, VehicleId, Wants } from '@plugpool/proto';
import type { Database } from 'better-sqlite3';
import assert from 'node:assert/strict';
import type { ClosedTaskRecord, ListedTask, TaskEndRecord, TaskRecord } from '../../core/records.ts';
import type { StoreAge } from './age-row.ts';
import { owned } from './owned-bytes.ts';
import type { Row } from './row.ts';
import { payloadColumns, payloadOf, type PayloadColumns } from './payload-columns.ts';

const INPUT = 0;
const OUTPUT = 1;
/** So few bytes lie in the row of their task, which costs less than a row of their own; a start reads past them. */
const SMALL_BYTES_MAX = 256;

/** What of a task is small. */
interface ListedRow {
  readonly task_id: string;
  readonly vehicle_id: string;
  readonly slot: string;
  readonly request_id: string;
  readonly selector: string;
  readonly accepted_wall_ms: number;
  readonly deadline_wall_ms: number;
  readonly wants: string | null;
  readonly retry_of: string | null;
  readonly delivered: number;
  readonly state: string | null;
  readonly ended_wall_ms: number | null;
  readonly ending: string | null;
  readonly attempts?: number | null;
}

interface TaskRow extends ListedRow {
  readonly task_key: number;
  readonly body_hash: string;
  readonly args: string;
  readonly input_digest: string | null;
  readonly input_size_bytes: number;
  readonly output_digest: string | null;
  readonly output_size_bytes: number | null;
  readonly accepted_age_ms: number | null;
  readonly ended_age_ms: number | null;
  readonly input_bytes: Buffer | null;
  readonly output_bytes: Buffer | null;
}

type OutputRow = PayloadColumns & { readonly bytes: Buffer | null };

/** What of a `TaskEndRecord` has no column of its own. */
type Ending = Omit<TaskEndRecord, 'state' | 'endedWallMs' | 'output' | 'outputs'>;

export interface StoredTask {
  readonly task: TaskRecord;
  readonly end?: TaskEndRecord;
  readonly delivered: boolean;
  readonly acceptedAgoMs?: number;
  readonly endedAgoMs?: number;
}

type ClosedRow = readonly [string, string, string, string, number, number | null];

export function prepareTasks(db: Database, age: Pick<StoreAge, 'ms'>) {
  const insert =
    db.prepare(`INSERT INTO task (task_id, vehicle_id, slot, request_id, body_hash, selector, args,
    input_digest, input_size_bytes, accepted_wall_ms, deadline_wall_ms, wants, retry_of, input_bytes, accepted_age_ms)
    VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`);
  const insertBytes = db.prepare('INSERT INTO task_bytes (task_key, part, bytes) VALUES (?,?,?)');
  const insertOutputBytes = db.prepare(
    `INSERT INTO task_bytes (task_key, part, bytes) SELECT task_key, ${OUTPUT}, ? FROM task WHERE task_id = ?`,
  );
  const insertOutput = db.prepare(
    `INSERT INTO task_output (task_key, position, digest, size_bytes, bytes)
     SELECT task_key, ?, ?, ?, ? FROM task WHERE task_id = ?`,
  );
  const selectOutputs = db.prepare<[number], OutputRow>(
    `SELECT digest, size_bytes AS sizeBytes, bytes FROM task_output WHERE task_key = ? ORDER BY position`,
  );
  const setEnd = db.prepare(`UPDATE task SET state = ?, ended_wall_ms = ?, ending = ?, output_digest = ?,
    output_size_bytes = ?, output_bytes = ?, ended_age_ms = ? WHERE task_id = ? AND state IS NULL`);
  const setDelivered = db.prepare('UPDATE task SET delivered = 1 WHERE task_id = ? AND state IS NOT NULL');
  const deleteEnded = db.prepare('DELETE FROM task WHERE task_id = ? AND state IS NOT NULL');
  const exists = db.prepare('SELECT 1 FROM task WHERE task_id = ?');
  const selectOne = db.prepare<[string], TaskRow>('SELECT * FROM task WHERE task_id = ?');
  const selectOpen = db.prepare<[], TaskRow>('SELECT * FROM task WHERE delivered = 0 ORDER BY task_key');
  const selectBytes = db
    .prepare<[number, number], Buffer>('SELECT bytes FROM task_bytes WHERE task_key = ? AND part = ?')
    .pluck();
  const recentIds = db
    .prepare<[number], string>('SELECT task_id FROM task ORDER BY task_key DESC LIMIT ?')
    .pluck();
  const selectListed = db.prepare<[number], ListedRow>(
    `SELECT task_id, vehicle_id, slot, request_id, selector, accepted_wall_ms, deadline_wall_ms, wants, retry_of,
       delivered, state, ended_wall_ms, ending,
       (SELECT attempts FROM instance WHERE instance.task_id = task.task_id ORDER BY position LIMIT 1) AS attempts
     FROM task ORDER BY task_key DESC LIMIT ?`,
  );
  const closedColumns = 'task_id, vehicle_id, request_id, body_hash, ended_wall_ms, ended_age_ms';
  const selectClosed = db
    .prepare<[], ClosedRow>(
      `SELECT ${closedColumns} FROM task WHERE delivered = 1 ORDER BY ended_wall_ms, task_key`,
    )
    .raw();
  const selectClosedOf = db
    .prepare<[string, number], ClosedRow>(
      `SELECT ${closedColumns} FROM task INDEXED BY task_closed WHERE vehicle_id = ? AND delivered = 1
       ORDER BY ended_wall_ms DESC, task_key DESC LIMIT ?`,
    )
    .raw();
  const blobDigests = db
    .prepare<[], string>(
      `SELECT input_digest FROM task WHERE input_digest IS NOT NULL
       UNION SELECT output_digest FROM task WHERE output_digest IS NOT NULL
       UNION SELECT digest FROM task_output WHERE digest IS NOT NULL
       UNION SELECT result_digest FROM instance WHERE result_digest IS NOT NULL
       UNION SELECT checkpoint_digest FROM instance WHERE checkpoint_digest IS NOT NULL
       UNION SELECT image_digest FROM algorithm`,
    )
    .pluck();

  // By the rows of open tasks, those of the past are many more: a plus keeps SQLite from the indexes of digests.
  const owedDigests = db
    .prepare<[], string>(
      `SELECT input_digest FROM task
         WHERE delivered = 0 AND +input_digest IS NOT NULL AND (state IS NULL OR state NOT IN ('completed', 'cancelled'))
       UNION SELECT output_digest FROM task WHERE delivered = 0 AND +output_digest IS NOT NULL
       UNION SELECT digest FROM task CROSS JOIN task_output USING (task_key)
         WHERE delivered = 0 AND +digest IS NOT NULL
       UNION SELECT result_digest FROM instance WHERE result_digest IS NOT NULL
       UNION SELECT checkpoint_digest FROM instance WHERE checkpoint_digest IS NOT NULL
       UNION SELECT image_digest FROM algorithm`,
    )
    .pluck();

  const insertTask = (row: Row, small: string | null, bytes: Uint8Array | undefined): void => {
    const { lastInsertRowid } = insert.run(...row, bytesIn(small), age.ms());
    if (bytes !== undefined) insertBytes.run(lastInsertRowid, INPUT, bytes);
  };

  const endTask = (
    taskId: TaskId,
    row: Row,
    small: string | null,
    bytes: Uint8Array | undefined,
    outputs: readonly Payload[] = [],
  ): void => {
    const { changes } = setEnd.run(...row, bytesIn(small), age.ms(), taskId);
    assert.equal(changes, 1, `a task ends once, and ${taskId} is unknown or has ended`);
    if (bytes !== undefined) insertOutputBytes.run(bytes, taskId);
    for (const [position, part] of outputs.entries()) {
      const { digest, sizeBytes } = payloadColumns(part);
      const inline = part.where === 'inline' ? part.bytes : null;
      insertOutput.run(position, digest, sizeBytes, inline, taskId);
    }
  };

  const taskDelivered = (taskId: TaskId): void => {
    const { changes } = setDelivered.run(taskId);
    assert.equal(changes, 1, `only what ended is delivered, and ${taskId} is unknown or has not ended`);
  };

  const forgetTasks = (taskIds: readonly TaskId[]): void => {
    for (const taskId of taskIds) {
      if (deleteEnded.run(taskId).changes === 1) continue;
      assert.equal(exists.get(taskId), undefined, `${taskId} has not ended: it must not be forgotten`);
    }
  };

  const storedTask = (row: TaskRow): StoredTask => {
    const outputs = row.state === null ? [] : selectOutputs.all(row.task_key).map(outputOf);
    const readPart: ReadPart = (part) =>
      (part === INPUT ? row.input_bytes : row.output_bytes) ?? selectBytes.get(row.task_key, part);
    const end = endOf(row, readPart, outputs);
    const task = taskOf(row, readPart);
    const { accepted_age_ms: acceptedMs, ended_age_ms: endedMs } = row;
    return {
      task,
      ...(end && { end }),
      delivered: row.delivered === 1,
      ...(acceptedMs !== null && { acceptedAgoMs: agoMs(age.ms(), acceptedMs) }),
      ...(endedMs !== null && { endedAgoMs: agoMs(age.ms(), endedMs) }),
    };
  };

  const closedTasksFrom = (rows: readonly ClosedRow[]): ClosedTaskRecord[] => {
    const ageMs = age.ms();
    return rows.map((row) => closedTaskOf(row, ageMs));
  };

  return {
    insertTask,
    endTask,
    taskDelivered,
    forgetTasks,
    readTask: (taskId: string): StoredTask | undefined => {
      const row = selectOne.get(taskId);
      return row && storedTask(row);
    },
    openTasks: (): StoredTask[] => selectOpen.all().map(storedTask),
    closedTasks: (): ClosedTaskRecord[] => closedTasksFrom(selectClosed.all()),
    closedTasksOf: (vehicleId: VehicleId, limit: number): ClosedTaskRecord[] =>
      closedTasksFrom(selectClosedOf.all(vehicleId, limit)),
    listTasks: (limit: number): ListedTask[] => selectListed.all(limit).map(listedOf),
    recentTaskIds: (limit: number): TaskId[] => recentIds.all(limit) as TaskId[],
    referencedBlobs: (): Digest[] => blobDigests.all() as Digest[],
    owedBlobs: (): Digest[] => owedDigests.all() as Digest[],
  };
}

function agoMs(ageMs: number, thenMs: number): number {
  return Math.max(0, ageMs - thenMs);
}

/** The parameters of the statement that inserts a task, but for its small bytes and its age. */
export function taskRow(task: TaskRecord): Row {
  const input = payloadColumns(task.input);
  return [
    task.taskId,
    task.vehicleId,
    task.slot,
    task.requestId,
    task.bodyHash,
    JSON.stringify(task.selector),
    JSON.stringify(task.args),
    input.digest,
    input.sizeBytes,
    task.acceptedWallMs,
    task.deadlineWallMs,
    task.wants === undefined ? null : JSON.stringify(task.wants),
    task.retryOf ?? null,
  ];
}

/** The parameters of the statement that ends a task, but for its small bytes, its age and its id. */
export function endRow(end: TaskEndRecord): Row {
  const { state, endedWallMs, output, outputs: _elsewhere, ...ending } = end;
  const columns = output && payloadColumns(output);
  return [
    state,
    endedWallMs,
    JSON.stringify(ending satisfies Ending),
    columns?.digest ?? null,
    columns?.sizeBytes ?? null,
  ];
}

/**
 * Inline bytes that lie in the row of their task, as a letter a byte: a text goes to another thread for less than a tenth of what
 * bytes cost, each of which would have a buffer of its own on both sides.
 */
export function smallBytes(payload: Payload | undefined): string | null {
  if (payload === undefined || payload.where === 'blob' || payload.bytes.byteLength === 0) return null;
  return payload.bytes.byteLength <= SMALL_BYTES_MAX ? Buffer.from(payload.bytes).toString('latin1') : null;
}

function bytesIn(small: string | null): Buffer | null {
  return small === null ? null : Buffer.from(small, 'latin1');
}

/** Inline bytes that have a row of their own. */
export function largeBytes(payload: Payload): Uint8Array | undefined {
  if (payload.where === 'blob' || payload.bytes.byteLength <= SMALL_BYTES_MAX) return undefined;
  return owned(payload.bytes);
}

type ReadPart = (part: number) => Buffer | undefined;

function taskOf(row: TaskRow, readPart: ReadPart): TaskRecord {
  return {
    ...aboutTask(row),
    bodyHash: row.body_hash,
    args: JSON.parse(row.args) as string[],
    input: payloadOf({ digest: row.input_digest, sizeBytes: row.input_size_bytes }, () => readPart(INPUT)),
  };
}

function aboutTask(row: ListedRow): ListedTask['task'] {
  return {
    taskId: row.task_id as TaskId,
    vehicleId: row.vehicle_id as VehicleId,
    slot: row.slot as Slot,
    requestId: row.request_id as RequestId,
    selector: JSON.parse(row.selector) as Selector,
    acceptedWallMs: row.accepted_wall_ms,
    deadlineWallMs: row.deadline_wall_ms,
    ...(row.wants !== null && { wants: JSON.parse(row.wants) as Wants }),
    ...(row.retry_of !== null && { retryOf: row.retry_of as TaskId }),
  };
}

function listedOf(row: ListedRow): ListedTask {
  const end = aboutEnd(row);
  return {
    task: aboutTask(row),
    ...(end && { end }),
    delivered: row.delivered === 1,
    attempts: row.attempts ?? 0,
  };
}

function aboutEnd({ state, ended_wall_ms: endedWallMs, ending }: ListedRow): ListedTask['end'] {
  if (state === null || endedWallMs === null || ending === null) return undefined;
  return { state: state as TaskEndRecord['state'], endedWallMs, ...(JSON.parse(ending) as Ending) };
}

function outputOf({ bytes, ...columns }: OutputRow): Payload {
  return payloadOf(columns, () => bytes ?? undefined);
}

function endOf(row: TaskRow, readPart: ReadPart, outputs: readonly Payload[]): TaskEndRecord | undefined {
  const about = aboutEnd(row);
  if (about === undefined) return undefined;
  const sizeBytes = row.output_size_bytes;
  return {
    ...about,
    ...(sizeBytes !== null && {
      output: payloadOf({ digest: row.output_digest, sizeBytes }, () => readPart(OUTPUT)),
    }),
    ...(outputs.length > 0 && { outputs }),
  };
}

function closedTaskOf(
  [taskId, vehicleId, requestId, bodyHash, endedWallMs, endedAgeMs]: ClosedRow,
  ageMs: number,
): ClosedTaskRecord {
  return {
    taskId: taskId as TaskId,
    vehicleId: vehicleId as VehicleId,
    requestId: requestId as RequestId,
    bodyHash,
    endedWallMs,
    ...(endedAgeMs !== null && { endedAgoMs: agoMs(ageMs, endedAgeMs) }),
  };
}
