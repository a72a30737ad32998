/** Statements on `instance` and `attempt`: the parts of a task as they stand, and their tries that ended. */
import type { AlgorithmId, FencingToken, InstanceId, TaskId, VehicleId } from '@plugpool/proto';
import type { Database } from 'better-sqlite3';
import assert from 'node:assert/strict';
import type { AttemptOutcome, AttemptRecord, InstanceRecord, LeaseRecord } from '../../core/records.ts';

interface InstanceRow {
  readonly task_id: string;
  readonly instance_id: string;
  readonly position: number;
  readonly attempts: number;
  readonly departures: number;
  readonly crashes: number;
  readonly lease: string | null;
}

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
}

export function prepareInstances(db: Database) {
  const put =
    db.prepare(`INSERT INTO instance (task_id, instance_id, position, attempts, departures, crashes, lease)
    VALUES (?,?,?,?,?,?,?) ON CONFLICT (task_id, instance_id) DO UPDATE SET position = excluded.position,
    attempts = excluded.attempts, departures = excluded.departures, crashes = excluded.crashes, lease = excluded.lease`);
  const insert =
    db.prepare(`INSERT INTO attempt (task_id, instance_id, fencing_token, attempt, vehicle_id, algorithm_id,
    algorithm_version, started_wall_ms, ended_wall_ms, outcome, reason) VALUES (?,?,?,?,?,?,?,?,?,?,?)`);
  const selectInstances = db.prepare<[string], InstanceRow>(
    'SELECT * FROM instance WHERE task_id = ? ORDER BY position, instance_id',
  );
  const selectAttempts = db.prepare<[string], AttemptRow>(
    'SELECT * FROM attempt WHERE task_id = ? ORDER BY ended_wall_ms, instance_id, fencing_token',
  );

  return {
    putInstance: (instance: InstanceRecord): void => {
      put.run(
        instance.taskId,
        instance.instanceId,
        instance.index,
        instance.attempts,
        instance.departures,
        instance.crashes,
        instance.lease === undefined ? null : JSON.stringify(instance.lease),
      );
    },
    insertAttempt: (attempt: AttemptRecord): void => {
      assert.ok(Number.isSafeInteger(attempt.fencingToken), 'a fencing token is a safe integer');
      insert.run(
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
      );
    },
    instancesOf: (taskId: string): InstanceRecord[] => selectInstances.all(taskId).map(instanceOf),
    attemptsOf: (taskId: string): AttemptRecord[] => selectAttempts.all(taskId).map(attemptOf),
  };
}

function instanceOf(row: InstanceRow): InstanceRecord {
  return {
    instanceId: row.instance_id as InstanceId,
    taskId: row.task_id as TaskId,
    index: row.position,
    attempts: row.attempts,
    departures: row.departures,
    crashes: row.crashes,
    ...(row.lease !== null && { lease: JSON.parse(row.lease) as LeaseRecord }),
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
  };
}
