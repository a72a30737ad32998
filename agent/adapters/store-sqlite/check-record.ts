/** What the last whole check of the store found, in a file beside it: a damaged store is not asked whether it is damaged. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CheckRecord } from '../../ports.ts';

const NAME = 'agent.check';

/** Undefined: never checked, or nothing that can be read. */
export function readCheckRecord(storePath: string): CheckRecord | undefined {
  try {
    const parsed = JSON.parse(readFileSync(recordPath(storePath), 'utf8')) as CheckRecord;
    return ['ok', 'failed', 'suspect'].includes(parsed.state) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

export function writeCheckRecord(storePath: string, record: CheckRecord): void {
  const path = recordPath(storePath);
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeSync(file, `${JSON.stringify(record)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
}

/** The file that it was about is not in its place any more. */
export function forgetCheckRecord(storePath: string): void {
  rmSync(recordPath(storePath), { force: true });
}

function recordPath(storePath: string): string {
  return join(dirname(storePath), NAME);
}
