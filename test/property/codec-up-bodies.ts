/** Arbitrary bodies of every kind that a vehicle says, within the bounds of the protocol. */
import fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type { Capacity, FailureCode, UpBody, Wants } from '@plugpool/proto';
import {
  CPU_MILLICORES_MAX,
  DURATION_MS_MAX,
  INSTANCES_MAX,
  LATITUDE_E7_MAX,
  LONGITUDE_E7_MAX,
  MEMORY_MIB_MAX,
  PLUG_CODE_PATTERN,
  POWER_MW_MAX,
  QUORUM_MAX,
  TRUSTED_MAKES_MAX,
} from '@plugpool/proto';
import {
  algorithmId,
  args,
  blob,
  blobBody,
  connector,
  cpuMillicores,
  digest,
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
  taskId,
  text,
  used,
  version,
} from './codec-values.ts';

const plugCode = fc.stringMatching(PLUG_CODE_PATTERN);

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

const failureCode: Arbitrary<FailureCode> = fc.constantFrom(
  'exit_nonzero',
  'trap',
  'memory_limit',
  'revoked',
);

const label = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/);
const constraint = fc.string({ unit: 'binary', minLength: 1, maxLength: 512 });
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
