/**
 * Loaded before the agent (`node --import`), in its main thread and in the store's: whoever imports an adapter that has a wrapper
 * here gets the wrapper, which imports the adapter itself. So the program that a test kills is the program that runs on a pile.
 */
import { registerHooks } from 'node:module';

const AGENT = new URL('../../../agent/', import.meta.url);

const WRAPPERS = new Map(
  (
    [
      ['adapters/store-sqlite/store.ts', './crash-store.ts'],
      ['adapters/store-sqlite/synchronous-store.ts', './crash-transaction.ts'],
      ['adapters/store-sqlite/store-connection.ts', './crash-connection.ts'],
      ['adapters/broker-aedes/aedes-broker.ts', './crash-broker.ts'],
      ['adapters/blob-files/blob-files.ts', './crash-blobs.ts'],
    ] as const
  ).map(([adapter, wrapper]) => [new URL(adapter, AGENT).href, new URL(wrapper, import.meta.url).href]),
);

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const wrapper = WRAPPERS.get(found.url);
    return wrapper === undefined || context.parentURL === wrapper ? found : next(wrapper, context);
  },
});
