/** The age of a store: exact within one boot whatever the wall clock does, and over a boot as much as can be known. */
import type { TaskId } from '@plugpool/proto';
import Database from 'better-sqlite3';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'node:test';
import { migrate } from '../../agent/adapters/store-sqlite/migrations.ts';
import { ageAt, type Anchor, type MachineTime } from '../../agent/adapters/store-sqlite/pile-age.ts';
import { connect } from '../../agent/adapters/store-sqlite/store-connection.ts';
import { lifeOf } from '../store-records.ts';

const HOUR_MS = 3_600_000;
const WALL_MS = 1_795_000_000_000;
const anchor: Anchor = { bootId: 'first', bootMs: 5 * HOUR_MS, wallMs: WALL_MS, ageMs: 100 * HOUR_MS };

test('within one boot the monotonic clock alone counts, wherever the wall clock was set', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e9 }),
      fc.integer({ min: -4e12, max: 4e12 }),
      (passedMs, jumpMs) => {
        const now = {
          bootId: 'first',
          bootMs: anchor.bootMs + passedMs,
          wallMs: WALL_MS + passedMs + jumpMs,
        };
        assert.equal(ageAt(anchor, now), anchor.ageMs + passedMs);
      },
    ),
  );
});

test('over a boot the wall clock says how long the machine was off, and never less than it is up again', () => {
  const booted = (bootMs: number, offMs: number): MachineTime => ({
    bootId: 'second',
    bootMs,
    wallMs: WALL_MS + offMs,
  });
  assert.equal(ageAt(anchor, booted(1_000, 3 * HOUR_MS)), 103 * HOUR_MS);
  assert.equal(ageAt(anchor, booted(HOUR_MS, -24 * HOUR_MS)), 101 * HOUR_MS, 'a clock that was set back');
  assert.equal(ageAt(anchor, { ...booted(HOUR_MS, 0), wallMs: 0 }), 101 * HOUR_MS, 'one that begins in 1970');
});

test('a machine that does not say when it booted is taken to have booted', () => {
  const now = { bootId: undefined, bootMs: 6 * HOUR_MS, wallMs: WALL_MS + 2 * HOUR_MS };
  assert.equal(ageAt({ ...anchor, bootId: undefined }, now), 106 * HOUR_MS);
  assert.equal(ageAt(undefined, now), 0, 'a new store');
});

/** A store in memory on a machine whose clocks the test sets. */
function storeAt(time: { bootId: string; bootMs: number; wallMs: number }) {
  const db = new Database(':memory:');
  migrate(db);
  const start = () => connect(db, () => ({ ...time }));
  return { time, start };
}

test('a start knows how long ago a task was accepted and ended, though the wall clock was set by a day both ways', () => {
  for (const jumpMs of [24 * HOUR_MS, -24 * HOUR_MS, 0]) {
    const { time, start } = storeAt({ bootId: 'b', bootMs: 1_000, wallMs: WALL_MS });
    const first = start();
    first.setGeneration(1);
    const [accepted, ended, delivered] = lifeOf(1);
    first.commit(accepted);
    first.commit(lifeOf(2)[0]);
    time.bootMs += 20_000;
    time.wallMs += 20_000 + jumpMs;
    first.commit(ended);
    time.bootMs += 30_000;
    const state = start().load(2);
    assert.deepEqual(
      state.openTasks.map(({ task, acceptedAgoMs, endedAgoMs }) => [task.taskId, acceptedAgoMs, endedAgoMs]),
      [
        ['t1-1' as TaskId, 50_000, 30_000],
        ['t1-2' as TaskId, 50_000, undefined],
      ],
    );
    first.commit(delivered);
    assert.equal(start().load(2).closedTasks[0]?.endedAgoMs, 30_000);
  }
});

test('the age is written with commits that are made anyway, so that a boot without a clock forgets a minute at most', () => {
  const { time, start } = storeAt({ bootId: 'b', bootMs: 0, wallMs: WALL_MS });
  const first = start();
  first.setGeneration(1);
  first.commit(lifeOf(1)[0]);
  time.bootMs += HOUR_MS;
  first.commit(lifeOf(2)[0]);
  Object.assign(time, { bootId: 'c', bootMs: 1_000, wallMs: 0 });
  const [task] = start().load(2).openTasks;
  assert.equal(task?.acceptedAgoMs, HOUR_MS + 1_000);
});
