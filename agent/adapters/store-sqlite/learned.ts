/** Statements on `learned`: what the pile learned or was set to, as JSON by its name. */
import type { Database } from 'better-sqlite3';
import assert from 'node:assert/strict';

export function prepareLearned(db: Database) {
  const put = db.prepare('INSERT OR REPLACE INTO learned (name, value) VALUES (?,?)');
  const selectAll = db.prepare<[], [string, string]>('SELECT name, value FROM learned ORDER BY name').raw();

  return {
    putLearned: (name: string, value: unknown): void => {
      const json = JSON.stringify(value) as string | undefined;
      assert.ok(json !== undefined, `what is kept as ${name} is JSON`);
      put.run(name, json);
    },
    learned: (): Map<string, unknown> =>
      new Map(selectAll.all().map(([name, value]) => [name, JSON.parse(value) as unknown])),
  };
}
