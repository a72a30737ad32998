/** Random records of the store, and what they are made of. */
import type {
  AlgorithmId,
  ConnectorId,
  Digest,
  FencingToken,
  Payload,
  VehicleId,
  Wants,
} from '@plugpool/proto';
import fc from 'fast-check';
import type {
  AlgorithmRecord,
  CheckpointRecord,
  LeaseRecord,
  PartResultRecord,
  ReplicaRunRecord,
  StayRecord,
  TaskEndRecord,
  Unit,
} from '../agent/core/records.ts';

/** As every record is: an object with a prototype. */
export const record = ((model: Record<string, fc.Arbitrary<unknown>>, constraints?: object) =>
  fc.record(model, { ...constraints, noNullPrototype: true })) as typeof fc.record;

export const branded = <Brand>(arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<Brand> =>
  arbitrary as fc.Arbitrary<Brand>;

export const id = <Brand>(): fc.Arbitrary<Brand> =>
  branded<Brand>(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/));
export const digest = branded<Digest>(fc.stringMatching(/^[0-9a-f]{64}$/));

/** Any text that JSON and UTF-8 can carry, so that quotes, zeros and emoji are among it. */
export const text = fc.string({ unit: 'grapheme', maxLength: 20 });

export const count = fc.nat({ max: 1000 });
export const wallMs = fc.integer({ min: 0, max: 4_000_000_000_000 });
const safe = fc.maxSafeNat();
const blob = record({ digest, sizeBytes: fc.nat({ max: 64 * 1024 * 1024 }) });

export const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes): Payload => ({ where: 'inline', bytes })),
  blob.map((found): Payload => ({ where: 'blob', blob: found })),
);

const demand = record(
  {
    cpuMillicores: count,
    memoryMib: count,
    threads: count,
    gpu: record(
      { shareMillis: count, vramMib: count, model: text },
      { requiredKeys: ['shareMillis', 'vramMib'] },
    ),
  },
  { requiredKeys: ['cpuMillicores', 'memoryMib', 'threads'] },
);

export const lease: fc.Arbitrary<LeaseRecord> = record(
  {
    vehicleId: id<VehicleId>(),
    connectorId: branded<ConnectorId>(text),
    algorithmId: id<AlgorithmId>(),
    algorithmVersion: text,
    demand,
    gpuDeviceId: text,
    fencingToken: branded<FencingToken>(safe),
    grantedWallMs: wallMs,
    meterMwh: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  },
  {
    requiredKeys: [
      'vehicleId',
      'connectorId',
      'algorithmId',
      'algorithmVersion',
      'demand',
      'fencingToken',
      'grantedWallMs',
    ],
  },
);

const used = record({ cpuMs: safe, wallMs: safe, memoryPeakMib: count, gpuMs: safe });

export const wants: fc.Arbitrary<Wants> = record(
  {
    place: fc.oneof(
      record({ by: fc.constant('zone' as const), zone: text }),
      record({
        by: fc.constant('point' as const),
        latitudeE7: fc.integer({ min: -900_000_000, max: 900_000_000 }),
        longitudeE7: fc.integer({ min: -1_800_000_000, max: 1_800_000_000 }),
      }),
    ),
    latencyMs: count,
    instances: count,
    allAtOnce: fc.boolean(),
    demand: record({ cpuMillicores: count, gpu: record({ model: text }, { requiredKeys: [] }) }),
    budgetMncs: safe,
    payer: text,
    trust: fc.oneof(
      record({ whom: fc.constant('fleet' as const) }),
      record({ whom: fc.constant('makes' as const), makes: fc.array(text, { maxLength: 3 }) }),
    ),
    constraint: text,
    quorum: count,
  },
  { requiredKeys: [] },
);

const failure = record({ code: fc.constantFrom('trap', 'exit_nonzero'), detail: text, stderrTail: text });
const claim = record({ cpuMncs: safe, gpuMncs: safe, energyMwh: safe });

const replicaRun: fc.Arbitrary<ReplicaRunRecord> = record(
  {
    algorithmId: id<AlgorithmId>(),
    algorithmVersion: text,
    demand,
    fencingToken: branded<FencingToken>(safe),
    claim,
    runMs: safe,
    failure,
  },
  { requiredKeys: ['algorithmId', 'algorithmVersion', 'demand', 'fencingToken', 'claim', 'runMs'] },
);

const partResult: fc.Arbitrary<PartResultRecord> = record(
  { output: payload, donor: id<VehicleId>(), used, chargedMncs: safe, run: replicaRun, agreeing: count },
  { requiredKeys: ['output', 'donor', 'used', 'chargedMncs'] },
);

export const unit = branded<Unit>(fc.constantFrom('cpuMncs', 'gpuMncs', 'mWh', 'EUR', 'EURe-6'));
const checkpoint: fc.Arbitrary<CheckpointRecord> = record({ state: blob, doneMncs: safe });

/** What of an instance comes and goes beside its lease. */
export const kept = record(
  {
    result: partResult,
    checkpoint,
    preempted: fc.constant(true),
    replica: count,
    quorum: count,
    program: text,
    settled: fc.constant(true),
    owed: fc.array(record({ unit, amount: safe }), { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);

export const stay: fc.Arbitrary<StayRecord> = record(
  {
    connectorId: branded<ConnectorId>(text),
    pluggedWallMs: wallMs,
    unpluggedWallMs: wallMs,
    chargingEndedWallMs: wallMs,
    statedDepartureWallMs: wallMs,
  },
  { requiredKeys: ['connectorId', 'pluggedWallMs', 'unpluggedWallMs'] },
);

export const end: fc.Arbitrary<TaskEndRecord> = record(
  {
    state: fc.constantFrom('completed', 'failed', 'expired', 'cancelled', 'dead'),
    endedWallMs: wallMs,
    output: payload,
    outputs: fc.array(payload, { minLength: 1, maxLength: 16 }),
    failure: record({ code: text, detail: text, stderrTail: text }),
    attempts: count,
    donor: id<VehicleId>(),
    used,
    chargedMncs: safe,
    algorithmId: id<AlgorithmId>(),
    algorithmVersion: text,
  },
  { requiredKeys: ['state', 'endedWallMs', 'attempts', 'chargedMncs'] },
);

export const algorithm: fc.Arbitrary<AlgorithmRecord> = record(
  {
    id: branded<AlgorithmId>(fc.constantFrom('a', 'b', 'c')),
    version: fc.constantFrom('1', '2'),
    type: text,
    runtime: fc.constantFrom('wasm', 'onnx', 'echo'),
    image: blob,
    demands: fc.array(demand, { minLength: 1, maxLength: 3 }),
    workCoreS: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
    state: fc.constantFrom('active', 'retired'),
    addedWallMs: wallMs,
    checkpoints: fc.constant(true),
    compare: fc.oneof(
      record({ by: fc.constant('bytes' as const) }),
      record({
        by: fc.constant('numbers' as const),
        format: fc.constantFrom('float32', 'float64', 'json'),
        tolerance: fc.constantFrom(0, 1e-5, 0.5),
      }),
    ),
  },
  {
    requiredKeys: [
      'id',
      'version',
      'type',
      'runtime',
      'image',
      'demands',
      'workCoreS',
      'state',
      'addedWallMs',
    ],
  },
);
