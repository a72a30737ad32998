/** The disk of a simulated agent, as the laws look at it: the model alone. */
import type { KeepingDisk } from './flaky-store.ts';
import type { LawWatcher } from './law-watcher.ts';

export function modelDisk({ disk }: LawWatcher): KeepingDisk {
  return {
    open: () => disk.load(),
    reload: () => disk.load(),
    write: (changes) => disk.write(changes),
    history: (taskId) => disk.history(taskId),
    drop: () => undefined,
  };
}
