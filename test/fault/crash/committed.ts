/** What a commit says, as far as the crash points tell commits apart. */
import type { StoreChange } from '../../../agent/core/records.ts';

export type Committed = 'acceptance' | 'booking' | 'delivery';

/** One batch may say several of them. */
export function committedBy(changes: readonly Pick<StoreChange, 'change'>[]): ReadonlySet<Committed> {
  return new Set(changes.flatMap(committedByOne));
}

function committedByOne({ change }: Pick<StoreChange, 'change'>): Committed[] {
  if (change === 'insertTask') return ['acceptance'];
  if (change === 'book') return ['booking'];
  return change === 'taskDelivered' ? ['delivery'] : [];
}
