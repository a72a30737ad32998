/** The production store as the disk of a simulated agent, in a temporary folder: what it gives back is what the model has. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bindingKey } from '../../agent/core/binding/bindings.ts';
import type { StoredState, TaskHistory } from '../../agent/core/records.ts';
import { SynchronousStore } from '../../agent/adapters/store-sqlite/synchronous-store.ts';
import type { KeepingDisk } from './flaky-store.ts';
import type { LawWatcher } from './law-watcher.ts';
import { modelDisk } from './model-disk.ts';

const SILENT = { info: () => undefined, warn: () => undefined };

export interface SqliteDisk extends KeepingDisk {
  /** Every task with all that is kept of it, against the model. */
  compare(): void;
  remove(): void;
}

export function sqliteDisk(watcher: LawWatcher): SqliteDisk {
  const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-simulation-'));
  const model = modelDisk(watcher);
  let store = new SynchronousStore({ dataDir, log: SILENT });
  const same = (found: StoredState, kept: StoredState): StoredState => {
    const state = withoutAge(found);
    assert.deepEqual(inOrder(state), inOrder(kept), 'the store gives back something else than was written');
    return state;
  };
  return {
    open: () => {
      store = new SynchronousStore({ dataDir, log: SILENT });
      return same(store.open(), model.open());
    },
    reload: () => same(store.reload(), model.reload()),
    write: (changes) => {
      store.commit(changes);
      model.write(changes);
    },
    history: (taskId) => store.histories([taskId])[0],
    attempt: (taskId, lease) => store.attempt(taskId, lease),
    drop: () => store.close(),
    compare: () => {
      const taskIds = [...watcher.disk.tasks.keys()];
      const kept = taskIds.flatMap((taskId) => watcher.disk.history(taskId) ?? []);
      for (const [index, history] of store.histories(taskIds).entries())
        assert.deepEqual(
          historyInOrder(history),
          historyInOrder(kept[index] ?? history),
          `the store tells another history of ${history.task.taskId} than was written`,
        );
    },
    remove: () => {
      store.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** It is reckoned by the machine's own clock, which is not that of the simulated world. */
function withoutAge(state: StoredState): StoredState {
  return {
    ...state,
    openTasks: state.openTasks.map(({ acceptedAgoMs: _accepted, endedAgoMs: _ended, ...open }) => open),
    closedTasks: state.closedTasks.map(({ endedAgoMs: _ended, ...closed }) => closed),
  };
}

/** The store has an order of its own, and counts a generation only where it is needed. */
function inOrder({
  openTasks,
  closedTasks,
  algorithms,
  stays,
  bindings,
  credits,
  learned,
}: StoredState): unknown {
  const byId = <Kept>(list: readonly Kept[], id: (kept: Kept) => string): Kept[] =>
    list.toSorted((left, right) => (id(left) < id(right) ? -1 : 1));
  return {
    openTasks: byId(openTasks, ({ task }) => task.taskId).map((open) => ({
      ...open,
      task: plain(open.task),
      instances: byId(open.instances, ({ instanceId }) => instanceId),
    })),
    closedTasks: byId(closedTasks, ({ taskId }) => taskId),
    algorithms: byId(algorithms, ({ id, version }) => `${id}@${version}`),
    stays,
    bindings: byId(bindings, ({ credential }) => bindingKey(credential)),
    credits: byId(credits, ({ credit }) => String(credit.creditId)),
    learned: new Map(learned),
  };
}

/** What happened in the same millisecond has no order. */
function historyInOrder(history: TaskHistory): unknown {
  const byToken = (left: { fencingToken: number; segment?: number }, right: typeof left): number =>
    left.fencingToken - right.fencingToken || (left.segment ?? 0) - (right.segment ?? 0);
  return plain({
    ...history,
    instances: history.instances.toSorted((left, right) => (left.instanceId < right.instanceId ? -1 : 1)),
    attempts: history.attempts.toSorted(byToken),
    bookings: history.bookings.toSorted(byToken),
  });
}

/** Bytes are bytes, whatever view they are in; what is undefined is absent. */
function plain<Kept extends object>(kept: Kept): unknown {
  return JSON.parse(
    JSON.stringify(kept, (_key, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ),
  );
}
