/** The log of a run that was killed is taken away before the next start: it starts from what is left, and says what that means. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { restoreStore } from '../../agent/adapters/store-sqlite/restore.ts';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import type { Store } from '../../agent/ports.ts';
import { lifeOf } from '../store-records.ts';

interface Place {
  readonly directory: string;
  readonly warnings: string[];
}

function place(t: TestContext): Place {
  const root = mkdtempSync(join(tmpdir(), 'plugpool-log-gone-'));
  t.after(() => rmSync(root, { recursive: true }));
  return { directory: join(root, 'data'), warnings: [] };
}

async function opened({ directory, warnings }: Place): Promise<Store> {
  const log = { info: () => undefined, warn: (_: object, message: string) => void warnings.push(message) };
  const store = createSqliteStore({ dataDir: directory, log, inProcess: true });
  await store.open();
  return store;
}

/** The directory as a kill leaves it: copied while the store is open. */
async function killed(t: TestContext): Promise<Place> {
  const running = place(t);
  const store = await opened(running);
  for (const changes of lifeOf(1)) await store.commit(changes);
  const left = place(t);
  cpSync(running.directory, left.directory, { recursive: true });
  await store.close();
  return left;
}

const saysSo = /log is gone/;

test('a log that was taken away after a kill is noticed, once, and the store opens with what is left', async (t) => {
  const left = await killed(t);
  for (const suffix of ['-wal', '-shm']) rmSync(join(left.directory, `agent.db${suffix}`));
  const store = await opened(left);
  assert.equal((await store.ledger()).balanced, true);
  assert.match(left.warnings.join('\n'), saysSo);
  await store.close();
  left.warnings.length = 0;
  await (await opened(left)).close();
  assert.deepEqual(left.warnings, []);
});

test('after a kill with its log, and after a clean stop without one, nothing is said', async (t) => {
  const left = await killed(t);
  await (await opened(left)).close();
  assert.equal(existsSync(join(left.directory, 'agent.db-wal')), false, 'a clean stop folds the log in');
  await (await opened(left)).close();
  assert.doesNotMatch(left.warnings.join('\n'), saysSo);
});

test('a backup that is put in the place of a killed store has no log, and nothing is said', async (t) => {
  const other = await killed(t);
  await (await opened(other)).close();
  const left = await killed(t);
  restoreStore(left.directory, join(other.directory, 'agent.db'));
  await (await opened(left)).close();
  assert.doesNotMatch(left.warnings.join('\n'), saysSo);
});
