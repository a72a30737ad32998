/** What this vehicle lends now, and when the pile must hear of it. */
import { CACHED_IMAGES_MAX, type Capacity, type CapacityReport, type Digest } from '@plugpool/proto';
import { REPORT_EVERY_MIN_MS, decideReport, type Reported, type ReportState } from './core/hysteresis.ts';
import {
  NO_LATCHES,
  decideLending,
  type NotLendingCause,
  type OwnerPolicy,
  type OwnerState,
  type PolicyDecision,
} from './core/policy.ts';
import { UNDISTURBED, keepQuiet } from './core/quiet-time.ts';
import type { LendingNow } from './offer-judgement.ts';
import type { Clock, Log, Outbox, Probe, VehicleSignalsSource } from './ports.ts';

const NOTHING: Capacity = { cpuMillicores: 0, memoryMib: 0, gpus: [] };

export interface LendingOptions {
  readonly policy: OwnerPolicy;
  readonly probe: Probe;
  readonly signals: VehicleSignalsSource;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Log;
  cachedImages(): readonly Digest[];
  report(report: CapacityReport): void;
  /** Whatever runs must give way for this; undefined: it may go on. */
  press(cause: NotLendingCause | undefined): void;
  /** What runs take that may still go on once the cause has passed; undefined where there are none. */
  held(): { readonly cpuMillicores: number; readonly memoryMib: number } | undefined;
  readonly onEvent?: ((event: LendingEvent) => void) | undefined;
}

export type LendingEvent =
  | { readonly kind: 'lending'; readonly lendable: Capacity }
  | { readonly kind: 'notLending'; readonly cause: string; readonly reason: string };

export class Lending {
  readonly #options: LendingOptions;
  #owner: OwnerState = { paused: false };
  #decision: PolicyDecision;
  #quiet = UNDISTURBED;
  #reportState: ReportState = {};
  #cancelReport: (() => void) | undefined;
  #isStopped = false;

  constructor(options: LendingOptions) {
    this.#options = options;
    this.#decision = {
      latches: NO_LATCHES,
      lending: false,
      cause: 'no_sample',
      reason: 'the machine was not measured yet',
    };
  }

  start(owner: OwnerState): void {
    this.#owner = owner;
    this.#options.probe.onSample(() => this.update());
    this.update();
  }

  /** What offers are judged by: what the pile was told last, unless nothing is lent any more. */
  now(): LendingNow {
    const allowedAlgorithms = this.#options.policy.allowedAlgorithms;
    if (!this.#decision.lending) {
      return { lendable: undefined, reason: this.#decision.reason, allowedAlgorithms };
    }
    const told = this.#reportState.last?.reported;
    return {
      lendable: told?.lending ? told.lendable : this.#decision.lendable,
      reason: '',
      allowedAlgorithms,
    };
  }

  get decision(): PolicyDecision {
    return this.#decision;
  }

  get owner(): OwnerState {
    return this.#owner;
  }

  setOwner(owner: OwnerState): void {
    this.#options.outbox.keepOwnerState(owner);
    // Who says that it shall be lent again need not wait.
    if (this.#owner.paused && !owner.paused) this.#quiet = UNDISTURBED;
    this.#owner = owner;
    this.update();
  }

  /** After each welcome: the pile knows nothing of this connection yet. */
  welcomed(): void {
    this.#reportState = {};
    this.update();
  }

  /** The connection is lost: nothing counts as told. */
  lost(): void {
    this.#reportState = {};
  }

  /** What must not wait for the next sample of the machine: told now, or as soon as the last report is old enough. */
  tellChange(): void {
    if (this.#reportIfNews() === 'told' || this.#isStopped) return;
    this.#cancelReport ??= this.#options.clock.setTimer(this.#reportDueInMs(), () => {
      this.#cancelReport = undefined;
      // A timer may come a moment early: then it is planned again.
      this.tellChange();
    });
  }

  #reportDueInMs(): number {
    const lastMonoMs = this.#reportState.last?.atMonoMs ?? -Infinity;
    return Math.max(1, Math.ceil(lastMonoMs + REPORT_EVERY_MIN_MS - this.#options.clock.monoMs()));
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelReport?.();
    this.#cancelReport = undefined;
  }

  update(): void {
    const wasLending = this.#decision.lending;
    const allowed = decideLending({
      policy: this.#options.policy,
      owner: this.#owner,
      sample: this.#options.probe.latest(),
      signals: this.#options.signals.latest(),
      wallMs: this.#options.clock.wallMs(),
      local: this.#options.clock.localTime(this.#options.policy.timeZone),
      latches: this.#decision.latches,
    });
    const kept = keepQuiet(this.#quiet, allowed, this.#options.clock.monoMs());
    this.#quiet = kept.quiet;
    this.#decision = kept.decision;
    this.#options.press(kept.decision.lending ? undefined : kept.decision.cause);
    if (wasLending !== this.#decision.lending) this.#turned();
    this.tellChange();
  }

  #turned(): void {
    if (this.#decision.lending) {
      const { lendable } = this.#decision;
      this.#options.log.info({ lendable }, 'lending');
      this.#options.onEvent?.({ kind: 'lending', lendable });
      return;
    }
    const { cause, reason } = this.#decision;
    this.#options.log.info({ cause, reason }, 'lending nothing');
    this.#options.onEvent?.({ kind: 'notLending', cause, reason });
  }

  /** `owed`: there is something to tell that is no matter of more or less, and the last report is too fresh. */
  #reportIfNews(): 'told' | 'owed' {
    const cachedImages = this.#options.cachedImages().slice(-CACHED_IMAGES_MAX);
    const leavingAtWallMs = this.#leavingAtWallMs();
    const lent = this.#lentNow();
    // What is held while nothing more is lent is news by itself, however little less than before it is.
    const held = this.#decision.lending ? '' : ` held ${lent.lendable.cpuMillicores}`;
    const reported: Reported = {
      ...lent,
      rest: `${leavingAtWallMs ?? ''} ${[...cachedImages].sort().join(' ')}${held}`,
    };
    const decision = decideReport(this.#reportState, reported, this.#options.clock.monoMs());
    this.#reportState = decision.state;
    if (decision.report) this.#options.report(this.#capacityReport(reported, cachedImages, leavingAtWallMs));
    const told = decision.state.last?.reported;
    return told?.rest === reported.rest && told.lending === reported.lending ? 'told' : 'owed';
  }

  /** While the owner's cause may pass and runs with it go on, they keep what they hold, and nothing more is lent. */
  #lentNow(): Pick<Reported, 'lending' | 'lendable'> {
    if (this.#decision.lending) return { lending: true, lendable: this.#decision.lendable };
    const held = this.#options.held();
    const told = this.#reportState.last?.reported;
    if (held === undefined || told?.lending === false) return { lending: false, lendable: NOTHING };
    return { lending: true, lendable: { ...held, gpus: told?.lendable.gpus ?? [] } };
  }

  #capacityReport(
    reported: Reported,
    cachedImages: readonly Digest[],
    leavingAtWallMs: number | undefined,
  ): CapacityReport {
    const { socPercent } = this.#options.signals.latest();
    const { policy, clock } = this.#options;
    return {
      kind: 'capacity',
      lendable: reported.lendable,
      lending: reported.lending,
      reason: this.#decision.lending ? '' : this.#decision.reason,
      cachedImages,
      allowedAlgorithms: policy.allowedAlgorithms,
      ...(socPercent === undefined
        ? {}
        : { socPermille: Math.round(Math.min(100, Math.max(0, socPercent)) * 10) }),
      ...(leavingAtWallMs === undefined
        ? {}
        : { departureInMs: Math.max(0, Math.round(leavingAtWallMs - clock.wallMs())) }),
      chargingOnly: policy.chargingOnly,
      ...(policy.requestConstraint === undefined ? {} : { constraint: policy.requestConstraint }),
    };
  }

  /** What the driver said, else when the car is to be ready. */
  #leavingAtWallMs(): number | undefined {
    return this.#owner.leavingAtWallMs ?? this.#options.signals.latest().readyByWallMs;
  }
}
