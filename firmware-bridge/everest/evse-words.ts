/** What EVerest's words for the state of an EVSE mean for its supply, and which of them presuppose a vehicle. */
import type { EverestMessage, EvseState } from './decode.ts';

export type Supply = 'none' | 'charging' | 'pausedByEV' | 'pausedByEVSE' | 'ended';

/** A vehicle is connected, says EVerest of these; what moves its supply presupposes it too. */
export const PRESUPPOSES_VEHICLE: ReadonlySet<string> = new Set(['AuthRequired', 'TransactionStarted']);

export const SUPPLY_OF_STATE: Readonly<Partial<Record<EvseState, Supply>>> = {
  AuthRequired: 'none',
  Charging: 'charging',
  ChargingPausedEV: 'pausedByEV',
  ChargingPausedEVSE: 'pausedByEVSE',
  AuthTimeout: 'ended',
  Finished: 'ended',
  FinishedEVSE: 'ended',
  // Said when charging is being stopped, from which it may still return.
  FinishedEV: 'pausedByEVSE',
};

/** A cable that was pulled ends the transaction first, and the session a moment later. */
export function isOver({ event, finishedBy }: Extract<EverestMessage, { name: 'session_event' }>): boolean {
  return event === 'SessionFinished' || (event === 'TransactionFinished' && finishedBy === 'EVDisconnected');
}

type EvInfo = Extract<EverestMessage, { name: 'ev_info' }>;

export function isSameInfo(one: EvInfo, other: EvInfo): boolean {
  return (
    one.socPermille === other.socPermille &&
    one.fullAtWallMs === other.fullAtWallMs &&
    one.departureAtWallMs === other.departureAtWallMs
  );
}
