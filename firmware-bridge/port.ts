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

/** How sure the firmware is of who is plugged in, weakest first. */
export type IdentityAssurance =
  /** The vehicle said so itself. */
  | 'claimed'
  /** A card or app that the operator mapped to the vehicle. */
  | 'token'
  /** A person at the pile, or a file that an operator provided. */
  | 'operator'
  /** The vehicle's MAC address (Autocharge). */
  | 'mac'
  /** ISO 15118 Plug & Charge. */
  | 'certificate';

/** Which of the optional facts an adapter can ever give; what is absent here is absent for ever. */
export type FirmwareCapability =
  | 'identity'
  | 'soc'
  | 'power'
  | 'energy'
  | 'estimatedFull'
  | 'statedDeparture'
  | 'transaction'
  | 'supplyState';

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
    })
  | (EventBase & {
      readonly kind: 'evInfo';
      readonly socPermille?: number;
      readonly estimatedFullInMs?: number;
      /** 0 or "now" is unknown and is left out by the adapter. */
      readonly departureInMs?: number;
    })
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
 * After `linkUp` the adapter states the connector anew (`plugged` … or `unplugged`): what happened meanwhile is not assumed.
 */
export interface FirmwareAdapter {
  readonly name: string;
  readonly capabilities: ReadonlySet<FirmwareCapability>;
  /** A connector of which nothing was heard for longer is *unverified*; 0: the source is silent between events by nature. */
  readonly staleAfterMs: number;
  start(emit: (event: FirmwareEvent) => void, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}
