/** Whose file it is, and whether this version can read it. */
import type { Database } from 'better-sqlite3';
import { APPLICATION_ID, applicationIdOf, SCHEMA_VERSION, schemaVersionOf } from './migrations.ts';

/** Why a file is none that this version can use; `hint` is what a person can do about it. */
export interface FileProblem {
  readonly why: string;
  readonly hint: string;
}

/** Undefined: a store that this version reads. */
export function ownershipProblem(db: Database): FileProblem | undefined {
  if (applicationIdOf(db) !== APPLICATION_ID)
    return { why: 'it is a database of another program', hint: 'Name a file that "plugpool backup" made.' };
  const version = schemaVersionOf(db);
  if (version <= SCHEMA_VERSION) return undefined;
  return {
    why: `a newer version of Plugpool made it (schema ${version}; this version knows ${SCHEMA_VERSION})`,
    hint: 'Use the version that made it, or a backup that is older.',
  };
}
