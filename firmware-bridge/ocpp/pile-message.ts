/** What the messages of both OCPP versions say of connectors, in one set of words; types only. */
import type { CredentialKind } from '../port.ts';
import type { MeterReading } from './meter-reading.ts';

/** 1.6 counts connectors alone: its connector N is `{ evse: N, connector: 1 }`. */
export interface OcppPlace {
  readonly evse: number;
  readonly connector?: number;
}

/** `occupied` is all that 2.0.1 says where 1.6 tells `plugged` … `finishing` apart. */
export type ConnectorStatus =
  'free' | 'occupied' | 'plugged' | 'charging' | 'suspendedEV' | 'suspendedEVSE' | 'finishing' | 'faulted';

/** `chargingState` of 2.0.1. */
export type SupplyState = 'noVehicle' | 'connected' | 'charging' | 'suspendedEV' | 'suspendedEVSE';

/** As it was shown: it becomes a pseudonym before it leaves this folder. */
export interface ShownToken {
  readonly kind: CredentialKind;
  readonly value: string;
}

interface Sourced {
  /** By the pile's clock, which may be anything. */
  readonly sourceWallMs?: number | undefined;
}

export interface StatusMessage extends Sourced {
  readonly what: 'status';
  readonly place: OcppPlace;
  readonly status: ConnectorStatus;
  /** Why it is `faulted`. */
  readonly reason?: string | undefined;
}

export interface TransactionMessage extends Sourced {
  readonly what: 'transaction';
  readonly phase: 'started' | 'updated' | 'ended';
  /** 1.6 names the connector at the start alone, 2.0.1 at least there. */
  readonly place?: OcppPlace | undefined;
  /** In 1.6 the answer to the start says it. */
  readonly transactionId?: string | undefined;
  readonly supply?: SupplyState | undefined;
  /** The message itself says that the vehicle came or left. */
  readonly vehicle?: 'came' | 'left' | undefined;
  /** 2.0.1: it happened while the pile was cut off. */
  readonly isOffline: boolean;
  readonly token?: ShownToken | undefined;
  readonly readings: readonly MeterReading[];
}

export interface MeterMessage {
  readonly what: 'meter';
  readonly place: OcppPlace;
  readonly transactionId?: string | undefined;
  readonly readings: readonly MeterReading[];
}

export interface NeedsMessage extends Sourced {
  readonly what: 'needs';
  readonly place: OcppPlace;
  readonly departureWallMs?: number | undefined;
  readonly socPercent?: number | undefined;
}

export interface ShownMessage {
  readonly what: 'shown';
  readonly token: ShownToken;
  /** Of ISO 15118, beside the token. */
  readonly hasCertificate: boolean;
}

export type PileMessage =
  { readonly what: 'boot' } | StatusMessage | TransactionMessage | MeterMessage | NeedsMessage | ShownMessage;

/** What the CSMS's answer to a call of the pile says. */
export interface CsmsAnswer {
  /** Of BootNotification. */
  readonly heartbeatMs?: number | undefined;
  /** Of 1.6 StartTransaction. */
  readonly transactionId?: string | undefined;
  /** Whether the token of the call was accepted; absent where the answer says nothing of it. */
  readonly isTokenAccepted?: boolean | undefined;
  /** The certificate that came with the token was checked, and holds. */
  readonly isCertificateAccepted?: boolean | undefined;
}

/** One OCPP version: how its payloads are read. */
export interface OcppDialect {
  /** Absent: nothing of ours, or nothing that can be read. */
  readCall(action: string, payload: unknown): PileMessage | undefined;
  readAnswer(payload: unknown): CsmsAnswer;
}
