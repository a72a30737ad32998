/** The bodies of the conversation as domain types: what `codec.ts` decodes to and encodes from; types only. */
import type {
  AlgorithmId,
  BlobRef,
  Capacity,
  Demand,
  Digest,
  Epoch,
  Failure,
  HardwareProfile,
  LeaseId,
  Payload,
  Reason,
  RequestId,
  RevokeReason,
  RunLimits,
  RuntimeKind,
  TaskId,
  TaskState,
  Used,
} from './domain.ts';

export interface Hello {
  readonly kind: 'hello';
  readonly clientVersion: string;
  /** Present in the slot `lend` only. */
  readonly hardware?: HardwareProfile;
  readonly held: readonly LeaseId[];
  readonly runtimes: readonly RuntimeKind[];
}

export interface CapacityReport {
  readonly kind: 'capacity';
  /** What the vehicle lends in all; capacity in use by leases is part of it. */
  readonly lendable: Capacity;
  readonly lending: boolean;
  readonly reason: string;
  readonly cachedImages: readonly Digest[];
  /** Empty: every algorithm is allowed. */
  readonly allowedAlgorithms: readonly string[];
  readonly socPermille?: number;
  readonly departureInMs?: number;
  readonly chargingOnly: boolean;
}

/** Which program: an algorithm by its id (and version), or a type of which the pile chooses one. */
export type Selector =
  | { readonly by: 'algorithm'; readonly algorithmId: AlgorithmId; readonly version?: string }
  | { readonly by: 'type'; readonly type: string };

export interface TaskRequest {
  readonly kind: 'request';
  readonly requestId: RequestId;
  readonly selector: Selector;
  readonly args: readonly string[];
  readonly input: Payload;
  /** Absent: the pile's default. */
  readonly deadlineMs?: number;
}

export interface Cancel {
  readonly kind: 'cancel';
  readonly which:
    | { readonly by: 'task'; readonly taskId: TaskId }
    | { readonly by: 'request'; readonly requestId: RequestId };
}

export interface Decline {
  readonly kind: 'decline';
  readonly lease: LeaseId;
  readonly reason: string;
}

export interface RenewalEntry {
  readonly lease: LeaseId;
  readonly progressPermille: number;
  readonly cpuMs: number;
}

export interface Renewal {
  readonly kind: 'renewal';
  readonly held: readonly RenewalEntry[];
}

export interface Checkpoint {
  readonly kind: 'checkpoint';
  readonly lease: LeaseId;
  readonly state: BlobRef;
  readonly used: Used;
}

export type Outcome =
  { readonly ok: true; readonly output: Payload } | { readonly ok: false; readonly failure: Failure };

export interface Result {
  readonly kind: 'result';
  readonly lease: LeaseId;
  readonly used: Used;
  readonly outcome: Outcome;
}

export interface DeliveryAck {
  readonly kind: 'deliveryAck';
  readonly taskId: TaskId;
}

export interface StatusQuery {
  readonly kind: 'statusQuery';
  /** Absent: every task of this vehicle. */
  readonly taskId?: TaskId;
  readonly deliver: boolean;
}

export interface Welcome {
  readonly kind: 'welcome';
  readonly epoch: Epoch;
  readonly leaseMs: number;
  readonly messageBytesMax: number;
  readonly inlineBytesMax: number;
  readonly blobBytesMax: number;
  readonly chunkBytesMax: number;
  readonly keep: readonly LeaseId[];
  readonly drop: readonly LeaseId[];
  readonly checkpoints: boolean;
  readonly stationId: string;
}

export interface Accepted {
  readonly kind: 'accepted';
  readonly requestId: RequestId;
  readonly taskId: TaskId;
  readonly deadlineMs: number;
}

export interface Refused {
  readonly kind: 'refused';
  readonly requestId?: RequestId;
  readonly reasons: readonly Reason[];
  readonly retryable: boolean;
}

export interface Offer {
  readonly kind: 'offer';
  readonly lease: LeaseId;
  readonly leaseMs: number;
  readonly taskId: TaskId;
  readonly attempt: number;
  readonly algorithmId: AlgorithmId;
  readonly algorithmVersion: string;
  readonly runtime: RuntimeKind;
  readonly image: BlobRef;
  readonly args: readonly string[];
  readonly input: Payload;
  readonly demand: Demand;
  readonly limits: RunLimits;
  /** 16 bytes. */
  readonly seed: Uint8Array;
  readonly checkpoint?: BlobRef;
}

export interface Revoke {
  readonly kind: 'revoke';
  readonly lease: LeaseId;
  readonly reason: RevokeReason;
  readonly graceMs: number;
}

export interface Renewed {
  readonly kind: 'renewed';
  readonly held: readonly LeaseId[];
  readonly leaseMs: number;
}

export interface ResultAck {
  readonly kind: 'resultAck';
  readonly lease: LeaseId;
  readonly accepted: boolean;
  readonly reason: string;
}

export interface Delivery {
  readonly kind: 'delivery';
  readonly requestId: RequestId;
  readonly taskId: TaskId;
  readonly state: TaskState;
  readonly output?: Payload;
  readonly failure?: { readonly code: string; readonly detail: string; readonly stderrTail: string };
  readonly attempts: number;
  readonly donor: string;
  readonly used?: Used;
  readonly chargedMncs: number;
  readonly algorithmId: string;
  readonly algorithmVersion: string;
}

export interface TaskUpdate {
  readonly kind: 'taskUpdate';
  readonly taskId: TaskId;
  readonly state: TaskState;
  readonly attempt: number;
  readonly progressPermille: number;
  readonly donor: string;
  readonly reason: string;
}

export interface StatusEntry {
  readonly taskId: TaskId;
  readonly requestId: RequestId;
  readonly algorithmId: string;
  readonly state: TaskState;
  readonly attempts: number;
  readonly progressPermille: number;
  readonly delivered: boolean;
  readonly reason: string;
}

export interface StatusReport {
  readonly kind: 'statusReport';
  readonly tasks: readonly StatusEntry[];
  readonly truncated: boolean;
}

export interface BlobPull {
  readonly kind: 'blobPull';
  readonly digest: Digest;
  readonly offset: number;
  readonly length: number;
}

export interface BlobChunk {
  readonly kind: 'blobChunk';
  readonly digest: Digest;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly sizeBytes: number;
}

export interface BlobRefused {
  readonly kind: 'blobRefused';
  readonly digest: Digest;
  readonly code: string;
  readonly detail: string;
}

export type BlobBody = BlobPull | BlobChunk | BlobRefused;

/** What a vehicle says. */
export type UpBody =
  | Hello
  | CapacityReport
  | TaskRequest
  | Cancel
  | Decline
  | Renewal
  | Checkpoint
  | Result
  | DeliveryAck
  | StatusQuery
  | BlobBody;

/** What a pile says. */
export type DownBody =
  | Welcome
  | Accepted
  | Refused
  | Offer
  | Revoke
  | Renewed
  | ResultAck
  | Delivery
  | TaskUpdate
  | StatusReport
  | BlobBody;

export interface Envelope<Body> {
  /** 0: no answer is expected. A safe integer. */
  readonly correlationId: number;
  readonly body: Body;
}
