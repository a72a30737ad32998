/** What a start, or a failed commit, finds of stays that have no record yet, and of records that are to be sent. */
import type { Now } from '@plugpool/proto';
import { CREDIT_UNSEEN_MS_MAX, CREDITS_UNSENT_MAX } from '../limits.ts';
import type { StoredState } from '../records.ts';
import type { State } from '../state.ts';
import { keepOpen } from './open-credit.ts';

/** One after the other: a back office that was away is not flooded when it is there again. */
const SEND_EVERY_MS = 250;

export function loadCredits(state: State, { credits }: Pick<StoredState, 'credits'>, now: Now): void {
  let sendMonoMs = now.monoMs;
  for (const { credit, sending } of credits) {
    const { creditId, connectorId, ended, madeWallMs } = credit;
    if (madeWallMs === undefined) {
      const open = keepOpen(state, credit, now.monoMs + CREDIT_UNSEEN_MS_MAX);
      // A clock that was set back meanwhile ends it now at the latest.
      if (ended !== undefined) open.endedMonoMs = now.monoMs - Math.max(0, now.wallMs - ended.wallMs);
      state.timers.set(`credit:${creditId}`, now.monoMs + 1);
    } else if (sending?.state === 'waiting' && state.settings.credits === 'send') {
      if (state.credits.unsent.size >= CREDITS_UNSENT_MAX) continue;
      state.credits.unsent.set(creditId, { connectorId, madeWallMs, tries: sending.tries });
      state.timers.set(`send:${creditId}`, (sendMonoMs += SEND_EVERY_MS));
    }
  }
}
