/** The disk of a simulated agent as the laws look at it: the model alone, with or without a clock that nobody sets. */
import type { TaskId } from '@plugpool/proto';
import type { StoreChange, StoredState } from '../../agent/core/records.ts';
import type { KeepingDisk } from './flaky-store.ts';
import type { LawWatcher } from './law-watcher.ts';

export function modelDisk({ disk }: LawWatcher): KeepingDisk {
  return {
    open: () => disk.load(),
    reload: () => disk.load(),
    write: (changes) => disk.write(changes),
    history: (taskId) => disk.history(taskId),
    attempt: (taskId, lease) => disk.attempt(taskId, lease),
    drop: () => undefined,
  };
}

/** It knows how long ago a task was accepted and ended, whatever became of the wall clock: as the store does within one boot. */
export function agingDisk(watcher: LawWatcher): KeepingDisk {
  const model = modelDisk(watcher);
  const acceptedMs = new Map<TaskId, number>();
  const endedMs = new Map<TaskId, number>();
  const note = (change: StoreChange): void => {
    if (change.change === 'insertTask') acceptedMs.set(change.task.taskId, watcher.nowMs);
    if (change.change === 'endTask') endedMs.set(change.taskId, watcher.nowMs);
  };
  const ago = (times: ReadonlyMap<TaskId, number>, taskId: TaskId): number =>
    watcher.nowMs - (times.get(taskId) ?? watcher.nowMs);
  const aged = (state: StoredState): StoredState => ({
    ...state,
    openTasks: state.openTasks.map((open) => ({
      ...open,
      acceptedAgoMs: ago(acceptedMs, open.task.taskId),
      ...(open.end === undefined ? {} : { endedAgoMs: ago(endedMs, open.task.taskId) }),
    })),
    closedTasks: state.closedTasks.map((closed) => ({ ...closed, endedAgoMs: ago(endedMs, closed.taskId) })),
  });
  return {
    ...model,
    open: () => aged(model.open()),
    reload: () => aged(model.reload()),
    write: (changes) => {
      model.write(changes);
      for (const change of changes) note(change);
    },
  };
}
