/** The store as one process of a simulated agent has it: whoever is dead writes nothing more, and hears nothing. */
import type { Store } from '../../agent/ports.ts';
import type { FlakyStore } from './flaky-store.ts';

type LivingStore = Pick<Store, 'open' | 'reload' | 'commit' | 'readTask' | 'readAttempt'>;

export function ofLife(store: FlakyStore, isAlive: () => boolean): LivingStore {
  const never = <Value>(): Promise<Value> => new Promise(() => undefined);
  return {
    open: () => store.open(),
    reload: () => (isAlive() ? store.reload() : never()),
    commit: (changes) => (isAlive() ? store.commit(changes) : never()),
    readTask: (taskId) => (isAlive() ? store.readTask(taskId) : never()),
    readAttempt: (taskId, lease) => (isAlive() ? store.readAttempt(taskId, lease) : never()),
  };
}
