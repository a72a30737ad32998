/** Everything that can happen to an agent, as data; types only. */
import type {
  AlgorithmId,
  ClientName,
  ConnectorId,
  Digest,
  Envelope,
  InstanceId,
  RefusalCode,
  TaskId,
  UpBody,
  VehicleId,
} from '@plugpool/proto';
import type { ControlOutcome, Credential, CredentialKind, FirmwareEvent } from '@plugpool/firmware-bridge';
import type { AlgorithmClass } from './algorithms/feature.ts';
import type { Control } from './effects.ts';
import type { WantedCap } from './power/operate.ts';
import type { Vector } from './pools/vector.ts';
import type { FirmwareSource } from './sessions/sources.ts';
import type { EndedTask } from './tasks/retry.ts';
import type { AlgorithmRecord, BalanceRecord } from './records.ts';

/** Counts the connections of one process; tells a client's old connection from its new one. */
export type ConnectionNumber = number & { readonly brand: 'ConnectionNumber' };

export type Event =
  | { readonly kind: 'connected'; readonly client: ClientName; readonly connection: ConnectionNumber }
  | { readonly kind: 'disconnected'; readonly client: ClientName; readonly connection: ConnectionNumber }
  | {
      readonly kind: 'message';
      readonly client: ClientName;
      readonly connection: ConnectionNumber;
      readonly envelope: Envelope<UpBody>;
      /** Of a request: sha256 of its meaning. */
      readonly bodyHash?: string;
      /** Of a request or result whose payload is a blob: the pile has it already. */
      readonly blobHeld?: boolean;
    }
  /** From that vehicle: what another waits for too, it has still to show that it has. */
  | { readonly kind: 'blobArrived'; readonly digest: Digest; readonly vehicleId: VehicleId }
  | {
      readonly kind: 'blobFailed';
      readonly digest: Digest;
      readonly vehicleId: VehicleId;
      readonly why: BlobFailure;
    }
  /** Found when the agent starts: bytes that open tasks speak of and the pile does not have. */
  | { readonly kind: 'blobsGone'; readonly digests: ReadonlySet<Digest> }
  | { readonly kind: 'compared'; readonly pair: ComparedPair; readonly isSame: boolean }
  | { readonly kind: 'firmware'; readonly event: FirmwareEvent; readonly source: FirmwareSource }
  /** What became of an effect at a connector. */
  | { readonly kind: 'controlled'; readonly control: Control; readonly outcome: ControlOutcome }
  | { readonly kind: 'operator'; readonly question: number; readonly command: OperatorCommand }
  /** A timer of `nextDueMs` fell due. */
  | { readonly kind: 'tick' }
  /** From cron: forget what is older than the retention. */
  | { readonly kind: 'housekeeping' }
  /** The agent is about to stop: nothing is granted any more. */
  | { readonly kind: 'stopping' };

/** Two replicas of a part that returned a result, by the order of their names. */
export interface ComparedPair {
  readonly one: InstanceId;
  readonly other: InstanceId;
}

/** A message of which the hash of the body and the bytes that it speaks of matter. */
export interface Heard<Body> {
  readonly envelope: Envelope<Body>;
  readonly bodyHash: string;
  readonly blobHeld: boolean;
}

/** Why bytes that a request or a result speaks of are not here. */
export interface BlobFailure {
  readonly code: Extract<
    RefusalCode,
    'input_unavailable' | 'digest_mismatch' | 'rate_limited' | 'storage_full' | 'storage_unavailable'
  >;
  readonly detail: string;
}

/** What an operator may change. Questions are answered from the state without an event (views.ts). */
export type OperatorCommand =
  | { readonly verb: 'cancel'; readonly taskId: TaskId }
  | {
      readonly verb: 'addCheck';
      readonly id: AlgorithmId;
      readonly version?: string;
      readonly args: readonly string[];
      readonly input: Uint8Array;
      readonly output: Uint8Array;
    }
  | { readonly verb: 'resetTrust'; readonly vehicleId: VehicleId }
  /** As it lies on disk, its input with it: memory has neither once it ended. */
  | { readonly verb: 'retry'; readonly ended: EndedTask }
  | { readonly verb: 'addAlgorithm'; readonly algorithm: Omit<AlgorithmRecord, 'state' | 'addedWallMs'> }
  | { readonly verb: 'retireAlgorithm'; readonly id: AlgorithmId; readonly version?: string }
  | { readonly verb: 'removeAlgorithm'; readonly id: AlgorithmId; readonly version?: string }
  /** In thousandths of the whole; what is not named stays as it is. */
  | {
      readonly verb: 'setPool';
      readonly algorithmClass: AlgorithmClass;
      readonly shareMillis: Readonly<Partial<Vector>>;
    }
  | { readonly verb: 'planPools' }
  /** Without a vehicle: the whole pile. */
  | { readonly verb: 'drain' | 'resume'; readonly vehicleId?: VehicleId }
  | ({ readonly verb: 'setCap' } & WantedCap)
  | { readonly verb: 'clearCap'; readonly connectorId: ConnectorId }
  | {
      readonly verb: 'bindCredential';
      readonly vehicleId: VehicleId;
      readonly credential: Credential;
      readonly replace: boolean;
    }
  /** What was shown there in this stay, or of that kind alone. */
  | {
      readonly verb: 'bindConnector';
      readonly vehicleId: VehicleId;
      readonly connectorId: ConnectorId;
      readonly kind?: CredentialKind;
      readonly replace: boolean;
    }
  | { readonly verb: 'unbind'; readonly vehicleId: VehicleId; readonly kind?: CredentialKind }
  /** Of the whole ledger, as the store has them. */
  | { readonly verb: 'settle'; readonly balances: readonly BalanceRecord[] };

export type OperatorAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly detail: string; readonly hint: string };
