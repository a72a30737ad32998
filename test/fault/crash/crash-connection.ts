/** The connection to the store's file: a crash point in the open transaction, when all its rows are written. */
import type { Database } from 'better-sqlite3';
import { connect as connectReal } from '../../../agent/adapters/store-sqlite/store-connection.ts';
import { committedBy, type Committed } from './committed.ts';
import { pass } from './crash-points.ts';

export type * from '../../../agent/adapters/store-sqlite/store-connection.ts';

export function connect(db: Database): ReturnType<typeof connectReal> {
  let writing: ReadonlySet<Committed> = new Set();
  const prepare = db.prepare.bind(db);
  const preparing = (sql: string) => {
    const statement = prepare(sql);
    if (sql !== 'COMMIT') return statement;
    const run = statement.run.bind(statement);
    return Object.assign(statement, {
      run: () => {
        for (const said of writing) pass(`${said} written`);
        return run();
      },
    });
  };
  Object.assign(db, { prepare: preparing });
  const connection = connectReal(db);
  const { commit } = connection;
  return {
    ...connection,
    commit: (changes) => {
      writing = committedBy(changes);
      return commit(changes);
    },
  };
}
