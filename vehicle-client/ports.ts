/** What the vehicle client's surroundings must offer, types only. Each is implemented by one file under `adapters/`. */
import type { BlobRef, Digest, HardwareProfile, Result, TopicKind } from '@plugpool/proto';
import type { MeterReading } from './core/energy-shares.ts';
import type { LocalTime, OwnerState, ProbeSample, VehicleSignals } from './core/policy.ts';

/** `monoMs` never jumps and orders leases; `wallMs` is for what people say ("leaving at 17:30"). */
export interface Clock {
  monoMs(): number;
  wallMs(): number;
  /** Of a time zone by its IANA name; absent: of the machine's own. */
  localTime(timeZone?: string): LocalTime;
  /** Calls back once; the returned function cancels. */
  setTimer(delayMs: number, callback: () => void): () => void;
}

/** What pino's loggers have; the client needs no more. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type LinkDownCode =
  /** Nobody listens there, or the connection broke. */
  | 'unreachable'
  /** CONNACK 4 or 5: the vehicle id is bound to another token. */
  | 'token_refused'
  /** CONNACK 2: the pile takes no such client id. */
  | 'id_refused'
  /** Connected, but the pile refused the subscription or did not answer hello. */
  | 'not_welcomed';

export interface LinkDown {
  readonly code: LinkDownCode;
  readonly detail: string;
}

export interface LinkHandlers {
  /** Connected and subscribed: what is sent from now on goes out, in order, after nothing else. */
  up(): void;
  /** A connection was lost, or one try to connect failed. The next try is already planned. */
  down(cause: LinkDown): void;
  message(kind: TopicKind, payload: Uint8Array): void;
}

/** One client's connection to the pile. Reconnects by itself until it is stopped. */
export interface Link {
  start(handlers: LinkHandlers): void;
  /** QoS 1. Without a connection the message is dropped: what is owed is said again after the next hello. */
  send(kind: TopicKind, payload: Uint8Array): void;
  /** The conversation works: after the next loss the delays begin short again. */
  settled(): void;
  /** Gives up this connection and goes on as after any loss. */
  reconnect(cause: LinkDown): void;
  /** Lets what was sent leave, then disconnects. */
  stop(): Promise<void>;
}

/** What this machine is, and what it leaves idle. */
export interface Probe {
  /** Finds out what never changes, then samples every few seconds until it is stopped. */
  start(signal: AbortSignal): Promise<HardwareProfile>;
  /** Undefined before the second look: load is a difference. */
  latest(): ProbeSample | undefined;
  /** Called after each sample. */
  onSample(callback: () => void): void;
  stop(): Promise<void>;
}

/** `package`: processors with their caches and built-in graphics; `psys`: the whole board. */
export type PowerDomain = 'package' | 'dram' | 'psys' | 'gpu';

export interface PowerSource {
  readonly name: PowerSourceName;
  /** Its counters or rails by the names that the system gives them. */
  readonly parts: readonly string[];
  readonly covers: readonly PowerDomain[];
  /** `counted` by the hardware itself, or power that is looked at from time to time. */
  readonly kind: 'counted' | 'sampled';
}

export type PowerSourceName = 'powercap' | 'hwmon';

/** What counts the energy that the machine takes. The battery's discharge is not it: while a vehicle charges there is none. */
export interface PowerMeter {
  /** Looks once what there is to be read, or says why nothing is and what would help. */
  start(): { readonly ok: true; readonly source: PowerSource } | PowerMeterProblem;
  /** Undefined where it cannot be read now. Reads a few small files. */
  read(nowMonoMs: number): MeterReading | undefined;
}

export interface PowerMeterProblem {
  readonly ok: false;
  readonly code: 'no_power_meter' | 'power_meter_forbidden';
  readonly detail: string;
  readonly hint: string;
}

/** What only the car knows. */
export interface VehicleSignalsSource {
  start(signal: AbortSignal): Promise<void>;
  /** Only what is fresh; what the car does not tell is absent. */
  latest(): VehicleSignals;
  stop(): Promise<void>;
}

/** What a donor must not forget over a restart. Every call writes at once and is synced to disk when it returns. */
export interface Outbox {
  /** Takes the data directory for this process (a second one is told so) and loads. */
  open(): { readonly results: readonly Result[]; readonly owner: OwnerState };
  /** One transaction. Throws where the disk takes no more. */
  keep(results: readonly Result[]): void;
  /** One transaction. What it forgets was acknowledged: losing the deletion costs one message more. */
  forget(results: readonly Result[]): void;
  keepOwnerState(owner: OwnerState): void;
  close(): void;
}

/** Verified files by their digest; bounded in bytes and in number, least recently used out first. */
export interface BlobCache {
  start(): Promise<void>;
  /** Path of a blob that is here and verified, pinned until `unpin`; undefined where it must be fetched or checked first. */
  pinVerified(digest: Digest): string | undefined;
  /** Pins what is here after hashing it, or what `fetch` brings. Rejects where the bytes hash to something else. */
  pin(blob: BlobRef, fetch: () => Promise<Uint8Array>): Promise<string>;
  unpin(digest: Digest): void;
  isVerified(digest: Digest): boolean;
  /**
   * These go last when something must go, and `evicted` is told where one of them did; replaces what was preferred before.
   * Returns those that the cache's bounds have room for together, in their order; the others are not preferred.
   */
  prefer(blobs: readonly BlobRef[], evicted: (digest: Digest) => void): readonly BlobRef[];
  digests(): readonly Digest[];
}
