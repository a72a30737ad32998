/** A donor's status, as JSON and as a person reads it. */
import type { Capacity, HardwareProfile } from '@plugpool/proto';
import type { BoundConnector } from '../connector-claims.ts';
import type { DonorStatus } from '../donor.ts';
import type { PowerSource } from '../ports.ts';
import type { EnergyStatus } from '../run-energy.ts';
import { table } from './context.ts';
import { amountInWords } from './money-words.ts';
import { describeCapacity, describeDuration, describeTime } from './words.ts';

/** The document of `status --json`; docs/cli-json.md describes it. */
export interface StatusJson {
  readonly ok: true;
  readonly vehicle: string;
  readonly connected: boolean;
  readonly stationId: string | null;
  readonly connectionProblem: { readonly code: string; readonly detail: string } | null;
  readonly lending: boolean;
  readonly reason: string;
  readonly lendable: Capacity | null;
  readonly paused: boolean;
  readonly leavingAt: string | null;
  readonly hardware: HardwareProfile | null;
  readonly energy: EnergyJson;
  readonly jobs: readonly {
    readonly taskId: string;
    readonly algorithm: string;
    readonly version: string;
    readonly attempt: number;
    readonly state: string;
    readonly cpuMs: number;
  }[];
  readonly results: { readonly accepted: number; readonly refused: number };
  readonly unacknowledgedResults: number;
  readonly images: { readonly deployed: number; readonly kept: number };
  /** Where the pile believes it to be plugged in, by the code that it gave in this connection. */
  readonly connector: BoundConnector | null;
  readonly constraintProblem: { readonly detail: string; readonly hint: string } | null;
}

/** What the machine takes, or why nobody knows. */
export type EnergyJson =
  | {
      readonly measured: true;
      readonly source: PowerSource;
      readonly powerMw: number | null;
      readonly idleMw: number | null;
      readonly toldMwh: number;
      readonly toldCpuMs: number;
    }
  | { readonly measured: false; readonly detail: string; readonly hint: string };

export function statusJson(status: DonorStatus): StatusJson {
  const { lending, owner } = status;
  return {
    ok: true,
    vehicle: status.vehicleId,
    connected: status.connected,
    stationId: status.stationId ?? null,
    connectionProblem: status.down ?? null,
    lending: lending.lending,
    reason: lending.lending ? '' : lending.reason,
    lendable: lending.lending ? lending.lendable : null,
    paused: owner.paused,
    leavingAt: owner.leavingAtWallMs === undefined ? null : new Date(owner.leavingAtWallMs).toISOString(),
    hardware: status.hardware ?? null,
    energy: energyJson(status.energy),
    jobs: status.jobs.map(({ offer, state, cpuMs }) => ({
      taskId: offer.taskId,
      algorithm: offer.algorithmId,
      version: offer.algorithmVersion,
      attempt: offer.attempt,
      state,
      cpuMs: Math.round(cpuMs),
    })),
    results: status.results,
    unacknowledgedResults: status.unacknowledgedResults,
    images: status.images,
    connector: status.connector ?? null,
    constraintProblem: status.constraintProblem ?? null,
  };
}

function energyJson(energy: EnergyStatus): EnergyJson {
  if (!energy.measured) return energy;
  return { ...energy, powerMw: wholeOrNull(energy.powerMw), idleMw: wholeOrNull(energy.idleMw) };
}

function wholeOrNull(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value);
}

export function describeStatus(status: StatusJson): string {
  const lines = [
    ['vehicle', status.vehicle],
    ['pile', describePile(status)],
    ...(status.connector === null ? [] : [['connector', describeConnector(status.connector)]]),
    ['lends', status.lendable === null ? `nothing: ${status.reason}` : describeCapacity(status.lendable)],
    ...(status.constraintProblem === null
      ? []
      : [['constraint', `the pile cannot take it: ${describeProblem(status.constraintProblem)}`]]),
    ...(status.leavingAt === null ? [] : [['leaving', describeTime(new Date(status.leavingAt))]]),
    ...(status.hardware === null ? [] : [['machine', describeHardware(status.hardware)]]),
    ['power', describeEnergy(status.energy)],
    ['results', describeResults(status)],
    ['images kept', `${status.images.kept} of ${status.images.deployed} that the pile wants here`],
  ].map(([name = '', value = '']) => `${name.padEnd(13)} ${value}`);
  if (status.jobs.length === 0) return lines.join('\n');
  const rows = status.jobs.map((job) => [
    job.taskId,
    `${job.algorithm} ${job.version}`,
    String(job.attempt),
    job.state,
    describeDuration(job.cpuMs),
  ]);
  return `${lines.join('\n')}\n\n${table(['TASK', 'ALGORITHM', 'ATTEMPT', 'STATE', 'CPU'], rows)}`;
}

function describeResults({ results: { accepted, refused }, unacknowledgedResults }: StatusJson): string {
  const said = `${accepted} accepted, ${refused} not, since the start`;
  return unacknowledgedResults === 0 ? said : `${said}; ${unacknowledgedResults} kept until the pile answers`;
}

function describeEnergy(energy: EnergyJson): string {
  if (!energy.measured) return `not measured: ${energy.detail}`;
  const { source, powerMw, idleMw, toldMwh } = energy;
  const now = powerMw === null ? 'cannot be read now' : `${inWatts(powerMw)} now`;
  const idle = idleMw === null ? 'not seen at rest yet' : `${inWatts(idleMw)} at rest`;
  const by = `${source.name}: ${source.parts.join(', ')}`;
  return `${now}, ${idle} (${by}); ${amountInWords(toldMwh, 'mWh')} for others since the start`;
}

function inWatts(powerMw: number): string {
  return `${(powerMw / 1000).toFixed(1)} W`;
}

function describeProblem({ detail, hint }: NonNullable<StatusJson['constraintProblem']>): string {
  return `${detail} (${hint}); until then it offers nothing here`;
}

function describeConnector({ connectorId, assurance }: BoundConnector): string {
  return `${connectorId}, known by ${assurance}`;
}

function describePile({ connected, stationId, connectionProblem }: StatusJson): string {
  if (connected) return `connected to ${stationId ?? 'a pile'}`;
  return `not connected${connectionProblem === null ? '' : `: ${connectionProblem.detail}`}`;
}

function describeHardware({ cpuModel, cores, memoryMib, speedMillis }: HardwareProfile): string {
  return `${cores} cores (${cpuModel}, ${(speedMillis / 1000).toFixed(2)} of the reference), ${memoryMib} MiB`;
}
