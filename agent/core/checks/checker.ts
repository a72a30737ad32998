/** The pile itself as a requester: no vehicle can have its name, since the ids of vehicles hold no colon. */
import type { VehicleId } from '@plugpool/proto';

export const CHECKER = 'operator:checks' as VehicleId;
