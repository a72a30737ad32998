/** What an operator sees of the caps on a connector. */
import type { ConnectorId, Now } from '@plugpool/proto';
import type { State } from '../state.ts';
import { isCutOff } from '../sessions/sources.ts';
import { lowestWant, type Cap, type CapAnswer, type CapWanter } from './caps.ts';
import type { CapEvidence } from './cap-evidence.ts';

export interface CapView {
  readonly powerMw: number;
  /** Who wants one here: the lowest holds. */
  readonly wantedBy: readonly CapWanter[];
  readonly untilWallMs: number;
  /** What the station said last: `set`, `asked` until it says something, or why not; `link_lost` as long as nobody reaches it. */
  readonly answer: CapAnswer;
  /** Whether the last cap here that could show it was kept to. */
  readonly seen: CapEvidence['verdict'];
}

/** Null where none is wanted. */
export function capView(state: State, connectorId: ConnectorId, now: Now): CapView | null {
  const cap = state.caps.get(connectorId);
  const lowest = cap && lowestWant(cap, now);
  if (cap === undefined || lowest === undefined) return null;
  return {
    powerMw: lowest.powerMw,
    wantedBy: [...cap.wants.keys()],
    untilWallMs: Math.max(...[...cap.wants.values()].map(({ untilWallMs }) => untilWallMs)),
    answer: answerNow(state, connectorId, cap),
    seen: state.capEvidence.get(connectorId)?.verdict ?? 'unknown',
  };
}

/** Between one renewal and the next, a link that broke says more than what the station answered before. */
function answerNow({ sessions }: State, connectorId: ConnectorId, { answer }: Cap): CapAnswer {
  const session = sessions.get(connectorId);
  return answer === 'set' && session !== undefined && isCutOff(session.sources) ? 'link_lost' : answer;
}
