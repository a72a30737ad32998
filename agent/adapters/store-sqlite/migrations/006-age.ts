/** Schema 6: how old the store is, and at what age each task was accepted and ended, since a wall clock may be set. */

export const age = `
-- The age as it was last written, and what the machine's clocks showed then; null before.
ALTER TABLE meta ADD COLUMN boot_id TEXT;
ALTER TABLE meta ADD COLUMN boot_ms INTEGER;
ALTER TABLE meta ADD COLUMN wall_ms INTEGER;
ALTER TABLE meta ADD COLUMN age_ms INTEGER;

-- Null in rows of an older version: their wall times count.
ALTER TABLE task ADD COLUMN accepted_age_ms INTEGER;
ALTER TABLE task ADD COLUMN ended_age_ms INTEGER;
`;
