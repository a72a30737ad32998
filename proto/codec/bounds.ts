/** How large each field may be: one entry for every field that has a size, checked by the compiler to be complete. */
import type { FieldTable } from './wire.ts';
import type { RefusalCode } from '../domain.ts';
import {
  ALLOWED_ALGORITHMS_MAX,
  ARG_BYTES_MAX,
  ARGS_MAX,
  BLOB_BYTES_MAX,
  BODIES_PER_FRAME_MAX,
  CACHED_IMAGES_MAX,
  CHUNK_BYTES_MAX,
  CLOCK_MHZ_MAX,
  CONSTRAINT_BYTES_MAX,
  CORES_MAX,
  CPU_MILLICORES_MAX,
  CPU_TIME_MS_MAX,
  DEPLOYED_IMAGES_MAX,
  DIGEST_BYTES,
  DURATION_MS_MAX,
  EARNINGS_SUMS_MAX,
  ENERGY_MWH_MAX,
  GPUS_MAX,
  HELD_LEASES_MAX,
  INLINE_BYTES_MAX,
  INSTANCES_MAX,
  LATITUDE_E7_MAX,
  LONGITUDE_E7_MAX,
  MEMORY_MIB_MAX,
  OBSTACLES_MAX,
  PERMILLE_MAX,
  POWER_MW_MAX,
  QUORUM_MAX,
  REASONS_MAX,
  SEED_BYTES,
  SPEED_MILLIS_MAX,
  STATUS_TASKS_MAX,
  STDERR_TAIL_BYTES_MAX,
  TEXT_BYTES_MAX,
  TRUSTED_MAKES_MAX,
  WOULD_RUN_MAX,
} from '../limits.ts';

export interface NumberBound {
  readonly min: number;
  readonly max: number;
  readonly code: RefusalCode;
}

export interface SignedBound {
  /** Either way from 0. */
  readonly magnitudeMax: number;
  readonly code: RefusalCode;
}

export interface BytesBound {
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly code: RefusalCode;
}

export interface CountBound {
  readonly countMax: number;
}

type BoundOf<Field> =
  | (Field extends { readonly type: 'uint32' | 'uint64' } ? NumberBound : never)
  | (Field extends { readonly type: 'sint32' } ? SignedBound : never)
  | (Field extends { readonly type: 'string' | 'bytes' } ? BytesBound : never);

/** What has a size: a repeated field its count, a number its value, a string and bytes their length. */
type BoundsOf<Message> = {
  readonly [
    Name in keyof Message as Message[Name] extends
      { readonly label: 'repeated' } | { readonly type: 'uint32' | 'uint64' | 'sint32' | 'string' | 'bytes' }
      ? Name
      : never
  ]: Message[Name] extends { readonly label: 'repeated' }
    ? CountBound & (BoundOf<Message[Name]> extends never ? unknown : BoundOf<Message[Name]>)
    : BoundOf<Message[Name]>;
};

export type Bounds = { readonly [Message in keyof FieldTable]: BoundsOf<FieldTable[Message]> };

const upTo = (max: number, code: RefusalCode = 'malformed'): NumberBound => ({ min: 0, max, code });
const within = (magnitudeMax: number): SignedBound => ({ magnitudeMax, code: 'malformed' });
const positive = (max: number): NumberBound => ({ min: 1, max, code: 'malformed' });
const bytesUpTo = (bytesMax: number, code: RefusalCode = 'malformed'): BytesBound => ({
  bytesMin: 0,
  bytesMax,
  code,
});
const bytesOf = (count: number): BytesBound => ({ bytesMin: count, bytesMax: count, code: 'malformed' });
const atMost = (countMax: number): CountBound => ({ countMax });

const UINT32_MAX = 0xff_ff_ff_ff;
const safe = upTo(Number.MAX_SAFE_INTEGER);
const count = upTo(UINT32_MAX);
const text = bytesUpTo(TEXT_BYTES_MAX);
/** Ids, names, codes and versions: their patterns are checked where they become domain types. */
const id = bytesUpTo(64);
const digest = bytesOf(DIGEST_BYTES);
const durationMs = upTo(DURATION_MS_MAX);
const cpuTimeMs = upTo(CPU_TIME_MS_MAX);
/** A lease of no length would have its donor renew without a pause. */
const leaseMs = positive(DURATION_MS_MAX);
const memoryMib = upTo(MEMORY_MIB_MAX);
const millicores = upTo(CPU_MILLICORES_MAX);
const permille = upTo(PERMILLE_MAX);
const blobBytes = upTo(BLOB_BYTES_MAX);
const leases = atMost(HELD_LEASES_MAX);
const constraint = bytesUpTo(CONSTRAINT_BYTES_MAX);
/** Three names and what parts them. */
const connector = bytesUpTo(3 * 48 + 2);
const args = { ...atMost(ARGS_MAX), ...bytesUpTo(ARG_BYTES_MAX) };

export const BOUNDS: Bounds = {
  Frame: { version: count, bodies: atMost(BODIES_PER_FRAME_MAX) },
  Body: { correlation_id: safe },
  GpuDevice: { device_id: text, model: text, share_millis: permille, vram_mib: memoryMib },
  Capacity: { cpu_millicores: millicores, memory_mib: memoryMib, gpus: atMost(GPUS_MAX) },
  GpuDemand: { share_millis: permille, vram_mib: memoryMib, model: text },
  Demand: { cpu_millicores: millicores, memory_mib: memoryMib, threads: upTo(CORES_MAX) },
  BlobRef: { sha256: digest, size_bytes: upTo(BLOB_BYTES_MAX, 'input_too_large') },
  Payload: { inline: bytesUpTo(INLINE_BYTES_MAX, 'input_too_large') },
  LeaseId: { instance_id: id, fencing_token: safe },
  Used: {
    cpu_ms: cpuTimeMs,
    wall_ms: durationMs,
    memory_peak_mib: memoryMib,
    gpu_ms: cpuTimeMs,
    energy_mwh: upTo(ENERGY_MWH_MAX),
  },
  HardwareProfile: {
    cpu_model: text,
    cores: upTo(CORES_MAX),
    clock_mhz: upTo(CLOCK_MHZ_MAX),
    memory_mib: memoryMib,
    gpus: atMost(GPUS_MAX),
    speed_millis: upTo(SPEED_MILLIS_MAX),
    platform: text,
  },
  Hello: { client_version: id, held: leases, runtimes: atMost(16) },
  CapacityReport: {
    reason: text,
    cached_images: { ...atMost(CACHED_IMAGES_MAX), ...digest },
    allowed_algorithms: { ...atMost(ALLOWED_ALGORITHMS_MAX), ...id },
    soc_permille: permille,
    departure_in_ms: durationMs,
    constraint,
  },
  Point: { latitude_e7: within(LATITUDE_E7_MAX), longitude_e7: within(LONGITUDE_E7_MAX) },
  Place: { zone: id },
  Trust: { makes: { ...atMost(TRUSTED_MAKES_MAX), ...id } },
  'DemandOverride.Gpu': { share_millis: positive(PERMILLE_MAX), vram_mib: memoryMib, model: text },
  DemandOverride: {
    cpu_millicores: positive(CPU_MILLICORES_MAX),
    memory_mib: positive(MEMORY_MIB_MAX),
    threads: positive(CORES_MAX),
    work_mncs: positive(Number.MAX_SAFE_INTEGER),
  },
  Wants: {
    latency_ms: durationMs,
    instances: positive(INSTANCES_MAX),
    budget_mncs: positive(Number.MAX_SAFE_INTEGER),
    payer: id,
    constraint,
    quorum: { min: 1, max: QUORUM_MAX, code: 'malformed' },
  },
  TaskRequest: {
    request_id: id,
    algorithm_id: id,
    algorithm_type: id,
    algorithm_version: id,
    args,
    deadline_ms: upTo(DURATION_MS_MAX, 'deadline_invalid'),
  },
  Cancel: { task_id: id, request_id: id },
  Decline: { reason: text },
  Renewal: { held: leases },
  'Renewal.Held': { progress_permille: permille, cpu_ms: cpuTimeMs },
  Checkpoint: {},
  Failure: { code: id, detail: text, stderr_tail: bytesUpTo(STDERR_TAIL_BYTES_MAX) },
  Result: {},
  DeliveryAck: { task_id: id },
  StatusQuery: { task_id: id },
  EarningsQuery: {},
  ConnectorClaim: { connector, code: id },
  PowerReport: { power_mw: upTo(POWER_MW_MAX) },
  Welcome: {
    epoch: safe,
    lease_ms: leaseMs,
    message_bytes_max: positive(UINT32_MAX),
    inline_bytes_max: count,
    blob_bytes_max: safe,
    chunk_bytes_max: positive(UINT32_MAX),
    keep: leases,
    drop: leases,
    station_id: text,
  },
  Accepted: { request_id: id, task_id: id, deadline_ms: durationMs },
  Reason: { code: id, detail: text, hint: text },
  Refused: { request_id: id, reasons: atMost(REASONS_MAX), retry_after_ms: durationMs },
  RunLimits: {
    cpu_ms: cpuTimeMs,
    wall_ms: durationMs,
    memory_mib: memoryMib,
    output_bytes: blobBytes,
    inline_bytes: upTo(INLINE_BYTES_MAX),
  },
  Offer: {
    lease_ms: leaseMs,
    task_id: id,
    attempt: count,
    algorithm_id: id,
    algorithm_version: id,
    args,
    seed: bytesOf(SEED_BYTES),
    checkpoint_every_ms: durationMs,
  },
  'Offer.Part': { index: upTo(INSTANCES_MAX - 1), count: positive(INSTANCES_MAX) },
  DeployedImage: { algorithm_id: id, version: id },
  Deploy: { images: atMost(DEPLOYED_IMAGES_MAX) },
  Revoke: { reason: id, grace_ms: durationMs },
  Renewed: { held: leases, lease_ms: leaseMs, keep_state: leases },
  ResultAck: { reason: text },
  CheckpointAck: { reason: text },
  EarningsReport: { balances: atMost(EARNINGS_SUMS_MAX), energy_costs: atMost(EARNINGS_SUMS_MAX) },
  'EarningsReport.Sum': { unit: id, credited: safe, debited: safe },
  'EarningsReport.Terms': {
    tariff: text,
    currency: id,
    cpu_hour_micros: safe,
    gpu_hour_micros: safe,
    energy_kwh_micros: safe,
    cpu_hour_mwh: safe,
    overstay_after_ms: durationMs,
  },
  ConnectorBound: { connector_id: connector, assurance: id },
  WatchPower: { every_ms: durationMs, for_ms: durationMs },
  Delivery: {
    request_id: id,
    task_id: id,
    attempts: count,
    donor: text,
    charged_mncs: safe,
    algorithm_id: id,
    algorithm_version: id,
    outputs: atMost(INSTANCES_MAX),
    agreeing: count,
  },
  TaskUpdate: { task_id: id, attempt: count, progress_permille: permille, donor: text, reason: text },
  'WaitExplanation.Obstacle': { test: id, donors: count },
  WaitExplanation: {
    summary: text,
    place: count,
    start_in_ms: durationMs,
    would_run: { ...atMost(WOULD_RUN_MAX), ...text },
    obstacles: atMost(OBSTACLES_MAX),
  },
  StatusReport: { tasks: atMost(STATUS_TASKS_MAX) },
  'StatusReport.Task': {
    task_id: id,
    request_id: id,
    algorithm_id: id,
    attempts: count,
    progress_permille: permille,
    reason: text,
  },
  BlobPull: { sha256: digest, offset: blobBytes, length: positive(BLOB_BYTES_MAX) },
  BlobChunk: { sha256: digest, offset: blobBytes, data: bytesUpTo(CHUNK_BYTES_MAX), size_bytes: blobBytes },
  BlobRefused: { sha256: digest, code: id, detail: text },
};
