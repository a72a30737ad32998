/** Arbitrary bodies of every kind, within the bounds of the protocol, for the codec's property tests. */
import fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type {
  AlgorithmId,
  BlobRef,
  Capacity,
  Demand,
  Digest,
  DownBody,
  Envelope,
  Epoch,
  FailureCode,
  FencingToken,
  InstanceId,
  LeaseId,
  Payload,
  Reason,
  RequestId,
  RevokeReason,
  RunLimits,
  RuntimeKind,
  TaskId,
  TaskState,
  UpBody,
  Used,
  Wants,
} from '@plugpool/proto';
import {
  BLOB_BYTES_MAX,
  CHUNK_BYTES_MAX,
  CONNECTOR_PATTERN,
  CPU_MILLICORES_MAX,
  DURATION_MS_MAX,
  EARNINGS_SUMS_MAX,
  ENERGY_MWH_MAX,
  INLINE_BYTES_MAX,
  INSTANCES_MAX,
  LATITUDE_E7_MAX,
  LONGITUDE_E7_MAX,
  MEMORY_MIB_MAX,
  OBSTACLES_MAX,
  PLUG_CODE_PATTERN,
  POWER_MW_MAX,
  QUORUM_MAX,
  TRUSTED_MAKES_MAX,
  WOULD_RUN_MAX,
} from '@plugpool/proto';

const idText = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const taskId = idText as Arbitrary<TaskId>;
const requestId = idText as Arbitrary<RequestId>;
const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,63}$/);
const algorithmId = name as Arbitrary<AlgorithmId>;
const version = fc.stringMatching(/^[0-9A-Za-z][0-9A-Za-z.+_-]{0,31}$/);
const code = fc.stringMatching(/^[a-z][a-z0-9_]{0,63}$/);
/** Well formed, as text on the wire is, and at most 4 bytes a character. */
const text = fc.string({ unit: 'binary', maxLength: 256 });
const safe = fc.maxSafeNat();
const uint32 = fc.nat({ max: 0xff_ff_ff_ff });
const permille = fc.nat({ max: 1000 });
const connector = fc.stringMatching(CONNECTOR_PATTERN);
const plugCode = fc.stringMatching(PLUG_CODE_PATTERN);
const durationMs = fc.nat({ max: DURATION_MS_MAX });
const leaseMs = fc.integer({ min: 1, max: DURATION_MS_MAX });
const memoryMib = fc.nat({ max: MEMORY_MIB_MAX });
const cpuMillicores = fc.nat({ max: CPU_MILLICORES_MAX });
const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex') as Digest);
const bytes = fc.uint8Array({ maxLength: 300 });

const lease: Arbitrary<LeaseId> = fc.record({
  instanceId: idText as Arbitrary<InstanceId>,
  fencingToken: safe as Arbitrary<FencingToken>,
});
const leases = fc.array(lease, { maxLength: 5 });
const blob: Arbitrary<BlobRef> = fc.record({ digest, sizeBytes: fc.nat({ max: BLOB_BYTES_MAX }) });
const payload: Arbitrary<Payload> = fc.oneof(
  fc.record({ where: fc.constant('inline' as const), bytes }),
  fc.record({ where: fc.constant('blob' as const), blob }),
);
const gpus = fc.array(
  fc.record({
    deviceId: fc.string({ minLength: 1, maxLength: 40 }),
    model: text,
    shareMillis: permille,
    vramMib: memoryMib,
  }),
  { maxLength: 3 },
);
const capacity: Arbitrary<Capacity> = fc.record({ cpuMillicores, memoryMib, gpus });
/** An optional field is absent, never `undefined`; fast-check's `requiredKeys` does just that. */
const demand: Arbitrary<Demand> = fc.record(
  {
    cpuMillicores,
    memoryMib,
    threads: fc.nat({ max: 1024 }),
    gpu: fc.record(
      { shareMillis: permille, vramMib: memoryMib, model: fc.string({ minLength: 1, maxLength: 40 }) },
      { requiredKeys: ['shareMillis', 'vramMib'] },
    ),
  },
  { requiredKeys: ['cpuMillicores', 'memoryMib', 'threads'] },
);
const used: Arbitrary<Used> = fc.record(
  {
    cpuMs: durationMs,
    wallMs: durationMs,
    memoryPeakMib: memoryMib,
    gpuMs: durationMs,
    energyMwh: fc.nat({ max: ENERGY_MWH_MAX }),
  },
  { requiredKeys: ['cpuMs', 'wallMs', 'memoryPeakMib', 'gpuMs'] },
);
const limits: Arbitrary<RunLimits> = fc.record(
  {
    cpuMs: durationMs,
    wallMs: durationMs,
    memoryMib,
    outputBytes: fc.nat({ max: BLOB_BYTES_MAX }),
    inlineBytes: fc.nat({ max: INLINE_BYTES_MAX }),
  },
  { requiredKeys: ['cpuMs', 'wallMs', 'memoryMib', 'outputBytes'] },
);
const args = fc.array(
  fc.string({ maxLength: 40 }).filter((arg) => !arg.includes('\0')),
  { maxLength: 5 },
);
const runtime: Arbitrary<RuntimeKind> = fc.constantFrom('wasm', 'onnx', 'echo');
const taskState: Arbitrary<TaskState> = fc.constantFrom(
  'queued',
  'running',
  'completed',
  'failed',
  'expired',
  'cancelled',
  'dead',
);
const failureCode: Arbitrary<FailureCode> = fc.constantFrom(
  'exit_nonzero',
  'trap',
  'memory_limit',
  'revoked',
);
const revokeReason: Arbitrary<RevokeReason> = fc.constantFrom('unplugged', 'preempted', 'shutting_down');
const reason: Arbitrary<Reason> = fc.record({
  code: fc.constantFrom('malformed', 'zone_not_served', 'constraint_invalid', 'over_budget', 'storage_full'),
  detail: text,
  hint: text,
});

const label = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/);
const constraint = fc.string({ unit: 'binary', minLength: 1, maxLength: 512 });
const positive = (max: number): Arbitrary<number> => fc.integer({ min: 1, max });
const none = { requiredKeys: [] as [] };
const stated = (value: object): boolean => Object.keys(value).length > 0;
/** Nothing stated is the same as absent, so what comes out of the codec states something. */
const wants: Arbitrary<Wants> = fc
  .record(
    {
      place: fc.oneof(
        fc.record({ by: fc.constant('zone' as const), zone: label }),
        fc.record({
          by: fc.constant('point' as const),
          latitudeE7: fc.integer({ min: -LATITUDE_E7_MAX, max: LATITUDE_E7_MAX }),
          longitudeE7: fc.integer({ min: -LONGITUDE_E7_MAX, max: LONGITUDE_E7_MAX }),
        }),
      ),
      latencyMs: positive(DURATION_MS_MAX),
      instances: positive(INSTANCES_MAX),
      allAtOnce: fc.constant(true),
      demand: fc
        .record(
          {
            cpuMillicores: positive(CPU_MILLICORES_MAX),
            memoryMib: positive(MEMORY_MIB_MAX),
            threads: positive(1024),
            gpu: fc.record(
              {
                shareMillis: positive(1000),
                vramMib: memoryMib,
                model: fc.string({ minLength: 1, maxLength: 40 }),
              },
              none,
            ),
            workMncs: positive(Number.MAX_SAFE_INTEGER),
          },
          none,
        )
        .filter(stated),
      budgetMncs: positive(Number.MAX_SAFE_INTEGER),
      payer: label,
      trust: fc.oneof(
        fc.record({ whom: fc.constant('fleet' as const) }),
        fc.record({
          whom: fc.constant('makes' as const),
          makes: fc.array(label, { minLength: 1, maxLength: TRUSTED_MAKES_MAX }),
        }),
      ),
      constraint,
      quorum: positive(QUORUM_MAX),
    },
    none,
  )
  .filter(stated);

const blobPull = fc
  .tuple(fc.nat({ max: BLOB_BYTES_MAX - 1 }), fc.integer({ min: 1, max: CHUNK_BYTES_MAX }), digest)
  .map(([offset, length, of]) => ({
    kind: 'blobPull' as const,
    digest: of,
    offset,
    length: Math.min(length, BLOB_BYTES_MAX - offset),
  }));
const blobChunk = fc
  .tuple(bytes, fc.nat({ max: 1_000_000 }), fc.nat({ max: 1_000_000 }), digest)
  .map(([data, offset, rest, of]) => ({
    kind: 'blobChunk' as const,
    digest: of,
    offset,
    data,
    sizeBytes: offset + data.length + rest,
  }));
const blobRefused = fc.record({ kind: fc.constant('blobRefused' as const), digest, code, detail: text });
const blobBody = fc.oneof(blobPull, blobChunk, blobRefused);

const hello = fc.record(
  {
    kind: fc.constant('hello' as const),
    clientVersion: version,
    hardware: fc.record({
      cpuModel: text,
      cores: fc.nat({ max: 1024 }),
      clockMhz: fc.nat({ max: 100_000 }),
      memoryMib,
      gpus,
      speedMillis: fc.nat({ max: 1_000_000 }),
      platform: text,
    }),
    held: leases,
    runtimes: fc.array(runtime, { maxLength: 3 }),
  },
  { requiredKeys: ['kind', 'clientVersion', 'held', 'runtimes'] },
);

const capacityReport = fc.record(
  {
    kind: fc.constant('capacity' as const),
    lendable: capacity,
    lending: fc.boolean(),
    reason: text,
    cachedImages: fc.array(digest, { maxLength: 4 }),
    allowedAlgorithms: fc.array(name, { maxLength: 4 }),
    socPermille: permille,
    departureInMs: durationMs,
    chargingOnly: fc.boolean(),
    constraint,
  },
  {
    requiredKeys: [
      'kind',
      'lendable',
      'lending',
      'reason',
      'cachedImages',
      'allowedAlgorithms',
      'chargingOnly',
    ],
  },
);

const selector = fc.oneof(
  fc.record({ by: fc.constant('type' as const), type: name }),
  fc.record(
    { by: fc.constant('algorithm' as const), algorithmId, version },
    { requiredKeys: ['by', 'algorithmId'] },
  ),
);

const taskRequest = fc.record(
  {
    kind: fc.constant('request' as const),
    requestId,
    selector,
    args,
    input: payload,
    deadlineMs: fc.integer({ min: 1, max: DURATION_MS_MAX }),
    wants,
  },
  { requiredKeys: ['kind', 'requestId', 'selector', 'args', 'input'] },
);

const outcome = fc.oneof(
  fc.record({ ok: fc.constant(true as const), output: payload }),
  fc.record({
    ok: fc.constant(false as const),
    failure: fc.record({ code: failureCode, detail: text, stderrTail: text }),
  }),
);

export const upBody: Arbitrary<UpBody> = fc.oneof(
  hello,
  capacityReport,
  taskRequest,
  fc.record({
    kind: fc.constant('cancel' as const),
    which: fc.oneof(
      fc.record({ by: fc.constant('task' as const), taskId }),
      fc.record({ by: fc.constant('request' as const), requestId }),
    ),
  }),
  fc.record({ kind: fc.constant('decline' as const), lease, reason: text }),
  fc.record({
    kind: fc.constant('renewal' as const),
    held: fc.array(
      fc.record(
        { lease, progressPermille: permille, cpuMs: durationMs, suspended: fc.constant(true as const) },
        { requiredKeys: ['lease', 'progressPermille', 'cpuMs'] },
      ),
      { maxLength: 4 },
    ),
  }),
  fc.record({ kind: fc.constant('checkpoint' as const), lease, state: blob, used }),
  fc.record({ kind: fc.constant('result' as const), lease, used, outcome }),
  fc.record({ kind: fc.constant('deliveryAck' as const), taskId }),
  fc.record({ kind: fc.constant('statusQuery' as const), deliver: fc.boolean() }),
  fc.record({ kind: fc.constant('earningsQuery' as const) }),
  fc.record(
    { kind: fc.constant('connectorClaim' as const), connector, code: plugCode },
    { requiredKeys: ['kind', 'connector'] },
  ),
  fc.record({ kind: fc.constant('connectorClaim' as const), code: plugCode }),
  fc.record({ kind: fc.constant('powerReport' as const), powerMw: fc.nat({ max: POWER_MW_MAX }) }),
  fc.record(
    {
      kind: fc.constant('statusQuery' as const),
      taskId,
      deliver: fc.boolean(),
      explain: fc.constant(true),
    },
    { requiredKeys: ['kind', 'taskId', 'deliver'] },
  ),
  blobBody,
);

const welcome = fc.record({
  kind: fc.constant('welcome' as const),
  epoch: safe as Arbitrary<Epoch>,
  leaseMs,
  messageBytesMax: fc.integer({ min: 1, max: 0xff_ff_ff_ff }),
  inlineBytesMax: uint32,
  blobBytesMax: safe,
  chunkBytesMax: fc.integer({ min: 1, max: 0xff_ff_ff_ff }),
  keep: leases,
  drop: leases,
  checkpoints: fc.boolean(),
  stationId: text,
});

const offer = fc.record(
  {
    kind: fc.constant('offer' as const),
    lease,
    leaseMs,
    taskId,
    attempt: uint32,
    algorithmId,
    algorithmVersion: version,
    runtime,
    image: blob,
    args,
    input: payload,
    demand,
    limits,
    seed: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    checkpoint: blob,
    part: positive(INSTANCES_MAX).chain((count) =>
      fc.record({ index: fc.nat({ max: count - 1 }), count: fc.constant(count) }),
    ),
    checkpointEveryMs: positive(DURATION_MS_MAX),
  },
  {
    requiredKeys: [
      'kind',
      'lease',
      'leaseMs',
      'taskId',
      'attempt',
      'algorithmId',
      'algorithmVersion',
      'runtime',
      'image',
      'args',
      'input',
      'demand',
      'limits',
      'seed',
    ],
  },
);

const deploy = fc.record({
  kind: fc.constant('deploy' as const),
  images: fc.array(fc.record({ algorithmId, version, runtime, image: blob }), { maxLength: 4 }),
});

const explanation = fc.record(
  {
    summary: text,
    place: uint32,
    startInMs: durationMs,
    wouldRun: fc.array(text, { maxLength: WOULD_RUN_MAX }),
    obstacles: fc.array(fc.record({ test: code, donors: uint32 }), { maxLength: OBSTACLES_MAX }),
  },
  { requiredKeys: ['summary', 'place', 'wouldRun', 'obstacles'] },
);

const sums = fc.array(fc.record({ unit: code, credited: safe, debited: safe }), {
  maxLength: EARNINGS_SUMS_MAX,
});
const earningsReport = fc.record(
  {
    kind: fc.constant('earningsReport' as const),
    balances: sums,
    energyCosts: sums,
    terms: fc.record(
      {
        tariff: text,
        currency: code,
        cpuHourMicros: safe,
        gpuHourMicros: safe,
        energyKwhMicros: safe,
        cpuHourMwh: safe,
        overstayAfterMs: durationMs,
      },
      {
        requiredKeys: [
          'tariff',
          'currency',
          'cpuHourMicros',
          'gpuHourMicros',
          'energyKwhMicros',
          'cpuHourMwh',
        ],
      },
    ),
  },
  { requiredKeys: ['kind', 'balances', 'energyCosts'] },
);

const deliveryBase = {
  kind: fc.constant('delivery' as const),
  requestId,
  taskId,
  state: taskState,
  attempts: uint32,
  donor: text,
  used,
  chargedMncs: safe,
  agreeing: uint32,
  algorithmId: fc.oneof(name, fc.constant('')),
  algorithmVersion: fc.oneof(version, fc.constant('')),
};
const DELIVERY_REQUIRED = [
  'kind',
  'requestId',
  'taskId',
  'state',
  'attempts',
  'donor',
  'chargedMncs',
  'agreeing',
  'algorithmId',
  'algorithmVersion',
] as const;

export const downBody: Arbitrary<DownBody> = fc.oneof(
  welcome,
  fc.record({ kind: fc.constant('accepted' as const), requestId, taskId, deadlineMs: durationMs }),
  fc.record(
    {
      kind: fc.constant('refused' as const),
      requestId,
      reasons: fc.array(reason, { maxLength: 4 }),
      retryable: fc.boolean(),
      retryAfterMs: fc.integer({ min: 1, max: 86_400_000 }),
    },
    { requiredKeys: ['kind', 'reasons', 'retryable'] },
  ),
  offer,
  deploy,
  fc.record({ kind: fc.constant('revoke' as const), lease, reason: revokeReason, graceMs: durationMs }),
  fc.record(
    {
      kind: fc.constant('renewed' as const),
      held: leases,
      leaseMs,
      keepState: fc.array(lease, { minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: ['kind', 'held', 'leaseMs'] },
  ),
  fc.record({ kind: fc.constant('resultAck' as const), lease, accepted: fc.boolean(), reason: text }),
  fc.record({ kind: fc.constant('checkpointAck' as const), lease, accepted: fc.boolean(), reason: text }),
  earningsReport,
  fc.record({ kind: fc.constant('connectorBound' as const), connectorId: connector, assurance: code }),
  fc.record({ kind: fc.constant('watchPower' as const), everyMs: durationMs, forMs: durationMs }),
  fc.record(
    {
      ...deliveryBase,
      output: payload,
      outputs: fc.array(payload, { minLength: 1, maxLength: INSTANCES_MAX }),
    },
    { requiredKeys: [...DELIVERY_REQUIRED] },
  ),
  fc.record(
    { ...deliveryBase, failure: fc.record({ code, detail: text, stderrTail: text }) },
    { requiredKeys: [...DELIVERY_REQUIRED] },
  ),
  fc.record({
    kind: fc.constant('taskUpdate' as const),
    taskId,
    state: taskState,
    attempt: uint32,
    progressPermille: permille,
    donor: text,
    reason: text,
  }),
  fc.record({
    kind: fc.constant('statusReport' as const),
    tasks: fc.array(
      fc.record(
        {
          taskId,
          requestId,
          algorithmId: fc.oneof(name, fc.constant('')),
          state: taskState,
          attempts: uint32,
          progressPermille: permille,
          delivered: fc.boolean(),
          reason: text,
          explanation,
        },
        {
          requiredKeys: [
            'taskId',
            'requestId',
            'algorithmId',
            'state',
            'attempts',
            'progressPermille',
            'delivered',
            'reason',
          ],
        },
      ),
      { maxLength: 3 },
    ),
    truncated: fc.boolean(),
  }),
  blobBody,
);

export function envelopes<Body>(
  body: Arbitrary<Body>,
  size: fc.ArrayConstraints = { minLength: 1, maxLength: 4 },
): Arbitrary<Envelope<Body>[]> {
  // fast-check's records have no prototype and would differ from what is decoded by that alone.
  return fc.array(fc.record({ correlationId: safe, body }), size).map((all) => structuredClone(all));
}
