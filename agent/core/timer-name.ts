/** What falls due: each timer by its kind and whom it is of; time.ts says what happens then. */
import type { ConnectorId, Digest, InstanceId, VehicleId } from '@plugpool/proto';
import type { AlgorithmClass } from './algorithms/feature.ts';
import type { CreditId } from './records.ts';

export type TimerName =
  | `lease:${InstanceId}`
  | `revoke:${InstanceId}`
  | `stale:${ConnectorId}`
  | `code:${ConnectorId}`
  | `presence:${ConnectorId}`
  | `unverified:${VehicleId}`
  | `blob:${Digest}`
  | `rest:${InstanceId}`
  | `report:${VehicleId}`
  | `review:${VehicleId}`
  | `judge:${VehicleId}`
  | `settled:${VehicleId}`
  | `rested:${VehicleId}/${AlgorithmClass}`
  | `pool:${AlgorithmClass}`
  | `replica:${InstanceId}`
  | `check:${VehicleId}`
  | `cap:${ConnectorId}`
  | 'deploy:pending'
  | 'budget:over'
  | `credit:${CreditId}`
  | `send:${CreditId}`;
