/** Schema 12: which attempts ended by a result that their donor was told is taken. */

export const handedIn = `
-- Of rows before this column the outcome alone tells: completed and failed are what only a result gives.
ALTER TABLE attempt ADD COLUMN handed_in INTEGER NOT NULL DEFAULT 0;
`;
