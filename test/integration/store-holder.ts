/** A process that opens a store, says `held` on standard output, and then does as it is told on its command line. */
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import { lifeOf } from '../store-records.ts';

const [dataDir, work] = process.argv.slice(2);
if (dataDir === undefined) throw new Error('usage: store-holder DATA-DIR [commit]');
const store = createSqliteStore({ dataDir });
await store.open();
console.log('held');
// Each number stands for a commit that was promised; whoever reads may kill this process at any moment.
for (let n = 1; work === 'commit'; n += 1) {
  await store.commit(lifeOf(n).flat());
  console.log(n);
}
process.stdin.resume();
