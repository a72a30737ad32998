/**
 * What a constraint can speak of: the facts of a donor, which a requester's constraint reads, and of a request, which an
 * owner's reads. Their names are a contract (docs/constraints.md); a fact that is not known is missing, never a guess.
 */
import type { Demand } from '@plugpool/proto';
import { sessionOf } from './donor.ts';
import { kindOf } from './known-vehicles.ts';
import type { AlgorithmRecord, TaskRecord } from './records.ts';
import type { Donor, State } from './state.ts';

export type Side = 'donor' | 'request';
export type FactType = 'string' | 'int' | 'double' | 'list<string>';

/** CEL's integers are 64 bits wide, so they travel as bigint; its doubles are numbers. */
type FactValue<T extends FactType> = T extends 'string'
  ? string
  : T extends 'int'
    ? bigint
    : T extends 'double'
      ? number
      : readonly string[];

type Values<Fields extends Readonly<Record<string, FactType>>> = {
  readonly [Name in keyof Fields]: FactValue<Fields[Name]>;
};

export const DONOR_FIELDS = {
  make: 'string',
  fleet: 'string',
  cores: 'int',
  cpuMillicores: 'int',
  memoryMib: 'int',
  speed: 'double',
  cpuModel: 'string',
  platform: 'string',
  runtimes: 'list<string>',
  gpus: 'int',
  gpuModels: 'list<string>',
  vramMib: 'int',
  socPermille: 'int',
  state: 'string',
  connector: 'string',
} as const satisfies Readonly<Record<string, FactType>>;

export const REQUEST_FIELDS = {
  type: 'string',
  algorithm: 'string',
  version: 'string',
  requester: 'string',
  fleet: 'string',
  payer: 'string',
  latencyMs: 'int',
  instances: 'int',
  cpuMillicores: 'int',
  memoryMib: 'int',
  gpuMillis: 'int',
  vramMib: 'int',
  runS: 'int',
  deadlineS: 'int',
  class: 'string',
  priority: 'int',
} as const satisfies Readonly<Record<string, FactType>>;

export const FIELDS: Readonly<Record<Side, Readonly<Record<string, FactType>>>> = {
  donor: DONOR_FIELDS,
  request: REQUEST_FIELDS,
};

/** Those that can be missing; every other fact is always there. */
export const OPTIONAL_FIELDS = {
  donor: ['socPermille'],
  request: ['latencyMs'],
} as const satisfies Readonly<Record<Side, readonly string[]>>;

type DonorValues = Omit<Values<typeof DONOR_FIELDS>, 'socPermille'> & { readonly socPermille?: bigint };
type RequestValues = Omit<Values<typeof REQUEST_FIELDS>, 'latencyMs'> & { readonly latencyMs?: bigint };

/** A class, since the evaluator knows the type of a value by its constructor. */
export class DonorFacts {
  readonly over = 'donor';
  constructor(values: DonorValues) {
    Object.assign(this, values);
  }
}

export class RequestFacts {
  readonly over = 'request';
  constructor(values: RequestValues) {
    Object.assign(this, values);
  }
}

export type Facts = DonorFacts | RequestFacts;

/** Holds until the donor says hello or reports again, or its session changes. */
export function donorFacts(state: State, donor: Donor): DonorFacts {
  const { hardware, lendable, report } = donor;
  const session = sessionOf(state, donor.vehicleId);
  const { make, fleet } = kindOf(state.settings.vehicles, donor.vehicleId);
  return new DonorFacts({
    make,
    fleet,
    cores: whole(hardware?.cores ?? 0),
    cpuMillicores: whole(lendable.cpuMillicores),
    memoryMib: whole(lendable.memoryMib),
    speed: (hardware?.speedMillis ?? 1000) / 1000,
    cpuModel: hardware?.cpuModel ?? '',
    platform: hardware?.platform ?? '',
    runtimes: donor.runtimes,
    gpus: whole(lendable.gpus.length),
    gpuModels: lendable.gpus.map((gpu) => gpu.model),
    vramMib: whole(Math.max(0, ...lendable.gpus.map((gpu) => gpu.vramMib))),
    ...(report?.socPermille === undefined ? {} : { socPermille: whole(report.socPermille) }),
    state: session?.state ?? 'unknown',
    connector: state.connectorOf.get(donor.vehicleId) ?? '',
  });
}

/** A request as one of the programs that it may mean would run it. */
export interface RequestToJudge {
  readonly record: TaskRecord;
  readonly algorithm: AlgorithmRecord;
  /** What one instance takes, with what the request overrides. */
  readonly demand: Demand;
  /** How long one instance runs on a reference core. */
  readonly runMs: number;
  readonly class: string;
  readonly priority: number;
}

/** Never changes while the request waits: equal requests share their verdicts. */
export function requestFacts(state: State, request: RequestToJudge): RequestFacts {
  const { record, algorithm, demand } = request;
  const { latencyMs, instances, payer } = record.wants ?? {};
  return new RequestFacts({
    type: algorithm.type,
    algorithm: algorithm.id,
    version: algorithm.version,
    requester: record.vehicleId,
    fleet: kindOf(state.settings.vehicles, record.vehicleId).fleet,
    payer: payer ?? record.vehicleId,
    ...(latencyMs === undefined ? {} : { latencyMs: whole(latencyMs) }),
    instances: whole(instances ?? 1),
    cpuMillicores: whole(demand.cpuMillicores),
    memoryMib: whole(demand.memoryMib),
    gpuMillis: whole(demand.gpu?.shareMillis ?? 0),
    vramMib: whole(demand.gpu?.vramMib ?? 0),
    runS: whole(request.runMs / 1000),
    deadlineS: whole((record.deadlineWallMs - record.acceptedWallMs) / 1000),
    class: request.class,
    priority: whole(request.priority),
  });
}

/** Rounded up: a run of half a second is not one of none. */
function whole(value: number): bigint {
  return BigInt(Number.isFinite(value) ? Math.ceil(value) : Number.MAX_SAFE_INTEGER);
}
