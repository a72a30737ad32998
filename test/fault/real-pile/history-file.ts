/** A recorded history in a file, so that what a process was told outlives it: one entry a line, appended as it happens. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import type { HistoryEntry } from '../../simulation/history.ts';

/** Not JSON: payloads are bytes. */
export function recordTo(file: string): (entry: HistoryEntry) => void {
  return (entry) => appendFileSync(file, `${serialize(entry).toString('base64')}\n`);
}

export function readRecorded(file: string): HistoryEntry[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => deserialize(Buffer.from(line, 'base64')) as HistoryEntry);
}
