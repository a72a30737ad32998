/** A store that an older version wrote opens in this one, with everything that was in it, and takes what is new. */
import type { ConnectorId, Digest, InstanceId, TaskId, VehicleId } from '@plugpool/proto';
import Database from 'better-sqlite3';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { APPLICATION_ID, SCHEMA_VERSION } from '../../agent/adapters/store-sqlite/migrations.ts';
import { firstSchema } from '../../agent/adapters/store-sqlite/migrations/001-first-schema.ts';
import { NUMBERS_PER_GENERATION } from '../../agent/core/limits.ts';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';

const INPUT = Buffer.from('where to');

/** As version 1 wrote it: an open task that is granted, and one that has ended, with inline bytes. */
function writeFirstStore(path: string): void {
  const db = new Database(path);
  db.exec(firstSchema);
  db.pragma(`application_id = ${APPLICATION_ID}`);
  db.pragma('user_version = 1');
  const insert =
    db.prepare(`INSERT INTO task (task_id, vehicle_id, slot, request_id, body_hash, selector, args,
    input_size_bytes, accepted_wall_ms, deadline_wall_ms) VALUES (?, 'car', 'ask-1', ?, 'h', ?, '[]', 8, 1, 2)`);
  const bytes = db.prepare('INSERT INTO task_bytes (task_key, part, bytes) VALUES (?, 0, ?)');
  for (const taskId of ['t-1', 't-2']) {
    const { lastInsertRowid } = insert.run(taskId, `r-of-${taskId}`, '{"by":"type","type":"route"}');
    bytes.run(lastInsertRowid, INPUT);
  }
  db.exec(`UPDATE task SET state = 'completed', ended_wall_ms = 9, output_size_bytes = 0,
    ending = '{"attempts":1,"chargedMncs":5}' WHERE task_id = 't-2'`);
  db.exec(`INSERT INTO instance (task_id, instance_id, position, attempts, departures, crashes)
    VALUES ('t-1', 't-1_0', 0, 1, 1, 0)`);
  db.close();
}

function firstStore(context: TestContext): { readonly path: string; readonly dataDir: string } {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-store-'));
  context.after(() => rmSync(dataDir, { recursive: true }));
  const path = join(dataDir, 'agent.db');
  writeFirstStore(path);
  return { path, dataDir };
}

function versionOf(path: string): unknown {
  const db = new Database(path, { readonly: true });
  try {
    return db.pragma('user_version', { simple: true });
  } finally {
    db.close();
  }
}

const task = (taskId: string) => ({
  taskId: taskId as TaskId,
  vehicleId: 'car' as VehicleId,
  slot: 'ask-1',
  requestId: `r-of-${taskId}`,
  bodyHash: 'h',
  selector: { by: 'type', type: 'route' },
  args: [],
  input: { where: 'inline', bytes: new Uint8Array(INPUT) },
  acceptedWallMs: 1,
  deadlineWallMs: 2,
});
const instance = {
  instanceId: 't-1_0' as InstanceId,
  taskId: 't-1' as TaskId,
  index: 0,
  attempts: 1,
  departures: 1,
  crashes: 0,
};

test('a store of version 1 is migrated once, and nothing of it is lost', async (context) => {
  const { path, dataDir } = firstStore(context);
  let first: number | undefined;
  for (const starts of [0, 1]) {
    const store = createSqliteStore({ dataDir, inProcess: true });
    const state = await store.open();
    await store.close();
    assert.deepEqual(state, {
      generation: (first ??= state.generation) + starts,
      algorithms: [],
      openTasks: [
        { task: task('t-1'), instances: [instance] },
        {
          task: task('t-2'),
          instances: [],
          end: {
            state: 'completed',
            endedWallMs: 9,
            output: { where: 'inline', bytes: new Uint8Array() },
            attempts: 1,
            chargedMncs: 5,
          },
        },
      ],
      stays: [],
      bindings: [],
      credits: [],
      learned: new Map(),
      closedTasks: [],
    });
    assert.equal(versionOf(path), SCHEMA_VERSION);
  }
});

test('an instance of version 1 takes a result, a checkpoint and a pre-emption', async (context) => {
  const { dataDir } = firstStore(context);
  const store = createSqliteStore({ dataDir, inProcess: true });
  context.after(() => store.close());
  await store.open();
  const grown = {
    ...instance,
    result: {
      output: { where: 'inline', bytes: Uint8Array.of(1, 2) },
      donor: 'donor-1' as VehicleId,
      used: { cpuMs: 1, wallMs: 2, memoryPeakMib: 3, gpuMs: 4 },
      chargedMncs: 7,
    },
    checkpoint: { state: { digest: 'ab'.repeat(32) as Digest, sizeBytes: 10 }, doneMncs: 4 },
    preempted: true,
  } as const;
  await store.commit([
    { change: 'putInstance', instance: grown },
    {
      change: 'insertStay',
      stay: { connectorId: 'north/1/1' as ConnectorId, pluggedWallMs: 1, unpluggedWallMs: 2 },
    },
    { change: 'putLearned', name: 'dwell', value: { curve: [1, 0.5] } },
  ]);
  const state = await store.reload();
  assert.deepEqual(state.openTasks[0]?.instances, [grown]);
  assert.equal(state.stays.length, 1);
  assert.deepEqual(state.learned.get('dwell'), { curve: [1, 0.5] });
});

test('a lease that an older version wrote with its keys is read as before', async (context) => {
  const { path, dataDir } = firstStore(context);
  const lease = {
    vehicleId: 'donor-1' as VehicleId,
    connectorId: 'north/1/1' as ConnectorId,
    algorithmId: 'route',
    algorithmVersion: '1',
    demand: { cpuMillicores: 100, memoryMib: 16, threads: 1 },
    fencingToken: 7,
    grantedWallMs: 1,
    booked: { cpuMncs: 1, gpuMncs: 0, energyMwh: 0, segments: 1 },
  };
  const db = new Database(path);
  db.prepare(`UPDATE instance SET lease = ? WHERE task_id = 't-1'`).run(JSON.stringify(lease));
  db.close();
  const store = createSqliteStore({ dataDir, inProcess: true });
  context.after(() => store.close());
  const state = await store.open();
  assert.deepEqual(state.openTasks[0]?.instances, [{ ...instance, lease }]);
});

test('a store whose fencing tokens were counted in another way goes on above all of them', async (context) => {
  const { path, dataDir } = firstStore(context);
  const lastToken = 5 * 2 ** 32 + 77;
  const db = new Database(path);
  db.exec('UPDATE meta SET generation = 5');
  db.close();
  writeFileSync(join(dataDir, 'agent.generation'), 'generation 5 5\n'.padEnd(1023) + '\n');
  const store = createSqliteStore({ dataDir, inProcess: true });
  context.after(() => store.close());
  const { generation } = await store.open();
  assert.ok(generation * NUMBERS_PER_GENERATION > lastToken, String(generation));
});

test('bookings of version 2 become the beginning of the chain, with their balances', async (context) => {
  const { path, dataDir } = firstStore(context);
  const db = new Database(path);
  const COUNT = 7_001;
  const book = db.prepare(
    `INSERT INTO booking (task_id, instance_id, fencing_token, wall_ms) VALUES ('t-1', 't-1_0', ?, 5)`,
  );
  const enter = db.prepare(
    'INSERT INTO entry (booking_key, position, account, amount_mncs) VALUES (?,?,?,?)',
  );
  db.transaction(() => {
    for (let token = 1; token <= COUNT; token += 1) {
      const { lastInsertRowid } = book.run(token);
      enter.run(lastInsertRowid, 0, 'vehicle:car', -token);
      enter.run(lastInsertRowid, 1, 'operator', token);
    }
    // One of a version that wrote no entries for nothing done.
    book.run(COUNT + 1);
  })();
  db.close();
  const store = createSqliteStore({ dataDir, inProcess: true });
  context.after(() => store.close());
  await store.open();
  const sum = (COUNT * (COUNT + 1)) / 2;
  assert.deepEqual(await store.ledger(), {
    bookings: COUNT + 1,
    balanced: true,
    balances: [
      { account: 'operator', unit: 'cpuMncs', credited: sum, debited: 0, balance: sum },
      { account: 'vehicle:car', unit: 'cpuMncs', credited: 0, debited: sum, balance: -sum },
    ],
  });
  const history = await store.readTask('t-1' as TaskId);
  assert.equal(history?.bookings.length, COUNT + 1);
  assert.deepEqual(history.bookings[2], {
    kind: 'result',
    taskId: 't-1',
    instanceId: 't-1_0',
    fencingToken: 3,
    segment: 0,
    wallMs: 5,
    entries: [
      { account: 'vehicle:car', unit: 'cpuMncs', amount: -3 },
      { account: 'operator', unit: 'cpuMncs', amount: 3 },
    ],
  });
});

test('what a state and a kind may be is checked, and no row that is written costs a table for it', async (context) => {
  const { path, dataDir } = firstStore(context);
  const store = createSqliteStore({ dataDir, inProcess: true });
  await store.open();
  await store.close();
  const db = new Database(path);
  context.after(() => db.close());
  const end = `UPDATE task SET state = ?, ended_wall_ms = 9, ending = '{}' WHERE task_id = 't-1'`;
  const book = `INSERT INTO booking (kind, task_id, instance_id, fencing_token, segment, wall_ms, overstay, entries, hash)
    VALUES (?, 't-1', 't-1_0', 1, 0, 1, 0, '[]', zeroblob(32))`;
  for (const [statement, good, bad] of [
    [end, ['completed', 'failed', 'expired', 'cancelled', 'dead'], 'running'],
    [book, ['result'], 'gift'],
  ] as const) {
    const opcodes = db.prepare<[string], { opcode: string }>(`EXPLAIN ${statement}`).all(good[0]);
    assert.ok(!opcodes.some(({ opcode }) => opcode === 'OpenEphemeral'), statement);
    assert.throws(() => db.prepare(statement).run(bad), /CHECK constraint failed/);
    for (const each of good) assert.equal(db.prepare(statement).run(each).changes, 1, each);
  }
  assert.deepEqual(db.pragma('integrity_check'), [{ integrity_check: 'ok' }]);
});
