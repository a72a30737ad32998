/** What is known at this moment of a stay that still goes on; types only. */
import type { SessionState } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';

/** Every optional field may be absent for ever: few piles say all of it. */
export interface StaySoFar {
  readonly connectorId: ConnectorId;
  readonly pluggedWallMs: number;
  readonly elapsedMs: number;
  /** The vehicle was found plugged in: `pluggedWallMs` is when it was first seen, the stay is older by nobody knows how much. */
  readonly isOlder?: boolean;
  readonly state: SessionState;
  readonly chargingForMs?: number;
  readonly chargingEndedAgoMs?: number;
  /** The stated departure, from now; in the past it is no statement any more that says anything new. */
  readonly statedInMs?: number;
  readonly estimatedFullInMs?: number;
  readonly socPermille?: number;
  readonly powerMw?: number;
}
