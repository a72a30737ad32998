/** The facts that constraints read, of a donor as it is and of a request as it was accepted. */
import type { Demand } from '@plugpool/proto';
import { DonorFacts, RequestFacts } from './constraint-facts.ts';
import { sessionOf } from '../donors/donor.ts';
import { kindOf } from '../donors/known-vehicles.ts';
import type { AlgorithmRecord, TaskRecord } from '../records.ts';
import type { Donor, State } from '../state.ts';

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

/** Who asks for what, as far as an owner may judge it. */
export type Judged = Pick<TaskRecord, 'vehicleId' | 'wants' | 'acceptedWallMs' | 'deadlineWallMs'>;

/** A request as one of the programs that it may mean would run it. */
export interface RequestToJudge {
  readonly record: Judged;
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
