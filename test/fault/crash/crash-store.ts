/** The store as the engine sees it, with crash points before and after each call that matters. */
import { createSqliteStore as create } from '../../../agent/adapters/store-sqlite/store.ts';
import type { Store } from '../../../agent/ports.ts';
import { committedBy } from './committed.ts';
import { pass } from './crash-points.ts';

export * from '../../../agent/adapters/store-sqlite/store.ts';

export function createSqliteStore(options: Parameters<typeof create>[0]): Store {
  const store = create(options);
  const [open, commit] = [store.open.bind(store), store.commit.bind(store)];
  const [bindToken, checkpoint] = [store.bindToken.bind(store), store.checkpoint.bind(store)];
  const close = store.close.bind(store);
  return Object.assign(store, {
    open: async () => {
      const state = await open();
      pass('store opened');
      return state;
    },
    commit: async (changes: Parameters<Store['commit']>[0]) => {
      const said = committedBy(changes);
      if (said.has('acceptance')) pass('acceptance decided');
      if (said.has('booking')) pass('booking decided');
      if (said.has('checkpoint')) pass('checkpoint decided');
      if (said.has('credit')) pass('credit decided');
      if (said.has('receipt')) pass('receipt decided');
      const cost = await commit(changes);
      if (said.has('credit')) pass('credit answered');
      if (said.has('acceptance')) pass('acceptance answered');
      if (said.has('booking')) pass('booking answered');
      if (said.has('checkpoint')) pass('checkpoint answered');
      return cost;
    },
    bindToken: async (...args: Parameters<Store['bindToken']>) => {
      const isBound = await bindToken(...args);
      pass('token bound');
      return isBound;
    },
    checkpoint: async () => {
      const result = await checkpoint();
      pass('log folded in');
      return result;
    },
    close: () => {
      pass('about to close');
      return close();
    },
  } satisfies Partial<Store>);
}
