/** What the core wants done, as data; the daemon does it, and only after what it says is on disk. */
import type { ComparedPair, OperatorAnswer } from './events.ts';
import type { Account, Comparison, CreditId, StoreChange } from './records.ts';
import type {
  BlobRef,
  ClientId,
  ConnectorId,
  Digest,
  DownBody,
  EarningTerms,
  Envelope,
  LeaseId,
  Payload,
  TaskId,
  VehicleId,
} from '@plugpool/proto';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** None of it ever starts or ends charging. */
export type Control =
  /** The station forgets it after `forMs`, unless it is renewed. */
  | {
      readonly kind: 'setCap';
      readonly connectorId: ConnectorId;
      readonly powerMw: number;
      readonly forMs: number;
    }
  | { readonly kind: 'clearCap'; readonly connectorId: ConnectorId }
  | {
      readonly kind: 'showText';
      readonly connectorId: ConnectorId;
      readonly text: string;
      readonly forMs: number;
    }
  /** The record is read from disk, and signed. */
  | { readonly kind: 'sendCredit'; readonly connectorId: ConnectorId; readonly creditId: CreditId };

export interface Effects {
  /** Written in one transaction, in this order. */
  readonly changes: StoreChange[];
  /** The changes promise nothing to anybody: they may wait for the next commit that does. */
  changesCanWait: boolean;
  /** In order for each client; what one step owes to one client leaves as one message. */
  readonly sends: { readonly clientId: ClientId; readonly envelope: Envelope<DownBody> }[];
  /** Bytes to be pulled from a client; answered by `blobArrived` or `blobFailed`. */
  readonly fetches: {
    readonly clientId: ClientId;
    readonly blob: BlobRef;
    /** Who asked for the task that they are of. */
    readonly requester: VehicleId;
  }[];
  /** Bytes that nobody waits for any more; what arrived may be of use to who asks again, or not. */
  readonly abandons: { readonly digest: Digest; readonly vehicleId: VehicleId; readonly keep: boolean }[];
  /** A closed task whose delivery is read from disk and sent again. */
  readonly recalls: {
    readonly clientId: ClientId;
    readonly correlationId: number;
    readonly taskId: TaskId;
  }[];
  /** Results under a lease that is over: what their donor is told is read from the disk, where it was told something before. */
  readonly resultRecalls: {
    readonly clientId: ClientId;
    readonly correlationId: number;
    readonly taskId: TaskId;
    readonly lease: LeaseId;
  }[];
  /** Results whose bytes are to be compared, since they do not lie in memory; answered by `compared`. */
  readonly compares: {
    readonly pair: ComparedPair;
    readonly payloads: readonly [Payload, Payload];
    readonly compare: Comparison;
  }[];
  /** Sums of a vehicle that are read from disk, and sent with the terms. */
  readonly earnings: {
    readonly clientId: ClientId;
    readonly correlationId: number;
    readonly account: Account;
    readonly energyCosts: Account;
    readonly terms?: EarningTerms;
  }[];
  /** What is done at connectors, by the adapter that can; each is answered by `controlled`. */
  readonly controls: Control[];
  readonly answers: { readonly question: number; readonly answer: OperatorAnswer }[];
  readonly logs: {
    readonly level: LogLevel;
    readonly message: string;
    readonly fields: Readonly<Record<string, unknown>>;
  }[];
}

export function noEffects(): Effects {
  return {
    changes: [],
    changesCanWait: true,
    sends: [],
    fetches: [],
    abandons: [],
    recalls: [],
    resultRecalls: [],
    compares: [],
    earnings: [],
    controls: [],
    answers: [],
    logs: [],
  };
}
