/** Arbitrary bodies of every kind that a pile says, within the bounds of the protocol. */
import fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type { Demand, DownBody, Epoch, Reason, RevokeReason, RunLimits, TaskState } from '@plugpool/proto';
import {
  BLOB_BYTES_MAX,
  DURATION_MS_MAX,
  EARNINGS_SUMS_MAX,
  INLINE_BYTES_MAX,
  INSTANCES_MAX,
  OBSTACLES_MAX,
  WOULD_RUN_MAX,
} from '@plugpool/proto';
import {
  algorithmId,
  args,
  blob,
  blobBody,
  code,
  connector,
  cpuMillicores,
  durationMs,
  lease,
  leases,
  memoryMib,
  name,
  payload,
  permille,
  positive,
  requestId,
  runtime,
  safe,
  taskId,
  text,
  used,
  version,
} from './codec-values.ts';

const uint32 = fc.nat({ max: 0xff_ff_ff_ff });
const leaseMs = fc.integer({ min: 1, max: DURATION_MS_MAX });

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

const taskState: Arbitrary<TaskState> = fc.constantFrom(
  'queued',
  'running',
  'completed',
  'failed',
  'expired',
  'cancelled',
  'dead',
);

const revokeReason: Arbitrary<RevokeReason> = fc.constantFrom('unplugged', 'preempted', 'shutting_down');

const reason: Arbitrary<Reason> = fc.record({
  code: fc.constantFrom('malformed', 'zone_not_served', 'constraint_invalid', 'over_budget', 'storage_full'),
  detail: text,
  hint: text,
});

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
