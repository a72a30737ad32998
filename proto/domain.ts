/**
 * The ids, units and unions that every part of Plugpool shares; types only, no code.
 * Units stand last in every name; ids are branded so that one is never taken for another.
 */

export type VehicleId = string & { readonly brand: 'VehicleId' };
/** `lend`, or `ask-…`: one connection of a vehicle. */
export type Slot = string & { readonly brand: 'Slot' };
/** `<vehicleId>.<slot>`, the MQTT client id. */
export type ClientId = string & { readonly brand: 'ClientId' };
/** `station/evse/connector`. */
export type ConnectorId = string & { readonly brand: 'ConnectorId' };
export type TaskId = string & { readonly brand: 'TaskId' };
export type RequestId = string & { readonly brand: 'RequestId' };
export type InstanceId = string & { readonly brand: 'InstanceId' };
/** Algorithm's name, without version. */
export type AlgorithmId = string & { readonly brand: 'AlgorithmId' };
/** sha256 in lower-case hex, 64 characters. */
export type Digest = string & { readonly brand: 'Digest' };
/** A number that only grows for an instance and makes older attempts void. */
export type FencingToken = number & { readonly brand: 'FencingToken' };
/** The number of a client's connection at this pile; it only grows, across restarts too. */
export type Epoch = number & { readonly brand: 'Epoch' };

/** `monoMs` never jumps and orders leases; `wallMs` is what deadlines and records are kept in. */
export interface Now {
  readonly monoMs: number;
  readonly wallMs: number;
}

export interface GpuCapacity {
  readonly deviceId: string;
  readonly model: string;
  /** Thousandths of the device. */
  readonly shareMillis: number;
  readonly vramMib: number;
}

export interface Capacity {
  readonly cpuMillicores: number;
  readonly memoryMib: number;
  readonly gpus: readonly GpuCapacity[];
}

export interface GpuDemand {
  readonly shareMillis: number;
  readonly vramMib: number;
  /** Absent: any model. */
  readonly model?: string;
}

/** What one instance takes of a donor while it runs. */
export interface Demand {
  /** What is reserved; a program may use more of a core that nobody else uses, up to its threads. */
  readonly cpuMillicores: number;
  readonly memoryMib: number;
  readonly threads: number;
  readonly gpu?: GpuDemand;
}

export type RuntimeKind = 'wasm' | 'onnx' | 'echo';

export interface BlobRef {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** Up to `inlineBytesMax` travel inside the message; anything larger by digest. */
export type Payload =
  | { readonly where: 'inline'; readonly bytes: Uint8Array }
  | { readonly where: 'blob'; readonly blob: BlobRef };

export interface LeaseId {
  readonly instanceId: InstanceId;
  readonly fencingToken: FencingToken;
}

export interface Used {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly memoryPeakMib: number;
  readonly gpuMs: number;
  /** As the vehicle measured it; absent: it measures none. */
  readonly energyMwh?: number;
}

export interface HardwareProfile {
  readonly cpuModel: string;
  readonly cores: number;
  readonly clockMhz: number;
  readonly memoryMib: number;
  readonly gpus: readonly GpuCapacity[];
  /** One core's speed against the reference core, × 1000. */
  readonly speedMillis: number;
  readonly platform: string;
}

export interface RunLimits {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly memoryMib: number;
  readonly outputBytes: number;
  /** An output above this travels by digest; absent: the wire's own bound. */
  readonly inlineBytes?: number;
}

export type TaskState = 'queued' | 'running' | 'completed' | 'failed' | 'expired' | 'cancelled' | 'dead';

/** How an attempt can fail, as its donor reports it. */
export type FailureCode =
  // The program's own doing: it would fail the same way anywhere.
  | 'exit_nonzero'
  | 'trap'
  | 'cpu_time_limit'
  | 'wall_time_limit'
  | 'memory_limit'
  | 'output_limit'
  | 'import_forbidden'
  | 'image_invalid'
  | 'input_invalid'
  // The donor's doing: another donor may succeed.
  | 'image_unavailable'
  | 'input_unavailable'
  | 'checkpoint_invalid'
  | 'sandbox_unavailable'
  | 'runtime_crashed'
  | 'revoked';

export interface Failure {
  readonly code: FailureCode;
  readonly detail: string;
  readonly stderrTail: string;
}

/** Why a body was refused; the closed list, told to clients. */
export type RefusalCode =
  | 'malformed'
  | 'version_unsupported'
  | 'not_welcomed'
  | 'wrong_slot'
  | 'algorithm_unknown'
  | 'type_unknown'
  | 'never_feasible'
  | 'zone_not_served'
  | 'constraint_invalid'
  | 'payer_not_allowed'
  | 'fleet_unknown'
  | 'over_budget'
  | 'deadline_invalid'
  | 'input_too_large'
  | 'input_unavailable'
  | 'digest_mismatch'
  | 'request_id_reused'
  | 'task_unknown'
  | 'lease_void'
  | 'too_many_tasks'
  | 'rate_limited'
  | 'connector_unknown'
  | 'connector_taken'
  | 'not_plugged'
  | 'code_wrong'
  | 'bound_elsewhere'
  | 'storage_unavailable'
  | 'storage_full'
  | 'not_supported'
  | 'shutting_down';

export interface Reason {
  readonly code: RefusalCode;
  readonly detail: string;
  /** What to do about it. */
  readonly hint: string;
}

export type RevokeReason =
  | 'unplugged'
  | 'session_not_lending'
  | 'session_unverified'
  | 'capacity_fell'
  | 'cancelled'
  | 'deadline_passed'
  | 'policy_paused'
  | 'preempted'
  | 'draining'
  | 'ready_by'
  | 'station_power'
  | 'lease_expired'
  | 'superseded'
  | 'shutting_down';
