/** Schema 1: tasks with their payloads, instances, attempts, the ledger, algorithms, tokens. */

/**
 * Small columns and bytes are kept apart: a start reads every closed task, and must not read their inputs and outputs for it.
 * Tables that only ever grow at their end have a rowid; those that are always read by task are clustered by it.
 */
export const firstSchema = `
CREATE TABLE meta (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  -- A copy: the number of the run is in agent.generation.
  generation INTEGER NOT NULL
) STRICT;
INSERT INTO meta (only, generation) VALUES (1, 0);

CREATE TABLE task (
  task_key INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL UNIQUE,
  vehicle_id TEXT NOT NULL,
  slot TEXT NOT NULL,
  request_id TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  selector TEXT NOT NULL,
  args TEXT NOT NULL,
  -- Null: inline, in task_bytes.
  input_digest TEXT,
  input_size_bytes INTEGER NOT NULL,
  accepted_wall_ms INTEGER NOT NULL,
  deadline_wall_ms INTEGER NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0 CHECK (delivered IN (0, 1)),
  -- Null until the task ends.
  state TEXT CHECK (state IN ('completed', 'failed', 'expired', 'cancelled', 'dead')),
  ended_wall_ms INTEGER,
  -- Null: no output. Null with a size: inline, in task_bytes.
  output_digest TEXT,
  output_size_bytes INTEGER,
  -- JSON: attempts, donor, used, failure, chargedMncs, algorithmId, algorithmVersion.
  ending TEXT,
  UNIQUE (vehicle_id, request_id),
  CHECK ((state IS NULL) = (ended_wall_ms IS NULL) AND (state IS NULL) = (ending IS NULL)),
  CHECK (delivered = 0 OR state IS NOT NULL)
) STRICT;
CREATE INDEX task_open ON task (task_key) WHERE delivered = 0;
CREATE INDEX task_closed ON task (vehicle_id, ended_wall_ms) WHERE delivered = 1;
CREATE INDEX task_input_blob ON task (input_digest) WHERE input_digest IS NOT NULL;
CREATE INDEX task_output_blob ON task (output_digest) WHERE output_digest IS NOT NULL;

CREATE TABLE task_bytes (
  task_key INTEGER NOT NULL REFERENCES task (task_key) ON DELETE CASCADE,
  -- 0 input, 1 output.
  part INTEGER NOT NULL CHECK (part IN (0, 1)),
  bytes BLOB NOT NULL,
  PRIMARY KEY (task_key, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE instance (
  task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
  instance_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  departures INTEGER NOT NULL,
  crashes INTEGER NOT NULL,
  -- JSON; null while not granted.
  lease TEXT,
  PRIMARY KEY (task_id, instance_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
  task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
  instance_id TEXT NOT NULL,
  fencing_token INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  vehicle_id TEXT NOT NULL,
  algorithm_id TEXT NOT NULL,
  algorithm_version TEXT NOT NULL,
  started_wall_ms INTEGER NOT NULL,
  ended_wall_ms INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (task_id, instance_id, fencing_token)
) STRICT, WITHOUT ROWID;

-- Bookings are never changed and never deleted: they outlive their task.
CREATE TABLE booking (
  booking_key INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  fencing_token INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL,
  UNIQUE (instance_id, fencing_token)
) STRICT;

CREATE TABLE entry (
  booking_key INTEGER NOT NULL REFERENCES booking (booking_key),
  position INTEGER NOT NULL,
  account TEXT NOT NULL,
  amount_mncs INTEGER NOT NULL,
  PRIMARY KEY (booking_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE algorithm (
  id TEXT NOT NULL,
  version TEXT NOT NULL,
  type TEXT NOT NULL,
  runtime TEXT NOT NULL,
  image_digest TEXT NOT NULL,
  image_size_bytes INTEGER NOT NULL,
  demands TEXT NOT NULL,
  work_core_s REAL NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'retired')),
  added_wall_ms INTEGER NOT NULL,
  PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE vehicle_token (
  vehicle_id TEXT PRIMARY KEY,
  hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;
