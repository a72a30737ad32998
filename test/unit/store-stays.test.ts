/** Past stays and what was learned: kept, bounded, and replaced by name. */
import type { ConnectorId } from '@plugpool/proto';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import { STAYS_MAX } from '../../agent/core/limits.ts';
import type { StoreChange } from '../../agent/core/records.ts';
import type { Store } from '../../agent/ports.ts';

async function openStore(context: TestContext): Promise<Store> {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-store-'));
  const store = createSqliteStore({ dataDir, inProcess: true });
  await store.open();
  context.after(async () => {
    await store.close();
    rmSync(dataDir, { recursive: true });
  });
  return store;
}

const stayOf = (n: number): StoreChange => ({
  change: 'insertStay',
  stay: { connectorId: 'north/1/1' as ConnectorId, pluggedWallMs: n, unpluggedWallMs: n + 1 },
});
const manyStays = (from: number, count: number): StoreChange[] =>
  Array.from({ length: count }, (_none, index) => stayOf(from + index));

test('as many stays are kept as are learned from: the oldest leave, in bulk and one by one', async (context) => {
  const store = await openStore(context);
  await store.commit(manyStays(0, STAYS_MAX + 10));
  const inBulk = (await store.reload()).stays.map(({ pluggedWallMs }) => pluggedWallMs);
  assert.equal(inBulk.length, STAYS_MAX);
  assert.deepEqual([inBulk[0], inBulk.at(-1)], [10, STAYS_MAX + 9]);
  await store.commit([stayOf(-5)]);
  const after = (await store.reload()).stays.map(({ pluggedWallMs }) => pluggedWallMs);
  assert.equal(after.length, STAYS_MAX);
  assert.deepEqual(
    [after[0], after.at(-1)],
    [11, -5],
    'by when they were heard of, whatever the wall clock said',
  );
});

test('what is learned replaces what had its name', async (context) => {
  const store = await openStore(context);
  await store.commit([
    { change: 'putLearned', name: 'speed', value: { car: 1 } },
    { change: 'putLearned', name: 'pools', value: null },
    { change: 'putLearned', name: 'speed', value: [2, 'two'] },
  ]);
  const { learned } = await store.reload();
  assert.deepEqual(
    learned,
    new Map<string, unknown>([
      ['pools', null],
      ['speed', [2, 'two']],
    ]),
  );
});

test('what no JSON can hold is refused with its whole commit', async (context) => {
  const store = await openStore(context);
  const changes: StoreChange[] = [stayOf(1), { change: 'putLearned', name: 'speed', value: undefined }];
  await assert.rejects(store.commit(changes), /what is kept as speed is JSON/);
  assert.deepEqual((await store.reload()).stays, []);
});
