/** Finds data that is too large for the repository, or not ours to ship, in the folder `shared/data` beside it. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The path, or undefined where this machine does not have it: such a test is skipped with that reason. */
export function sharedData(path: string): string | undefined {
  const found = join(resolve(import.meta.dirname, '../../shared/data'), path);
  return existsSync(found) ? found : undefined;
}
