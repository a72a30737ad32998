/** What any charging firmware can tell about the connectors of a pile; types only, implemented by one folder an adapter. */
import type { ConnectorId, VehicleId } from '@plugpool/proto';

/**
 * Where a session stands, in the words of OCPP 2.0.1 `ChargingStateEnumType` and IEC 61851-1 (state A is no vehicle, B is
 * connected, C and D are charging, E and F are faults).
 */
export type SessionState =
  | 'unknown'
  | 'plugged'
  | 'charging'
  /** The vehicle stopped drawing; there is supply. */
  | 'suspendedEV'
  /** The station gives no supply: computing would drain the battery. */
  | 'suspendedEVSE'
  | 'finishing'
  | 'unplugged'
  | 'faulted';

/** How sure it is who is plugged in, weakest first. */
export type IdentityAssurance =
  /** The vehicle said so itself. */
  | 'claimed'
  /** It felt the connector's cap change: it is the plugged vehicle or works with it; that says nothing of who it is. */
  | 'presence'
  /** The vehicle's MAC address (EVCCID, Autocharge): hearsay, some makes randomise it. */
  | 'mac'
  /** The vehicle identification number that the car told the charger. */
  | 'vin'
  /** It repeated the code on the pile's display. */
  | 'code'
  /** A card or app that was bound to the vehicle. */
  | 'token'
  /** A person at the pile, or a file that an operator provided. */
  | 'operator'
  /** ISO 15118 Plug & Charge. */
  | 'certificate';

/** What a vehicle or its driver showed to the station; who that is, is decided by whoever bound it to a vehicle. */
export type CredentialKind =
  /** OCPP `idTag` / `idToken`, EVerest's authorisation token. */
  | 'idToken'
  /** The MAC address of the vehicle's communication controller. */
  | 'evccid'
  | 'vin'
  /** The contract of ISO 15118 Plug & Charge (eMAID), checked by the station against its certificate. */
  | 'emaid';

/** Never the value itself, which names a person or a car: `pseudonym` is what `Pseudonymize` made of it. */
export interface Credential {
  readonly kind: CredentialKind;
  readonly pseudonym: string;
}

/** Keyed by a salt of the pile: the same value gives the same pseudonym here, and another one elsewhere. */
export type Pseudonymize = (kind: CredentialKind, value: string) => string;

/** Which of the optional facts an adapter can ever give; what is absent here is absent for ever. */
export type FirmwareCapability =
  | 'identity'
  | 'soc'
  | 'power'
  | 'energy'
  | 'estimatedFull'
  | 'statedDeparture'
  | 'transaction'
  | 'supplyState'
  /** What a vehicle or driver showed; who that is, others know. */
  | 'credential';

/** When a fact was true, and when we heard of it. */
export interface SampleTime {
  /** By the firmware's own clock; absent where it has none. Wall time, ms since 1970. */
  readonly sourceWallMs?: number;
  /** When the adapter received it. Wall time, ms since 1970. */
  readonly receivedWallMs: number;
}

interface EventBase {
  readonly connectorId: ConnectorId;
  readonly at: SampleTime;
}

/** A reading that cannot be true beside the ones before it: it is told, and never believed. */
export interface DoubtedReading {
  readonly field: 'powerMw' | 'energyMwh' | 'socPermille' | 'estimatedFullInMs' | 'departureInMs';
  readonly value: number;
  readonly why: 'outOfRange' | 'ranBackwards' | 'jumped' | 'exceedsPower' | 'beforeSession';
}

/**
 * The closed list of what an adapter says. Each also verifies the connector anew, but `linkLost` and `linkUp`.
 * Durations (`…InMs`) count from `at.receivedWallMs`: the firmware's own clock may be years off.
 */
export type FirmwareEvent =
  | (EventBase & { readonly kind: 'plugged' })
  | (EventBase & { readonly kind: 'transactionStarted'; readonly transactionId: string })
  | (EventBase & { readonly kind: 'chargingStarted' })
  | (EventBase & { readonly kind: 'suspended'; readonly by: 'EV' | 'EVSE' })
  /** Energy stopped for good in this session, the vehicle is still plugged (`finishing`). */
  | (EventBase & { readonly kind: 'chargingStopped' })
  /** The billed part ended. It does not mean unplugged. */
  | (EventBase & { readonly kind: 'transactionEnded'; readonly transactionId: string })
  | (EventBase & { readonly kind: 'unplugged' })
  | (EventBase & {
      readonly kind: 'meter';
      readonly powerMw?: number;
      /** Register reading of the session or of the meter's life; only differences count. */
      readonly energyMwh?: number;
      /** As the meter signed it: passed on, never touched. */
      readonly signed?: { readonly format: 'OCMF'; readonly data: string };
      readonly doubted?: readonly DoubtedReading[];
    })
  | (EventBase & {
      readonly kind: 'evInfo';
      readonly socPermille?: number;
      readonly estimatedFullInMs?: number;
      /** 0 or "now" is unknown and is left out by the adapter. */
      readonly departureInMs?: number;
      readonly doubted?: readonly DoubtedReading[];
    })
  | (EventBase & { readonly kind: 'credential'; readonly credential: Credential })
  | (EventBase & {
      readonly kind: 'identity';
      readonly vehicleId: VehicleId;
      readonly assurance: IdentityAssurance;
    })
  | (EventBase & { readonly kind: 'faulted'; readonly reason: string })
  | (EventBase & { readonly kind: 'linkLost'; readonly reason: string })
  | (EventBase & { readonly kind: 'linkUp' });

export type FirmwareEventKind = FirmwareEvent['kind'];

/**
 * One source of firmware events.
 *
 * Contract: `start` begins calling `emit`, in the order in which things happened at each connector; nothing is emitted
 * before `start` was called or after `stop` resolved. An adapter first says `plugged` for a vehicle that it finds plugged in
 * at start, then the rest of the state it knows. Between `linkLost` and `linkUp` nothing is emitted for that connector.
 * `credential` comes while a vehicle is plugged; shown before (a card at a free connector), it is kept and said after `plugged`.
 * After `linkUp` the adapter states the connector anew (`plugged` … or `unplugged`): what happened meanwhile is not assumed. So it does
 * when a fault is over, since nobody sees who comes and goes at a connector that is faulted: `plugged`, then the credentials and the
 * transaction where it knows that the stay is the same.
 */
export interface FirmwareAdapter {
  readonly name: string;
  readonly capabilities: ReadonlySet<FirmwareCapability>;
  /** A connector of which nothing was heard for longer is *unverified*; 0: the source is silent between events by nature. */
  readonly staleAfterMs: number;
  /**
   * Nothing watches the connector between what it says, such as a person or a file: its word counts only at connectors of which no
   * other adapter speaks.
   */
  readonly unwatched?: true;
  /** Absent where the adapter only listens, which is the default of every one. */
  readonly control?: FirmwareControl;
  start(emit: (event: FirmwareEvent) => void, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** What an adapter does at the station, each switched on by the operator; none of it ever starts or ends charging. */
export interface FirmwareControl {
  readonly abilities: ReadonlySet<FirmwareAbility>;
  /** At most this much for the connector, until it expires by itself; said again, it is renewed. Never raises what others set. */
  setCap(connectorId: ConnectorId, cap: PowerCap): Promise<ControlOutcome>;
  clearCap(connectorId: ConnectorId): Promise<ControlOutcome>;
  /** On the pile's display. Replaces what we showed before for this connector. */
  showText(connectorId: ConnectorId, text: string, forMs: number): Promise<ControlOutcome>;
  /** To the operator's back office. Sent again with the same id, it counts once. */
  sendCredit(connectorId: ConnectorId, record: SignedRecord): Promise<ControlOutcome>;
}

export type FirmwareAbility = 'cap' | 'text' | 'credit';

export interface PowerCap {
  readonly powerMw: number;
  /** The station forgets the cap after this long without a renewal. */
  readonly forMs: number;
}

/** By what the back office knows our records of credit, whatever carries them there: OCPP's DataTransfer has these. */
export interface CreditAddress {
  readonly vendorId: string;
  readonly messageId: string;
}

/** A record as it was signed: the bytes are passed on unchanged. */
export interface SignedRecord {
  readonly id: string;
  /** UTF-8 JSON text. */
  readonly body: string;
  /** Ed25519 over `body`, base64. */
  readonly signature: string;
}

export type ControlOutcome =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly code:
        'not_enabled' | 'unsupported' | 'refused' | 'no_answer' | 'link_lost' | 'unknown_connector';
      readonly message: string;
    };
