/** Statements on `instance` and `attempt`: the parts of a task as they stand, and their tries that ended. */
import type {
  AlgorithmId,
  Digest,
  FencingToken,
  InstanceId,
  LeaseId,
  TaskId,
  VehicleId,
} from '@plugpool/proto';
import type { Database } from 'better-sqlite3';
import assert from 'node:assert/strict';
import type {
  AttemptOutcome,
  AttemptRecord,
  CheckpointRecord,
  InstanceRecord,
  LeaseRecord,
  OwedRecord,
  PartResultRecord,
  TaskEndRecord,
} from '../../core/records.ts';
import { owned } from './owned-bytes.ts';
import type { Row } from './row.ts';
import { payloadColumns, payloadOf } from './payload-columns.ts';

interface InstanceRow {
  readonly task_id: string;
  readonly instance_id: string;
  readonly position: number;
  readonly attempts: number;
  readonly departures: number;
  readonly crashes: number;
  readonly lease: string | null;
  readonly result: string | null;
  readonly result_digest: string | null;
  readonly result_size_bytes: number | null;
  readonly result_bytes: Buffer | null;
  readonly checkpoint_digest: string | null;
  readonly checkpoint_size_bytes: number | null;
  readonly checkpoint_done_mncs: number | null;
  readonly preempted: number;
  readonly replication: string | null;
  readonly owed: string | null;
}

/** What of a result has no column of its own. */
type AboutResult = Omit<PartResultRecord, 'output'>;

/** Every column of `instance` that an instance sets, its key first. */
const KEY_COLUMNS = ['task_id', 'instance_id'];
const OTHER_COLUMNS = [
  'position',
  'attempts',
  'departures',
  'crashes',
  'lease',
  'result',
  'result_digest',
  'result_size_bytes',
  'result_bytes',
  'checkpoint_digest',
  'checkpoint_size_bytes',
  'checkpoint_done_mncs',
  'preempted',
  'replication',
  'owed',
];

interface AttemptRow {
  readonly task_id: string;
  readonly instance_id: string;
  readonly fencing_token: number;
  readonly attempt: number;
  readonly vehicle_id: string;
  readonly algorithm_id: string;
  readonly algorithm_version: string;
  readonly started_wall_ms: number;
  readonly ended_wall_ms: number;
  readonly outcome: string;
  readonly reason: string;
  readonly handed_in: number;
}

export function prepareInstances(db: Database) {
  const columns = [...KEY_COLUMNS, ...OTHER_COLUMNS];
  const put = db.prepare(`INSERT INTO instance (${columns.join(', ')})
    VALUES (${columns.map(() => '?').join(',')}) ON CONFLICT (task_id, instance_id)
    DO UPDATE SET ${OTHER_COLUMNS.map((column) => `${column} = excluded.${column}`).join(', ')}`);
  const insert =
    db.prepare(`INSERT INTO attempt (task_id, instance_id, fencing_token, attempt, vehicle_id, algorithm_id,
    algorithm_version, started_wall_ms, ended_wall_ms, outcome, reason, handed_in) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`);
  const selectInstances = db.prepare<[string], InstanceRow>(
    'SELECT * FROM instance WHERE task_id = ? ORDER BY position, instance_id',
  );
  const selectAttempts = db.prepare<[string], AttemptRow>(
    'SELECT * FROM attempt WHERE task_id = ? ORDER BY ended_wall_ms, instance_id, fencing_token',
  );

  const selectAttempt = db.prepare<[string, string, number], AttemptRow>(
    'SELECT * FROM attempt WHERE task_id = ? AND instance_id = ? AND fencing_token = ?',
  );

  return {
    putInstance: (row: Row): void => {
      put.run(row);
    },
    insertAttempt: (row: Row): void => {
      insert.run(row);
    },
    /** `end`: of their task, where it has ended. */
    instancesOf: (taskId: string, end: TaskEndRecord | undefined): InstanceRecord[] =>
      selectInstances.all(taskId).map((row) => instanceOf(row, end === undefined ? row.lease : null)),
    attempt: (taskId: TaskId, { instanceId, fencingToken }: LeaseId): AttemptRecord | undefined => {
      const row = selectAttempt.get(taskId, instanceId, fencingToken);
      return row && attemptOf(row);
    },
    attemptsOf: (taskId: string): AttemptRecord[] => selectAttempts.all(taskId).map(attemptOf),
  };
}

/** The parameters of the statement that puts an instance. */
export function instanceRow(instance: InstanceRecord): Row {
  return [
    instance.taskId,
    instance.instanceId,
    instance.index,
    instance.attempts,
    instance.departures,
    instance.crashes,
    instance.lease === undefined ? null : leaseText(instance.lease),
    ...resultColumns(instance.result),
    instance.checkpoint?.state.digest ?? null,
    instance.checkpoint?.state.sizeBytes ?? null,
    instance.checkpoint?.doneMncs ?? null,
    instance.preempted === true ? 1 : 0,
    replicationOf(instance),
    instance.owed === undefined ? null : JSON.stringify(instance.owed),
  ];
}

/** The parameters of the statement that inserts an attempt. */
export function attemptRow(attempt: AttemptRecord): Row {
  assert.ok(Number.isSafeInteger(attempt.fencingToken), 'a fencing token is a safe integer');
  return [
    attempt.taskId,
    attempt.instanceId,
    attempt.fencingToken,
    attempt.attempt,
    attempt.vehicleId,
    attempt.algorithmId,
    attempt.algorithmVersion,
    attempt.startedWallMs,
    attempt.endedWallMs,
    attempt.outcome,
    attempt.reason,
    attempt.handedIn === true ? 1 : 0,
  ];
}

/** JSON without its keys: each task writes one. What a run on a GPU, at a meter, or one that keeps its state has beside it comes last. */
function leaseText(lease: LeaseRecord): string {
  const {
    vehicleId,
    connectorId,
    algorithmId,
    algorithmVersion,
    demand,
    fencingToken,
    grantedWallMs,
    ...rest
  } = lease;
  const values = [vehicleId, connectorId, algorithmId, algorithmVersion, demand, fencingToken, grantedWallMs];
  return JSON.stringify(Object.keys(rest).length === 0 ? values : [...values, rest]);
}

type LeaseValues = [
  LeaseRecord['vehicleId'],
  LeaseRecord['connectorId'],
  LeaseRecord['algorithmId'],
  LeaseRecord['algorithmVersion'],
  LeaseRecord['demand'],
  LeaseRecord['fencingToken'],
  LeaseRecord['grantedWallMs'],
  Pick<LeaseRecord, 'gpuDeviceId' | 'meterMwh' | 'booked' | 'unbooked'>?,
];

function leaseFrom(text: string): LeaseRecord {
  const parsed = JSON.parse(text) as LeaseRecord | LeaseValues;
  // As versions before this one wrote it.
  if (!Array.isArray(parsed)) return parsed;
  const [vehicleId, connectorId, algorithmId, algorithmVersion, demand, fencingToken, grantedWallMs, rest] =
    parsed;
  return {
    vehicleId,
    connectorId,
    algorithmId,
    algorithmVersion,
    demand,
    fencingToken,
    grantedWallMs,
    ...rest,
  };
}

/** What only a replicated part has. */
type Replication = Pick<InstanceRecord, 'replica' | 'quorum' | 'program' | 'settled'>;

function replicationOf({ replica, quorum, program, settled }: InstanceRecord): string | null {
  if (replica === undefined && quorum === undefined && program === undefined && settled === undefined)
    return null;
  return JSON.stringify({ replica, quorum, program, settled } satisfies {
    [Key in keyof Replication]: unknown;
  });
}

function resultColumns(result: PartResultRecord | undefined): (string | number | Uint8Array | null)[] {
  if (result === undefined) return [null, null, null, null];
  const { output, ...about } = result;
  const { digest, sizeBytes } = payloadColumns(output);
  const bytes = output.where === 'inline' ? owned(output.bytes) : null;
  return [JSON.stringify(about satisfies AboutResult), digest, sizeBytes, bytes];
}

function resultOf(row: InstanceRow): PartResultRecord | undefined {
  if (row.result === null || row.result_size_bytes === null) return undefined;
  const columns = { digest: row.result_digest, sizeBytes: row.result_size_bytes };
  const output = payloadOf(columns, () => row.result_bytes ?? undefined);
  return { output, ...(JSON.parse(row.result) as AboutResult) };
}

function checkpointOf(row: InstanceRow): CheckpointRecord | undefined {
  const { checkpoint_digest: digest, checkpoint_size_bytes: sizeBytes, checkpoint_done_mncs: doneMncs } = row;
  if (digest === null || sizeBytes === null || doneMncs === null) return undefined;
  return { state: { digest: digest as Digest, sizeBytes }, doneMncs };
}

/** `lease`: as it lies in the row, which still has the last one when the task has ended. */
function instanceOf(row: InstanceRow, lease: string | null): InstanceRecord {
  const result = resultOf(row);
  const checkpoint = checkpointOf(row);
  return {
    instanceId: row.instance_id as InstanceId,
    taskId: row.task_id as TaskId,
    index: row.position,
    attempts: row.attempts,
    departures: row.departures,
    crashes: row.crashes,
    ...(lease !== null && { lease: leaseFrom(lease) }),
    ...(result && { result }),
    ...(checkpoint && { checkpoint }),
    ...(row.preempted === 1 && { preempted: true }),
    ...(row.replication !== null && (JSON.parse(row.replication) as Replication)),
    ...(row.owed !== null && { owed: JSON.parse(row.owed) as OwedRecord[] }),
  };
}

function attemptOf(row: AttemptRow): AttemptRecord {
  return {
    instanceId: row.instance_id as InstanceId,
    taskId: row.task_id as TaskId,
    attempt: row.attempt,
    fencingToken: row.fencing_token as FencingToken,
    vehicleId: row.vehicle_id as VehicleId,
    algorithmId: row.algorithm_id as AlgorithmId,
    algorithmVersion: row.algorithm_version,
    startedWallMs: row.started_wall_ms,
    endedWallMs: row.ended_wall_ms,
    outcome: row.outcome as AttemptOutcome,
    reason: row.reason,
    ...(row.handed_in === 1 && { handedIn: true }),
  };
}
