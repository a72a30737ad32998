/** Schema 4: how outputs of an algorithm compare, and replicas of the parts of a task. */

/** One JSON column for what only a replicated part has: a task that runs once pays a null for it. */
export const replicas = `
-- JSON; null: its outputs may differ from run to run.
ALTER TABLE algorithm ADD COLUMN compare TEXT;

-- JSON: replica, quorum, program, settled; null: the part runs once.
ALTER TABLE instance ADD COLUMN replication TEXT;
`;
