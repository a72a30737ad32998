/**
 * Statements that take inline payloads out of the tasks that were acknowledged, where the disk is short: each becomes its digest, as
 * a payload that lies in a file is to begin with. The task stays: its row is what makes a repeated request known.
 */
import type { Database } from 'better-sqlite3';
import { createHash } from 'node:crypto';

/** Up to 4 MiB are read and hashed at once: some ten milliseconds, in which no commit is made. */
const PAYLOADS_A_SLICE = 64;

type BytesRow = readonly [taskKey: number, part: 0 | 1, bytes: Buffer];
type OutputRow = readonly [taskKey: number, position: number, bytes: Buffer];

export function prepareAcknowledgedBytes(db: Database) {
  // By the key of the task, so that those go first that were accepted first.
  const selectBytes = db
    .prepare<[number], BytesRow>(
      `SELECT task_key, part, bytes FROM task_bytes CROSS JOIN task USING (task_key)
       WHERE delivered = 1 ORDER BY task_bytes.task_key LIMIT ?`,
    )
    .raw();
  const selectOutputs = db
    .prepare<[number], OutputRow>(
      `SELECT task_key, position, bytes FROM task_output CROSS JOIN task USING (task_key)
       WHERE delivered = 1 AND bytes IS NOT NULL ORDER BY task_output.task_key LIMIT ?`,
    )
    .raw();
  const setDigest = [
    db.prepare('UPDATE task SET input_digest = ? WHERE task_key = ?'),
    db.prepare('UPDATE task SET output_digest = ? WHERE task_key = ?'),
  ] as const;
  const deleteBytes = db.prepare('DELETE FROM task_bytes WHERE task_key = ? AND part = ?');
  const emptyOutput = db.prepare(
    'UPDATE task_output SET digest = ?, bytes = NULL WHERE task_key = ? AND position = ?',
  );

  return {
    /** Within a transaction. Returns how many; fewer than a slice: there are no more. */
    letGoSlice: (): number => {
      const payloads = selectBytes.all(PAYLOADS_A_SLICE);
      for (const [taskKey, part, bytes] of payloads) {
        setDigest[part].run(digestOf(bytes), taskKey);
        deleteBytes.run(taskKey, part);
      }
      const outputs = selectOutputs.all(PAYLOADS_A_SLICE - payloads.length);
      for (const [taskKey, position, bytes] of outputs) emptyOutput.run(digestOf(bytes), taskKey, position);
      return payloads.length + outputs.length;
    },
    /** Pages of the file that the next commits can take. */
    freeBytes: (): number => {
      const pages = db.pragma('freelist_count', { simple: true }) as number;
      return pages * (db.pragma('page_size', { simple: true }) as number);
    },
  };
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
