/** Brings a file to the schema of this version, step by step; each step is one transaction. */
import type { Database } from 'better-sqlite3';
import { firstSchema } from './migrations/001-first-schema.ts';
import { wantedAndLearned } from './migrations/002-what-was-wanted-and-learned.ts';
import { smallerGenerations } from './migrations/003-smaller-generations.ts';
import { replicas } from './migrations/004-replicas.ts';
import { chainedLedger } from './migrations/005-a-chained-ledger.ts';
import { age } from './migrations/006-age.ts';
import { smallBytesWithTheirTask } from './migrations/007-small-bytes-with-their-task.ts';
import { retries } from './migrations/008-retries.ts';
import { bindings } from './migrations/009-bindings.ts';
import { credits } from './migrations/010-credits.ts';
import { lighterChecks } from './migrations/011-lighter-checks.ts';
import { handedIn } from './migrations/012-handed-in.ts';

/** 'Plug', so that `file agent.db` and another program can tell whose file it is. */
export const APPLICATION_ID = 0x506c7567;

/** SQL, or what SQL alone cannot say. */
type Step = string | ((db: Database) => void);

/** Position + 1 is the `user_version` that the step leads to. A step that was released is never edited. */
const STEPS: readonly Step[] = [
  firstSchema,
  wantedAndLearned,
  smallerGenerations,
  replicas,
  chainedLedger,
  age,
  smallBytesWithTheirTask,
  retries,
  bindings,
  credits,
  lighterChecks,
  handedIn,
];

export const SCHEMA_VERSION = STEPS.length;

/** Returns the version that the file had. */
export function migrate(db: Database): number {
  const found = schemaVersionOf(db);
  for (let version = found; version < SCHEMA_VERSION; version += 1) {
    db.transaction(() => {
      const step = STEPS[version]!;
      if (typeof step === 'string') db.exec(step);
      else step(db);
      db.pragma(`application_id = ${APPLICATION_ID}`);
      db.pragma(`user_version = ${version + 1}`);
    }).immediate();
  }
  return found;
}

export function schemaVersionOf(db: Database): number {
  return db.pragma('user_version', { simple: true }) as number;
}

export function applicationIdOf(db: Database): number {
  return db.pragma('application_id', { simple: true }) as number;
}
