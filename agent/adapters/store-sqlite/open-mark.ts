/**
 * A mark beside the store while it is open. SQLite keeps the log for as long as a connection is open and removes it only at the end
 * of the last one: a mark without a log tells that somebody took the log away, and the last commits of that run with it.
 */
import { closeSync, existsSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NAME = 'agent.open';

/** Asked before anything opens the store, which would make a log. */
export function isLogGone(storePath: string): boolean {
  return existsSync(markPath(storePath)) && existsSync(storePath) && !existsSync(`${storePath}-wal`);
}

/** Once the log is there. On a disk that has no room even for its name, a start goes before the mark. */
export function markOpen(storePath: string): void {
  try {
    closeSync(openSync(markPath(storePath), 'w', 0o600));
  } catch {
    // Then a log that goes missing is not noticed.
  }
}

/** Before the store is closed: in the other order a crash between the two would look like a log that is gone. */
export function forgetOpen(storePath: string): void {
  rmSync(markPath(storePath), { force: true });
}

function markPath(storePath: string): string {
  return join(dirname(storePath), NAME);
}
