/** Whose file it is, and whether this version can read it. */
import type { Database } from 'better-sqlite3';
import { APPLICATION_ID, applicationIdOf, SCHEMA_VERSION, schemaVersionOf } from './migrations.ts';

/** Undefined: a store that this version reads. */
export function ownershipProblem(db: Database): string | undefined {
  if (applicationIdOf(db) !== APPLICATION_ID) return 'it is a database of another program';
  const version = schemaVersionOf(db);
  if (version > SCHEMA_VERSION) return `it has schema ${version}; this version knows ${SCHEMA_VERSION}`;
  return undefined;
}
