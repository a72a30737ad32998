/** Schema 8: tasks that an operator had run again. */

export const retries = `
-- The task that ended without a result; null: this one was asked for by its vehicle.
ALTER TABLE task ADD COLUMN retry_of TEXT;
`;
