/** The role `lend`: one connection to a pile over which this vehicle's idle computing power is lent. Wires, decides nothing. */
import type {
  DownBody,
  HardwareProfile,
  Hello,
  Offer,
  Refused,
  RuntimeKind,
  Slot,
  VehicleId,
  Welcome,
} from '@plugpool/proto';
import { BlobPulls } from './blob-pulls.ts';
import { BlobShelf } from './blob-shelf.ts';
import type { OutputFiles } from './adapters/output-files.ts';
import { ConnectorClaims, type BoundConnector } from './connector-claims.ts';
import { Conversation } from './conversation.ts';
import { DeployedImages } from './deployed-images.ts';
import type { OwnerPolicy, OwnerState, PolicyDecision } from './core/policy.ts';
import { PlugpoolError } from './errors.ts';
import { LeasedJobs } from './leased-jobs.ts';
import type { JobEvent } from './job-event.ts';
import { Lending } from './lending.ts';
import type { LendingEvent } from './lending.ts';
import type {
  BlobCache,
  Clock,
  Link,
  LinkDown,
  Log,
  Outbox,
  PowerMeter,
  Probe,
  VehicleSignalsSource,
} from './ports.ts';
import type { Runtime } from './runtimes/port.ts';
import { PowerReports } from './power-reports.ts';
import { RunEnergy, type EnergyStatus } from './run-energy.ts';
import { UnackedResults, type AnsweredResults } from './unacked-results.ts';
import { CLIENT_VERSION } from './version.ts';

export const LEND_SLOT = 'lend' as Slot;

export interface DonorParts {
  readonly vehicleId: VehicleId;
  readonly policy: OwnerPolicy;
  /** Where it stands whenever it is here, by its owner's word. */
  readonly connector?: string | undefined;
  readonly link: Link;
  readonly probe: Probe;
  readonly signals: VehicleSignalsSource;
  readonly meter: PowerMeter;
  /** CPU time of the whole machine so far; undefined where the system does not tell. */
  readonly machineCpuMs: () => number | undefined;
  readonly outbox: Outbox;
  readonly outputs: OutputFiles;
  readonly cache: BlobCache;
  /** Started and stopped with the donor. */
  readonly runtimes: ReadonlyMap<RuntimeKind, Runtime>;
  readonly clock: Clock;
  readonly log: Log;
  readonly onEvent?: ((event: DonorEvent) => void) | undefined;
}

/** What whoever watches a donor hears. */
export type DonorEvent =
  | { readonly kind: 'connected'; readonly stationId: string }
  | ({ readonly kind: 'disconnected' } & LinkDown)
  | ({ readonly kind: 'constraintRefused' } & ConstraintProblem)
  | LendingEvent
  | JobEvent;

export interface DonorStatus {
  readonly vehicleId: VehicleId;
  readonly connected: boolean;
  readonly stationId: string | undefined;
  /** Why there is no connection. */
  readonly down: LinkDown | undefined;
  readonly lending: PolicyDecision;
  readonly owner: OwnerState;
  readonly hardware: HardwareProfile | undefined;
  /** What the machine takes, and what it took for others. */
  readonly energy: EnergyStatus;
  readonly jobs: readonly { readonly offer: Offer; readonly state: string; readonly cpuMs: number }[];
  /** What the pile said of those that were handed in, since the start. */
  readonly results: AnsweredResults;
  readonly unacknowledgedResults: number;
  /** What the pile wants kept here, and how much of it is here. */
  readonly images: { readonly deployed: number; readonly kept: number };
  /** Where the pile believes it to be plugged in, by its own claim in this connection. */
  readonly connector: BoundConnector | undefined;
  /** Why the pile cannot take the owner's constraint; until it can, it offers nothing here. */
  readonly constraintProblem: ConstraintProblem | undefined;
}

export interface ConstraintProblem {
  readonly detail: string;
  readonly hint: string;
}

export class Donor {
  readonly #parts: DonorParts;
  readonly #conversation: Conversation;
  readonly #pulls: BlobPulls;
  readonly #shelf: BlobShelf;
  readonly #results: UnackedResults;
  readonly #energy: RunEnergy;
  readonly #jobs: LeasedJobs;
  readonly #lending: Lending;
  readonly #claims: ConnectorClaims;
  readonly #power: PowerReports;
  readonly #deployed: DeployedImages;
  readonly #abort = new AbortController();
  #hardware: HardwareProfile | undefined;
  #down: LinkDown | undefined;
  #constraintProblem: ConstraintProblem | undefined;
  #stopping: Promise<void> | undefined;

  constructor(parts: DonorParts) {
    this.#parts = parts;
    const { link, clock, log, outbox, outputs, cache, runtimes } = parts;
    this.#conversation = new Conversation({
      link,
      clock,
      log,
      handlers: {
        hello: () => this.#hello(),
        welcomed: (welcome) => this.#welcomed(welcome),
        body: (body, correlationId) => this.#heard(body, correlationId),
        lost: (cause) => this.#lost(cause),
      },
    });
    const conversation = this.#conversation;
    this.#pulls = new BlobPulls(conversation, clock);
    this.#shelf = new BlobShelf(conversation);
    this.#claims = new ConnectorClaims({ conversation, clock, connector: parts.connector });
    this.#power = new PowerReports({ conversation, signals: parts.signals, clock });
    const shelf = this.#shelf;
    this.#results = new UnackedResults({ outbox, outputs, shelf, conversation, clock, log });
    this.#energy = new RunEnergy(parts);
    this.#jobs = new LeasedJobs({
      runtimes,
      cache,
      outputs,
      pulls: this.#pulls,
      shelf,
      results: this.#results,
      conversation,
      energy: this.#energy,
      clock,
      log,
      lending: () => this.#lending.now(),
      givenUp: () => this.#lending.tellChange(),
      onEvent: parts.onEvent,
    });
    this.#lending = new Lending({
      ...parts,
      cachedImages: () => cache.digests(),
      report: (report) => conversation.post(report),
      press: (cause) => this.#jobs.press(cause),
      held: () => this.#jobs.waiting(),
      onEvent: (event) => {
        parts.onEvent?.(event);
        if (event.kind === 'lending') this.#deployed.wake();
      },
    });
    this.#deployed = new DeployedImages({
      cache,
      pulls: this.#pulls,
      runtimes,
      clock,
      log,
      lending: () => this.#lending.now(),
      isAwaited: (digest) => this.#jobs.isFetching(digest),
      fetched: () => this.#lending.tellChange(),
    });
  }

  /** Takes the data directory, starts the runtimes, measures the machine, then connects. Rejects with what to do about it. */
  async start(signal: AbortSignal = new AbortController().signal): Promise<void> {
    const { outbox, outputs, cache, probe, signals, runtimes, log } = this.#parts;
    const { results, owner } = outbox.open();
    try {
      const abort = AbortSignal.any([signal, this.#abort.signal]);
      await outputs.start(new Set(results.flatMap(({ outcome }) => blobDigests(outcome))));
      await cache.start();
      await this.#results.load(results);
      await Promise.all([...runtimes.values()].map((runtime) => startRuntime(runtime, abort)));
      await signals.start(abort);
      this.#hardware = await probe.start(abort);
      this.#energy.start(this.#hardware.cores);
      probe.onSample(() => this.#energy.look());
      this.#lending.start(owner);
      log.info(
        { hardware: this.#hardware, runtimes: [...runtimes.keys()], keptResults: results.length },
        'donor started',
      );
      this.#conversation.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  status(): DonorStatus {
    return {
      vehicleId: this.#parts.vehicleId,
      connected: this.#conversation.welcome !== undefined,
      stationId: this.#conversation.welcome?.stationId,
      down: this.#down,
      lending: this.#lending.decision,
      owner: this.#lending.owner,
      hardware: this.#hardware,
      energy: this.#energy.status(),
      jobs: this.#jobs.list(),
      results: this.#results.answered,
      unacknowledgedResults: this.#results.size,
      images: this.#deployed.counts,
      connector: this.#claims.bound,
      constraintProblem: this.#constraintProblem,
    };
  }

  pause(): void {
    this.#lending.setOwner({ ...this.#lending.owner, paused: true });
  }

  /** Lends again; what was said about leaving is taken back too. */
  resume(): void {
    this.#lending.setOwner({ paused: false });
  }

  leaving(atWallMs: number): void {
    this.#lending.setOwner({ ...this.#lending.owner, leavingAtWallMs: atWallMs });
  }

  /** The code on the pile's display; rejects with what the pile says. */
  plugCode(code: string, connector?: string): Promise<BoundConnector> {
    return this.#claims.plugCode(code, connector);
  }

  /** Ends what runs, says so, keeps on disk what the pile has not acknowledged, disconnects. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#abort.abort(new Error('the donor was stopped'));
    this.#lending.stop();
    const fetchesEnded = this.#deployed.stop();
    await this.#jobs.stop();
    this.#pulls.stop();
    await fetchesEnded;
    await this.#conversation.stop();
    this.#claims.lost();
    this.#power.stop();
    await this.#parts.probe.stop();
    await this.#parts.signals.stop();
    await Promise.all([...this.#parts.runtimes.values()].map((runtime) => runtime.stop()));
    this.#results.stop();
    this.#parts.outbox.close();
  }

  #hello(): Hello {
    return {
      kind: 'hello',
      clientVersion: CLIENT_VERSION,
      hardware: this.#hardware as HardwareProfile,
      held: [...this.#jobs.leases(), ...this.#results.leases()],
      runtimes: [...this.#parts.runtimes.keys()],
    };
  }

  #welcomed(welcome: Welcome): void {
    this.#down = undefined;
    this.#constraintProblem = undefined;
    this.#parts.log.info(
      { stationId: welcome.stationId, epoch: welcome.epoch, leaseMs: welcome.leaseMs },
      'welcomed',
    );
    this.#parts.onEvent?.({ kind: 'connected', stationId: welcome.stationId });
    this.#jobs.welcomed(welcome.leaseMs, welcome.drop);
    this.#results.sendAllAgain();
    this.#pulls.connected();
    this.#lending.welcomed();
    this.#claims.welcomed();
  }

  #lost(cause: LinkDown): void {
    this.#parts.log.warn(
      { event: 'disconnected', code: cause.code, detail: cause.detail },
      'no connection to the pile; trying again',
    );
    this.#down = cause;
    this.#parts.onEvent?.({ kind: 'disconnected', ...cause });
    this.#lending.lost();
    this.#claims.lost();
    this.#power.stop();
    this.#results.keepAll();
  }

  #heard(body: Exclude<DownBody, Welcome>, correlationId: number): void {
    switch (body.kind) {
      case 'offer':
        return this.#jobs.offered(body);
      case 'deploy':
        return this.#deployed.deployed(body);
      case 'resultAck':
        return this.#results.acknowledged(body);
      case 'checkpointAck':
        return this.#jobs.checkpointAcknowledged(body);
      case 'renewed':
        return this.#jobs.renewed(correlationId, body);
      case 'revoke':
        return this.#jobs.revoked(body);
      case 'blobChunk':
        return this.#pulls.chunk(correlationId, body);
      case 'blobRefused':
        return this.#pulls.refused(correlationId, body);
      case 'blobPull':
        return void this.#shelf.answer(body, correlationId);
      case 'connectorBound':
        return this.#claims.heard(body, correlationId);
      case 'watchPower':
        return this.#power.watch(body);
      case 'refused':
        return this.#refused(body, correlationId);
      case 'accepted':
      case 'delivery':
      case 'taskUpdate':
      case 'earningsReport':
      case 'statusReport':
        this.#parts.log.warn({ kind: body.kind }, 'the pile sent a donor what only requesters hear');
    }
  }

  #refused(refused: Refused, correlationId: number): void {
    const { reasons } = refused;
    if (this.#claims.refused(refused, correlationId)) return;
    if (this.#results.refused(correlationId, refused) || this.#jobs.refused(correlationId, refused)) return;
    const problem = reasons.find(({ code }) => code === 'constraint_invalid');
    if (problem === undefined) {
      this.#parts.log.warn({ reasons }, 'the pile refused something');
      return;
    }
    // Every report carries the constraint, and is answered so.
    if (this.#constraintProblem?.detail === problem.detail) return;
    const { detail, hint } = problem;
    this.#constraintProblem = { detail, hint };
    this.#parts.log.warn(
      { event: 'constraintRefused', detail, hint },
      "the pile cannot take the owner's constraint, and offers nothing here",
    );
    this.#parts.onEvent?.({ kind: 'constraintRefused', detail, hint });
  }
}

async function startRuntime(runtime: Runtime, signal: AbortSignal): Promise<void> {
  try {
    await runtime.start(signal);
  } catch (error) {
    const hint =
      error instanceof Error && 'hint' in error
        ? String(error.hint)
        : 'leave it out of `runtimes` to lend without it';
    throw new PlugpoolError({
      code: 'runtime_unavailable',
      message: `the runtime "${runtime.kind}" cannot start: ${error instanceof Error ? error.message : String(error)}`,
      hint,
      retryable: false,
      cause: error,
    });
  }
}

function blobDigests(outcome: Parameters<UnackedResults['add']>[0]['outcome']) {
  return outcome.ok && outcome.output.where === 'blob' ? [outcome.output.blob.digest] : [];
}
