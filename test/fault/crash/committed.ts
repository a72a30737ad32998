/** What a commit says, as far as the crash points tell commits apart. */
import type { StoreWrite } from '../../../agent/adapters/store-sqlite/packed-changes.ts';
import type { StoreChange } from '../../../agent/core/records.ts';

export type Committed = 'acceptance' | 'booking' | 'checkpoint' | 'credit' | 'delivery' | 'receipt';

/** One batch may say several of them. */
export function committedBy(changes: readonly (StoreChange | StoreWrite)[]): ReadonlySet<Committed> {
  return new Set(changes.flatMap(committedByOne));
}

function committedByOne(said: StoreChange | StoreWrite): Committed[] {
  if (said.change === 'insertTask') return ['acceptance'];
  if (said.change === 'book') return [said.booking.kind === 'checkpoint' ? 'checkpoint' : 'booking'];
  if (said.change === 'putCredit') return said.credit.madeWallMs === undefined ? [] : ['credit'];
  if (said.change === 'putCreditSending') return said.sending.state === 'accepted' ? ['receipt'] : [];
  return said.change === 'taskDelivered' ? ['delivery'] : [];
}
