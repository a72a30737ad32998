/** Schema 7: a few bytes of input or output lie in the row of their task. */

export const smallBytesWithTheirTask = `
-- Null: none, or in task_bytes, or a blob.
ALTER TABLE task ADD COLUMN input_bytes BLOB;
ALTER TABLE task ADD COLUMN output_bytes BLOB;
`;
