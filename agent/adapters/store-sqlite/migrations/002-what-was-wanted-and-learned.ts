/** Schema 2: what a request wants, the parts of a task with their results and checkpoints, past stays, what was learned. */

/**
 * Only a part of several has a result here, and such a result is small: it lies in its instance's row, so that a result costs
 * the commit no statement of its own. The outputs of an ended task are kept apart, as `task_bytes` is: a start that reads every
 * closed task must not read them.
 */
export const wantedAndLearned = `
-- JSON; null where nothing was stated.
ALTER TABLE task ADD COLUMN wants TEXT;

-- The outputs of all parts, in their order, of a task that had several.
CREATE TABLE task_output (
  task_key INTEGER NOT NULL REFERENCES task (task_key) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  -- Null: inline, in bytes.
  digest TEXT,
  size_bytes INTEGER NOT NULL,
  bytes BLOB,
  PRIMARY KEY (task_key, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_output_part_blob ON task_output (digest) WHERE digest IS NOT NULL;

-- JSON: donor, used, chargedMncs; null: no result yet, or none that is kept.
ALTER TABLE instance ADD COLUMN result TEXT;
-- Null: inline, in result_bytes.
ALTER TABLE instance ADD COLUMN result_digest TEXT;
ALTER TABLE instance ADD COLUMN result_size_bytes INTEGER;
ALTER TABLE instance ADD COLUMN result_bytes BLOB;
ALTER TABLE instance ADD COLUMN checkpoint_digest TEXT;
ALTER TABLE instance ADD COLUMN checkpoint_size_bytes INTEGER;
ALTER TABLE instance ADD COLUMN checkpoint_done_mncs INTEGER;
ALTER TABLE instance ADD COLUMN preempted INTEGER NOT NULL DEFAULT 0 CHECK (preempted IN (0, 1));
CREATE INDEX instance_result_blob ON instance (result_digest) WHERE result_digest IS NOT NULL;
CREATE INDEX instance_checkpoint_blob ON instance (checkpoint_digest) WHERE checkpoint_digest IS NOT NULL;

-- It can keep its state and go on from there.
ALTER TABLE algorithm ADD COLUMN checkpoints INTEGER NOT NULL DEFAULT 0 CHECK (checkpoints IN (0, 1));

-- Stays that are over, in the order in which they ended; the oldest leave as new ones come.
CREATE TABLE stay (
  stay_key INTEGER PRIMARY KEY,
  connector_id TEXT NOT NULL,
  plugged_wall_ms INTEGER NOT NULL,
  unplugged_wall_ms INTEGER NOT NULL,
  charging_ended_wall_ms INTEGER,
  stated_departure_wall_ms INTEGER
) STRICT;

CREATE TABLE learned (
  name TEXT PRIMARY KEY,
  -- JSON.
  value TEXT NOT NULL
) STRICT;
`;
