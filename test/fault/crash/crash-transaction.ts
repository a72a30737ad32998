/** The store in its own thread: a crash point between the synced transaction and the answer to the engine. */
import { SynchronousStore as Real } from '../../../agent/adapters/store-sqlite/synchronous-store.ts';
import { committedBy } from './committed.ts';
import { pass } from './crash-points.ts';

export type * from '../../../agent/adapters/store-sqlite/synchronous-store.ts';

export class SynchronousStore extends Real {
  override commit(changes: Parameters<Real['commit']>[0]): number {
    const syncMs = super.commit(changes);
    for (const said of committedBy(changes)) pass(`${said} synced`);
    return syncMs;
  }
}
