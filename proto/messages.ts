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
  /** The owner's constraint: a CEL expression over `request`; only `true` is a match. Absent: any request. */
  readonly constraint?: string;
}

/** Which program: an algorithm by its id (and version), or a type of which the pile chooses one. */
export type Selector =
  | { readonly by: 'algorithm'; readonly algorithmId: AlgorithmId; readonly version?: string }
  | { readonly by: 'type'; readonly type: string };

/** Where a requester is: in a zone that it names, or at a point of which the pile looks the zone up (WGS 84, degrees × 10⁷). */
export type Place =
  | { readonly by: 'zone'; readonly zone: string }
  | { readonly by: 'point'; readonly latitudeE7: number; readonly longitudeE7: number };

/** Whom a requester trusts with its data, by what the operator knows of the donors and never by their own word. */
export type Trust =
  { readonly whom: 'fleet' } | { readonly whom: 'makes'; readonly makes: readonly string[] };

/** What one instance of this request needs, where that differs from the algorithm's own demand profile. */
export interface DemandOverride {
  readonly cpuMillicores?: number;
  readonly memoryMib?: number;
  readonly threads?: number;
  readonly gpu?: { readonly shareMillis?: number; readonly vramMib?: number; readonly model?: string };
  /** Work of one instance in normalised core-seconds × 1000. */
  readonly workMncs?: number;
}

/** What a request may state beside program, input and deadline; whatever is absent is the pile's default. */
export interface Wants {
  readonly place?: Place;
  /** How soon the answer is needed; the sooner, the higher the priority. */
  readonly latencyMs?: number;
  /** Parallel instances of the same program and input; each sees its index. Absent: 1. */
  readonly instances?: number;
  /** Start all instances in the same moment, or none. */
  readonly allAtOnce?: boolean;
  readonly demand?: DemandOverride;
  /** The most that may be charged for all instances, in milli-normalised-core-seconds. */
  readonly budgetMncs?: number;
  /** Who pays: the requester itself (absent), or the fleet that the operator says it belongs to. */
  readonly payer?: string;
  /** Absent: any donor. */
  readonly trust?: Trust;
  /** A CEL expression over `donor`; only `true` is a match. */
  readonly constraint?: string;
  /** So many vehicles of different owners must return the same; absent: as the pile holds it. */
  readonly quorum?: number;
}

export interface TaskRequest {
  readonly kind: 'request';
  readonly requestId: RequestId;
  readonly selector: Selector;
  readonly args: readonly string[];
  readonly input: Payload;
  /** Absent: the pile's default. */
  readonly deadlineMs?: number;
  readonly wants?: Wants;
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
  /** Present: stopped where it is, for as long as the owner needs the processor. */
  readonly suspended?: true;
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
  /** With a task id: say why it waits. */
  readonly explain?: boolean;
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
  /** Not sooner than this. */
  readonly retryAfterMs?: number;
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
  /** Which of how many parallel instances this is; absent: the only one. */
  readonly part?: { readonly index: number; readonly count: number };
  /** How often a checkpoint is worth its cost; absent: only when told to stop. */
  readonly checkpointEveryMs?: number;
}

/** One image that a donor is told to keep. */
export interface DeployedImage {
  readonly algorithmId: AlgorithmId;
  readonly version: string;
  readonly runtime: RuntimeKind;
  readonly image: BlobRef;
}

/** The images that this donor's sub-pools serve, most wanted first: it fetches them before they are needed. Replaces the last. */
export interface Deploy {
  readonly kind: 'deploy';
  readonly images: readonly DeployedImage[];
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
  /** Whose state is to be kept now, where it is newer than what was sent: the vehicle is expected to leave. Absent: none. */
  readonly keepState?: readonly LeaseId[];
}

export interface ResultAck {
  readonly kind: 'resultAck';
  readonly lease: LeaseId;
  readonly accepted: boolean;
  readonly reason: string;
}

/** The pile has the state on its disk, or will not have it. */
export interface CheckpointAck {
  readonly kind: 'checkpointAck';
  readonly lease: LeaseId;
  readonly accepted: boolean;
  readonly reason: string;
}

export interface Delivery {
  readonly kind: 'delivery';
  readonly requestId: RequestId;
  readonly taskId: TaskId;
  readonly state: TaskState;
  /** Of the only instance, or of the first. */
  readonly output?: Payload;
  /** Of all instances in their order, where there are several. */
  readonly outputs?: readonly Payload[];
  readonly failure?: { readonly code: string; readonly detail: string; readonly stderrTail: string };
  readonly attempts: number;
  readonly donor: string;
  readonly used?: Used;
  readonly chargedMncs: number;
  /** Vehicles of different owners that returned this result; 0: there is none. */
  readonly agreeing: number;
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
  /** Where it was asked for, of a task that waits. */
  readonly explanation?: WaitExplanation;
}

/** Why a task waits. */
export interface WaitExplanation {
  /** One sentence for a person. */
  readonly summary: string;
  /** 1: the next. */
  readonly place: number;
  /** Absent: not to be estimated. */
  readonly startInMs?: number;
  /** What would make it run, one sentence each. */
  readonly wouldRun: readonly string[];
  /** How many donors fail each test; the tests are the closed list of docs/protocol.md. */
  readonly obstacles: readonly { readonly test: string; readonly donors: number }[];
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

/** What this vehicle earned, and on what terms it would lend now. */
export interface EarningsQuery {
  readonly kind: 'earningsQuery';
}

/** Says that this vehicle is the one that is plugged in there; by the code on the pile's display, or by its word alone. */
export interface ConnectorClaim {
  readonly kind: 'connectorClaim';
  /** As a person writes it, or the whole id; absent: wherever the code is shown. At least one of the two is there. */
  readonly connector?: string;
  /** Six digits. */
  readonly code?: string;
}

/** What flows into the vehicle now, as it measures it. */
export interface PowerReport {
  readonly kind: 'powerReport';
  readonly powerMw: number;
}

/** The pile believes that this vehicle is plugged in there. */
export interface ConnectorBound {
  readonly kind: 'connectorBound';
  readonly connectorId: string;
  /** From the list in docs/protocol.md. */
  readonly assurance: string;
}

/** Report the charging power so often, for so long; 0: no more. */
export interface WatchPower {
  readonly kind: 'watchPower';
  readonly everyMs: number;
  readonly forMs: number;
}

/** Sums over all bookings of one account in one unit. */
export interface EarningsSum {
  /** `cpuMncs`, `gpuMncs`, `mWh`, a currency (minor units), or a currency and `e-6` (millionths of a minor unit). */
  readonly unit: string;
  readonly credited: number;
  readonly debited: number;
}

/** What lending brings by the tariff of this moment; money in millionths of the currency's minor unit. */
export interface EarningTerms {
  readonly tariff: string;
  /** ISO 4217. */
  readonly currency: string;
  /** For an hour of the reference core, and of the reference GPU. */
  readonly cpuHourMicros: number;
  readonly gpuHourMicros: number;
  /** What a kWh costs the driver. */
  readonly energyKwhMicros: number;
  /** What an hour of the reference core is taken to draw. */
  readonly cpuHourMwh: number;
  /** After charging ended; from then on nothing is earned. */
  readonly overstayAfterMs?: number;
}

export interface EarningsReport {
  readonly kind: 'earningsReport';
  readonly balances: readonly EarningsSum[];
  /** What the energy that the vehicle's computing drew cost its driver, in his charging bill. */
  readonly energyCosts: readonly EarningsSum[];
  /** Absent: nothing is paid in money here. */
  readonly terms?: EarningTerms;
}

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
  | EarningsQuery
  | ConnectorClaim
  | PowerReport
  | BlobBody;

/** What a pile says. */
export type DownBody =
  | Welcome
  | Accepted
  | Refused
  | Offer
  | Deploy
  | Revoke
  | Renewed
  | ResultAck
  | CheckpointAck
  | EarningsReport
  | ConnectorBound
  | WatchPower
  | Delivery
  | TaskUpdate
  | StatusReport
  | BlobBody;

export interface Envelope<Body> {
  /** 0: no answer is expected. A safe integer. */
  readonly correlationId: number;
  readonly body: Body;
}
