/** What an operator sees, as plain data; computed from the state, changes nothing. docs/cli-json.md is the contract. */
import { trustSummary, type TrustSummary } from './replicas/trust-view.ts';
import type { Capacity, Now, TaskId, VehicleId } from '@plugpool/proto';
import {
  phaseOf,
  sessionOf,
  whyNotEligible,
  whySessionForbids,
  type DonorPhase,
  type Ineligible,
} from './donors/donor.ts';
import { drainingView, type DrainingView } from './donors/draining.ts';
import type { AlgorithmClass, Feature } from './algorithms/feature.ts';
import { profileOf } from './algorithms/profile.ts';
import { isVerified } from './sessions/session.ts';
import { isCutOff, isFresh, type HeardSource } from './sessions/sources.ts';
import type { Counters } from './counters.ts';
import type { Donor, State, Task } from './state.ts';
import { capView, type CapView } from './power/cap-view.ts';
import { budgetView, type BudgetView } from './power/station-budget.ts';
import { probabilityToFinish } from './dwell/stay.ts';
import { STAY_MAX_MS } from './dwell/time-bins.ts';
import { priorityOf, type Priority } from './tasks/priority.ts';
import type { AlgorithmRecord, TaskRecord } from './records.ts';
import type { Settings } from './settings.ts';
import { quorumInWords, quorumView } from './explain/quorum-view.ts';
import { nameOf, statusOf } from './tasks/status.ts';

export interface StatusView {
  readonly stationId: string;
  readonly clientsConnected: number;
  readonly donorsEligible: number;
  readonly capacity: { readonly lendable: CapacitySum; readonly free: CapacitySum };
  readonly tasks: { readonly queued: number; readonly running: number; readonly undelivered: number };
  readonly connectors: number;
  readonly algorithms: number;
  readonly draining: DrainingView;
  readonly power: BudgetView | null;
  readonly counters: Counters;
}

export interface CapacitySum {
  readonly cpuMillicores: number;
  readonly memoryMib: number;
  readonly gpuMillis: number;
}

export function statusView(state: State, now: Now): StatusView {
  const eligible = [...state.donors.values()].filter((d) => whyNotEligible(state, d, now) === undefined);
  const tasks = { queued: 0, running: 0, undelivered: 0 };
  for (const task of state.tasks.values()) tasks[stageOf(task)] += 1;
  return {
    stationId: state.settings.stationId,
    clientsConnected: state.clients.size,
    donorsEligible: eligible.length,
    capacity: { lendable: sumOf(eligible.map((d) => d.lendable)), free: sumOf(eligible.map((d) => d.free)) },
    tasks,
    connectors: state.sessions.size,
    algorithms: state.algorithms.size,
    draining: drainingView(state),
    power: budgetView(state),
    counters: { ...state.counters },
  };
}

function stageOf(task: Task): 'queued' | 'running' | 'undelivered' {
  if (task.end !== undefined) return 'undelivered';
  return task.instances.some((instance) => instance.lease !== undefined) ? 'running' : 'queued';
}

function sumOf(capacities: readonly Capacity[]): CapacitySum {
  let [cpuMillicores, memoryMib, gpuMillis] = [0, 0, 0];
  for (const capacity of capacities) {
    cpuMillicores += capacity.cpuMillicores;
    memoryMib += capacity.memoryMib;
    for (const gpu of capacity.gpus) gpuMillis += gpu.shareMillis;
  }
  return { cpuMillicores, memoryMib, gpuMillis };
}

export interface VehicleView {
  readonly vehicleId: VehicleId;
  readonly phase: DonorPhase | 'asks';
  /** Why it may not be granted anything now; null where it may. */
  readonly ineligible: Ineligible | null;
  readonly connectorId: string | null;
  readonly session: string | null;
  readonly cpuModel: string | null;
  readonly speedMillis: number | null;
  readonly lendable: Capacity;
  readonly free: Capacity;
  readonly runs: readonly TaskId[];
  readonly openTasks: number;
  readonly policy: string | null;
  readonly departureInMs: number | null;
  /** As it was last reviewed; null where nobody is plugged in or lends. */
  readonly stay: StayView | null;
  /** Whether its results are believed. */
  readonly trust: TrustSummary;
}

/** How likely it stays, as matching reckons with it. */
export interface StayView {
  readonly tenMinutesMillis: number;
  readonly hourMillis: number;
  /** It stays for longer as likely as not. */
  readonly medianMs: number;
}

export function vehiclesView(state: State, now: Now): VehicleView[] {
  const lenders = new Map<VehicleId, VehicleView>();
  for (const donor of state.donors.values()) {
    const session = sessionOf(state, donor.vehicleId);
    lenders.set(donor.vehicleId, {
      vehicleId: donor.vehicleId,
      phase: phaseOf(state, donor, now),
      ineligible: whyNotEligible(state, donor, now) ?? null,
      connectorId: session?.connectorId ?? null,
      session: session?.state ?? null,
      cpuModel: donor.hardware?.cpuModel ?? null,
      speedMillis: donor.hardware?.speedMillis ?? null,
      lendable: donor.lendable,
      free: donor.free,
      runs: [...donor.leased.values()].map((instance) => instance.task.record.taskId),
      openTasks: state.openTasksOf.get(donor.vehicleId)?.size ?? 0,
      policy: donor.report?.reason ?? null,
      departureInMs:
        donor.departureMonoMs === undefined ? null : Math.round(donor.departureMonoMs - now.monoMs),
      stay: stayView(state, donor, now),
      trust: trustSummary(state, donor.vehicleId, now),
    });
  }
  for (const { name } of state.clients.values())
    if (!lenders.has(name.vehicleId)) lenders.set(name.vehicleId, requesterView(state, name.vehicleId, now));
  return [...lenders.values()];
}

function stayView(state: State, donor: Donor, now: Now): StayView | null {
  const { stay, clientId, report } = donor;
  const isThere = whySessionForbids(state, donor, now) !== 'not_plugged';
  if (!isThere || clientId === undefined || report === undefined) return null;
  const millis = (ms: number): number => Math.floor(1000 * probabilityToFinish(stay, [ms], 0, now));
  const medianMs = stay.residual.longestMs(0.5) - (now.monoMs - stay.reviewedMonoMs);
  return {
    tenMinutesMillis: millis(10 * 60_000),
    hourMillis: millis(3_600_000),
    medianMs: Math.round(Math.min(STAY_MAX_MS, Math.max(0, medianMs))),
  };
}

function requesterView(state: State, vehicleId: VehicleId, now: Now): VehicleView {
  const none = { cpuMillicores: 0, memoryMib: 0, gpus: [] };
  return {
    vehicleId,
    phase: 'asks',
    ineligible: 'not_connected',
    connectorId: state.connectorOf.get(vehicleId) ?? null,
    session: sessionOf(state, vehicleId)?.state ?? null,
    cpuModel: null,
    speedMillis: null,
    lendable: none,
    free: none,
    runs: [],
    openTasks: state.openTasksOf.get(vehicleId)?.size ?? 0,
    policy: null,
    departureInMs: null,
    stay: null,
    trust: trustSummary(state, vehicleId, now),
  };
}

export interface ConnectorView {
  readonly connectorId: string;
  readonly state: string;
  readonly verified: boolean;
  readonly link: 'up' | 'lost';
  readonly sinceWallMs: number;
  readonly vehicleId: VehicleId | null;
  readonly assurance: string | null;
  /** In its stay another vehicle was named as well. */
  readonly disputed: boolean;
  /** Of this stay, for whoever stands there and is not known surely enough; null where none is wanted. */
  readonly code: string | null;
  readonly socPermille: number | null;
  readonly powerMw: number | null;
  readonly energyMwh: number | null;
  readonly faultReason: string | null;
  readonly cap: CapView | null;
  /** Whose last reading was not believed, and why. */
  readonly doubted: readonly { readonly field: string; readonly value: number; readonly why: string }[];
  readonly sources: readonly SourceView[];
}

/** One adapter that speaks of the connector. */
export interface SourceView {
  readonly name: string;
  readonly link: 'up' | 'lost';
  /** Null where it is not lost, or heard again and silent yet. */
  readonly lostReason: string | null;
  readonly fresh: boolean;
  readonly heardAgoMs: number;
  readonly says: 'plugged' | 'unplugged' | null;
  /** Of what it said last, by its own clock. */
  readonly sourceWallMs: number | null;
}

export function connectorsView(state: State, now: Now): ConnectorView[] {
  return [...state.sessions.values()].map((session) => ({
    connectorId: session.connectorId,
    state: session.state,
    verified: isVerified(session, now),
    link: isCutOff(session.sources) ? ('lost' as const) : ('up' as const),
    sinceWallMs: session.sinceWallMs,
    vehicleId: session.identity?.vehicleId ?? null,
    assurance: session.identity?.assurance ?? null,
    disputed: session.disputed === true,
    code: state.codes.of.get(session.connectorId)?.code ?? null,
    socPermille: session.socPermille ?? null,
    powerMw: session.powerMw ?? null,
    energyMwh: session.energyMwh ?? null,
    faultReason: session.faultReason ?? null,
    cap: capView(state, session.connectorId, now),
    doubted: Object.values(session.doubted ?? {}),
    sources: session.sources.map((source) => sourceView(source, now)),
  }));
}

function sourceView(source: HeardSource, now: Now): SourceView {
  const { name, link, lostReason = null, heardMonoMs, says = null, sourceWallMs = null } = source;
  const heardAgoMs = Math.round(now.monoMs - heardMonoMs);
  const fresh = isFresh(source, now);
  return { name, link, lostReason, fresh, heardAgoMs, says, sourceWallMs };
}

export interface TaskView {
  readonly taskId: TaskId;
  readonly requestId: string;
  readonly requester: VehicleId;
  readonly algorithm: string;
  readonly state: string;
  readonly donor: VehicleId | null;
  readonly attempts: number;
  readonly progressPermille: number;
  readonly acceptedWallMs: number;
  readonly endedWallMs: number | null;
  readonly reason: string | null;
  /** Whose word it still needs, in words. */
  readonly waitsFor: string | null;
  readonly delivered: boolean;
  readonly priority: Priority;
  readonly parts: number;
  readonly payer: string;
}

/** What of a request decides who goes first. */
export function precedenceOf(
  { wants, vehicleId }: Pick<TaskRecord, 'wants' | 'vehicleId'>,
  settings: Settings,
): Pick<TaskView, 'priority' | 'parts' | 'payer'> {
  return {
    priority: priorityOf(wants, settings),
    parts: wants?.instances ?? 1,
    payer: wants?.payer ?? vehicleId,
  };
}

/** The tasks in memory: those that have not ended, and those whose requesters have not acknowledged the end. */
export function openTasksView(state: State): TaskView[] {
  return [...state.tasks.values()].map((task) => {
    const status = statusOf(task);
    const lease = task.instances.find((instance) => instance.lease !== undefined)?.lease;
    const quorum = quorumView(state, task);
    return {
      taskId: task.record.taskId,
      requestId: task.record.requestId,
      requester: task.record.vehicleId,
      algorithm: status.algorithmId === '' ? nameOf(task) : status.algorithmId,
      state: status.state,
      donor: lease?.vehicleId ?? task.end?.donor ?? null,
      attempts: status.attempts,
      progressPermille: status.progressPermille,
      acceptedWallMs: task.record.acceptedWallMs,
      endedWallMs: task.end?.endedWallMs ?? null,
      reason: status.reason === '' ? null : status.reason,
      waitsFor: quorum === null ? null : quorumInWords(quorum),
      delivered: false,
      ...precedenceOf(task.record, state.settings),
    };
  });
}

export interface AlgorithmView extends AlgorithmRecord {
  readonly algorithmClass: AlgorithmClass;
  /** Millionths of the reference machine. */
  readonly feature: Feature;
  /** Accepted results that the feature was learned from. */
  readonly learnedRuns: number;
}

export function algorithmsView(state: State): AlgorithmView[] {
  return [...state.algorithms.values()]
    .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
    .map((algorithm) => {
      const { algorithmClass, feature, learned } = profileOf(state, algorithm);
      return { ...algorithm, algorithmClass, feature, learnedRuns: learned.runs };
    });
}
