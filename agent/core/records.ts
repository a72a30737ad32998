/** What is on disk, as the core sees it: the records that a start loads and the changes that a commit writes; types only. */
import type { Credential } from '@plugpool/firmware-bridge';
import type {
  AlgorithmId,
  BlobRef,
  ConnectorId,
  Demand,
  Failure,
  FencingToken,
  InstanceId,
  Payload,
  RequestId,
  RuntimeKind,
  Selector,
  Slot,
  TaskId,
  TaskState,
  Used,
  VehicleId,
  Wants,
} from '@plugpool/proto';
import type { SignedReadings } from './sessions/signed-readings.ts';

/** A catalogued program. `id` and `version` together name it. */
export interface AlgorithmRecord {
  readonly id: AlgorithmId;
  readonly version: string;
  /** What it does; several algorithms and versions can be of one type. */
  readonly type: string;
  readonly runtime: RuntimeKind;
  readonly image: BlobRef;
  /** Alternatives, the preferred one first; never empty. */
  readonly demands: readonly Demand[];
  /** Estimated work of one run, in normalised core-seconds. */
  readonly workCoreS: number;
  /** `retired`: runs to its end, takes no new request. */
  readonly state: 'active' | 'retired';
  readonly addedWallMs: number;
  /** It can keep its state, and go on from there elsewhere. */
  readonly checkpoints?: boolean;
  /** How two outputs of the same input compare; absent: they may differ, and one result is not held against another. */
  readonly compare?: Comparison;
}

/** When two outputs are the same result: every byte, or every number within a tolerance (absolute or relative, whichever is larger). */
export type Comparison =
  | { readonly by: 'bytes' }
  | {
      readonly by: 'numbers';
      readonly format: 'float32' | 'float64' | 'json';
      readonly tolerance: number;
    };

/** What was asked; never changes after acceptance. */
export interface TaskRecord {
  readonly taskId: TaskId;
  readonly vehicleId: VehicleId;
  readonly slot: Slot;
  readonly requestId: RequestId;
  /** sha256 (hex) of the request's meaning: the same id with another body is refused. */
  readonly bodyHash: string;
  readonly selector: Selector;
  readonly args: readonly string[];
  readonly input: Payload;
  readonly acceptedWallMs: number;
  readonly deadlineWallMs: number;
  readonly wants?: Wants;
  /** The task that ended without a result and that an operator had run again as this one. */
  readonly retryOf?: TaskId;
}

/** How a task ended, and whether its requester knows. */
export interface TaskEndRecord {
  readonly state: Exclude<TaskState, 'queued' | 'running'>;
  readonly endedWallMs: number;
  readonly output?: Payload;
  /** Of all instances in their order, where there are several. */
  readonly outputs?: readonly Payload[];
  readonly failure?: { readonly code: string; readonly detail: string; readonly stderrTail: string };
  readonly attempts: number;
  readonly donor?: VehicleId;
  readonly used?: Used;
  readonly chargedMncs: number;
  /** Vehicles of different owners that returned this output; absent: there is none. */
  readonly agreeing?: number;
  readonly algorithmId?: AlgorithmId;
  readonly algorithmVersion?: string;
}

export interface LeaseRecord {
  readonly vehicleId: VehicleId;
  readonly connectorId: ConnectorId;
  readonly algorithmId: AlgorithmId;
  readonly algorithmVersion: string;
  readonly demand: Demand;
  /** GPU that the demand was placed on. */
  readonly gpuDeviceId?: string;
  readonly fencingToken: FencingToken;
  readonly grantedWallMs: number;
  /** As the meter of its connector stood then, where one tells (ledger/metered-energy.ts). */
  readonly meterMwh?: number;
  /** What was booked for its checkpoints; absent: nothing. */
  readonly booked?: BookedRecord;
  /** What its last checkpoint says beyond that: booked when the lease ends without a result. */
  readonly unbooked?: ClaimRecord;
}

/** What an attempt did, as far as it is believed. */
export interface ClaimRecord {
  readonly cpuMncs: number;
  readonly gpuMncs: number;
  readonly energyMwh: number;
  /** The vehicle had overstayed when it was handed in: its share is the operator's. */
  readonly overstay?: true;
}

/** What of an attempt was booked already, and in how many segments. */
export interface BookedRecord extends Omit<ClaimRecord, 'overstay'> {
  readonly segments: number;
}

/** One parallel part of a task, as it stands. */
export interface InstanceRecord {
  readonly instanceId: InstanceId;
  readonly taskId: TaskId;
  readonly index: number;
  /** Grants so far. */
  readonly attempts: number;
  readonly departures: number;
  readonly crashes: number;
  /** Present while granted. */
  readonly lease?: LeaseRecord;
  /** Of one part of several, once its result was accepted and while the others are not through. */
  readonly result?: PartResultRecord;
  /** Where the next attempt goes on from. */
  readonly checkpoint?: CheckpointRecord;
  /** It was pre-empted once: never again. */
  readonly preempted?: boolean;
  /** Which replica of its part it is; absent: the first. */
  readonly replica?: number;
  /** On the first replica: so many results of its part must agree; absent: one is enough. */
  readonly quorum?: number;
  /** On the first replica: the program that all of them run, `id@version`. */
  readonly program?: string;
  /** Its part is decided: it runs no more, whatever became of it. */
  readonly settled?: boolean;
  /** Credited for checkpoints already and not yet charged to anybody: the payer's share of the end. */
  readonly owed?: readonly OwedRecord[];
}

export interface OwedRecord {
  readonly unit: Unit;
  readonly amount: number;
}

export interface PartResultRecord {
  /** Empty where the run failed. */
  readonly output: Payload;
  readonly donor: VehicleId;
  readonly used: Used;
  readonly chargedMncs: number;
  /** Of a replica: what its run was, for when its part is decided. */
  readonly run?: ReplicaRunRecord;
  /** Vehicles of different owners that returned it, once its part is decided. */
  readonly agreeing?: number;
}

/** What of a replica's attempt counts once its part is decided; its lease is long gone by then. */
export interface ReplicaRunRecord {
  readonly algorithmId: AlgorithmId;
  readonly algorithmVersion: string;
  readonly demand: Demand;
  readonly fencingToken: FencingToken;
  /** Where it was done; absent of a run that an older version kept. */
  readonly connectorId?: ConnectorId;
  /** What it did, as far as the pile believes it. */
  readonly claim: ClaimRecord;
  /** How long it ran, as far as the pile believes it. */
  readonly runMs: number;
  /** The program failed by its own doing: that is a result too. */
  readonly failure?: Failure;
}

/** What an attempt had done when it was last kept. */
export interface CheckpointRecord {
  readonly state: BlobRef;
  /** Normalised work that need not be done again, in milli-normalised-core-seconds. */
  readonly doneMncs: number;
}

/** One stay of a vehicle that is over: what the dwell model learns from. */
export interface StayRecord {
  readonly connectorId: ConnectorId;
  readonly pluggedWallMs: number;
  readonly unpluggedWallMs: number;
  /** When energy stopped for good, where the firmware said so. */
  readonly chargingEndedWallMs?: number;
  /** The first departure that was stated, where there was one. */
  readonly statedDepartureWallMs?: number;
}

/** The operator said that whoever shows this credential is this vehicle. */
export interface BindingRecord {
  readonly credential: Credential;
  readonly vehicleId: VehicleId;
  readonly boundWallMs: number;
}

export type AttemptOutcome =
  'completed' | 'failed' | 'departed' | 'crashed' | 'declined' | 'cancelled' | 'expired';

/** One try that ended. */
export interface AttemptRecord {
  readonly instanceId: InstanceId;
  readonly taskId: TaskId;
  readonly attempt: number;
  readonly fencingToken: FencingToken;
  readonly vehicleId: VehicleId;
  readonly algorithmId: AlgorithmId;
  readonly algorithmVersion: string;
  readonly startedWallMs: number;
  readonly endedWallMs: number;
  readonly outcome: AttemptOutcome;
  readonly reason: string;
  /** Its donor handed a result in, good or bad, and was told that it is taken. */
  readonly handedIn?: true;
}

/** `vehicle:<id>`, `fleet:<name>`, `operator` and those that agent/core/ledger/accounts.ts names. */
export type Account = string & { readonly brand: 'Account' };

/** `cpuMncs`, `gpuMncs`, `mWh`, a currency (its minor units), or a currency and `e-6` (millionths of a minor unit). */
export type Unit = string & { readonly brand: 'Unit' };

/** Positive is credited, negative is debited; an integer. */
export interface LedgerEntry {
  readonly account: Account;
  readonly unit: Unit;
  readonly amount: number;
}

/**
 * One double-entry booking: in each unit its entries add up to 0. A segment of an attempt is booked at most once: `checkpoint`
 * bookings are 0 and on, the `result` is the last. A `settlement` is of no attempt: what a task that came to nothing still owed
 * (fencing token 0), or accrued money that became whole minor units.
 */
export interface BookingRecord {
  readonly kind: 'result' | 'checkpoint' | 'settlement';
  /** Empty: of no task. */
  readonly taskId: TaskId;
  readonly instanceId: InstanceId;
  readonly fencingToken: FencingToken;
  readonly segment: number;
  readonly wallMs: number;
  /** By whose prices; absent: nothing was paid in money. */
  readonly tariff?: string;
  /** Done after the vehicle had overstayed: the donor's share went to the operator. */
  readonly overstay?: true;
  readonly entries: readonly LedgerEntry[];
}

export type CreditId = number & { readonly brand: 'CreditId' };

/** What one donor was credited in one stay at a connector: its own share, energy beside. Once made it never changes. */
export interface CreditRecord {
  /** Given once, by whatever start (numbers.ts). */
  readonly creditId: CreditId;
  readonly vehicleId: VehicleId;
  readonly connectorId: ConnectorId;
  readonly pluggedWallMs: number;
  /** The last one of the stay that the firmware named. */
  readonly transactionId?: string;
  /** Above 0, each unit once. */
  readonly earned: readonly OwedRecord[];
  /** In the order in which they first paid something. */
  readonly tariffs: readonly string[];
  readonly bookings: number;
  readonly lastBookedWallMs: number;
  /** `unseen`: the firmware did not name the vehicle again after a start; the time is that of its last booking. */
  readonly ended?: { readonly wallMs: number; readonly how: 'unplugged' | 'unseen' };
  /** As its meter signed them. */
  readonly signed?: SignedReadings;
  readonly madeWallMs?: number;
}

/** Whether a record is with the operator's back office. */
export interface CreditSending {
  /** `kept`: it is not to be sent. `refused`: it will never be taken. `given_up`: tried for too long. */
  readonly state: 'kept' | 'waiting' | 'accepted' | 'refused' | 'given_up';
  readonly tries: number;
  readonly triedWallMs?: number;
  /** Of the last try, where it came to nothing. */
  readonly code?: string;
  readonly detail?: string;
}

/** The changes that a commit writes, in order, in one transaction. */
export type StoreChange =
  | { readonly change: 'insertTask'; readonly task: TaskRecord }
  /** Its instances hold no lease from then on, whatever was put of them. */
  | { readonly change: 'endTask'; readonly taskId: TaskId; readonly end: TaskEndRecord }
  | { readonly change: 'taskDelivered'; readonly taskId: TaskId }
  | { readonly change: 'putInstance'; readonly instance: InstanceRecord }
  | { readonly change: 'insertAttempt'; readonly attempt: AttemptRecord }
  | { readonly change: 'book'; readonly booking: BookingRecord }
  | { readonly change: 'putAlgorithm'; readonly algorithm: AlgorithmRecord }
  | { readonly change: 'insertStay'; readonly stay: StayRecord }
  /** Replaces what was bound by this credential. */
  | { readonly change: 'putBinding'; readonly binding: BindingRecord }
  | { readonly change: 'removeBinding'; readonly credential: Credential }
  /** As a whole. The commit in which it is made is the one whose ledger it speaks of. */
  | { readonly change: 'putCredit'; readonly credit: CreditRecord }
  | { readonly change: 'putCreditSending'; readonly creditId: CreditId; readonly sending: CreditSending }
  /** What was learned or set, as JSON by its name; replaces what had that name. */
  | { readonly change: 'putLearned'; readonly name: string; readonly value: unknown }
  | { readonly change: 'removeAlgorithm'; readonly id: AlgorithmId; readonly version: string }
  /** The numbers of the one before are given (numbers.ts): one more than it, on disk before anything of it is said. */
  | { readonly change: 'takeGeneration'; readonly generation: number }
  /** Forgets ended tasks with their instances and attempts, delivered or not; bookings stay. */
  | { readonly change: 'forgetTasks'; readonly taskIds: readonly TaskId[] };

/** What a start finds. */
export interface StoredState {
  /** Grows at each start, on disk before anything else happens; as it is at a load again. */
  readonly generation: number;
  readonly algorithms: readonly AlgorithmRecord[];
  /** Not ended, or ended and not yet delivered. */
  readonly openTasks: readonly {
    readonly task: TaskRecord;
    readonly instances: readonly InstanceRecord[];
    readonly end?: TaskEndRecord;
    /** By a clock that nobody sets, also while the agent was away. Absent: nobody knows, the wall times count. */
    readonly acceptedAgoMs?: number;
    readonly endedAgoMs?: number;
  }[];
  /** The newest stays that are over, oldest first; at most `STAYS_MAX`. */
  readonly stays: readonly StayRecord[];
  readonly bindings: readonly BindingRecord[];
  /** Those not made yet, and those that wait to be sent; by their ids. */
  readonly credits: readonly { readonly credit: CreditRecord; readonly sending?: CreditSending }[];
  readonly learned: ReadonlyMap<string, unknown>;
  /** Ended and delivered, oldest first: so that a request id is never run twice. */
  readonly closedTasks: readonly ClosedTaskRecord[];
}

export interface ClosedTaskRecord {
  readonly taskId: TaskId;
  readonly vehicleId: VehicleId;
  readonly requestId: RequestId;
  readonly bodyHash: string;
  readonly endedWallMs: number;
  /** As of an open task. */
  readonly endedAgoMs?: number;
}

/** A task with all its history, read from disk for a person or for a requester that asks again. */
export interface TaskHistory {
  readonly task: TaskRecord;
  readonly end?: TaskEndRecord;
  readonly delivered: boolean;
  readonly instances: readonly InstanceRecord[];
  readonly attempts: readonly AttemptRecord[];
  readonly bookings: readonly BookingRecord[];
}

/** What one account was credited and debited in one unit, over all bookings. */
export interface BalanceRecord {
  readonly account: Account;
  readonly unit: Unit;
  readonly credited: number;
  readonly debited: number;
  /** Credited less debited. */
  readonly balance: number;
}

/** A task in a list: what is shown of it, without its bytes, arguments and tries. */
export interface ListedTask {
  readonly task: Omit<TaskRecord, 'args' | 'input' | 'bodyHash'>;
  readonly end?: Omit<TaskEndRecord, 'output' | 'outputs'>;
  readonly delivered: boolean;
  /** Grants of its first part. */
  readonly attempts: number;
}

export interface LedgerSummary {
  readonly bookings: number;
  /** In each unit debits equal credits. */
  readonly balanced: boolean;
  /** By account, then unit. */
  readonly balances: readonly BalanceRecord[];
}
