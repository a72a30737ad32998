/** What a simulated vehicle lends: its owner's policy by the production rules, and the report of it where that is news. */
import type { Capacity, CapacityReport } from '@plugpool/proto';
import { decideReport, type ReportState } from '../../vehicle-client/core/hysteresis.ts';
import { decideLending, NO_LATCHES, type PolicyDecision } from '../../vehicle-client/core/policy.ts';
import { UNDISTURBED, keepQuiet } from '../../vehicle-client/core/quiet-time.ts';
import type { DonorSurroundings } from './donor-surroundings.ts';

const NOTHING: Capacity = { cpuMillicores: 0, memoryMib: 0, gpus: [] };

/** What runs there, as far as a report says it. */
export interface RunsThere {
  /** Something that still may once the owner's cause has passed. */
  mayGoOn(): boolean;
  inUse(): Omit<Capacity, 'gpus'>;
}

interface LentNow {
  readonly lending: boolean;
  readonly lendable: Capacity;
}

export class SimulatedLending {
  readonly #around: DonorSurroundings;
  readonly #runs: RunsThere;
  #decision: PolicyDecision = { latches: NO_LATCHES, lending: false, cause: 'no_sample', reason: '' };
  #quiet = UNDISTURBED;
  #reportState: ReportState = {};

  constructor(around: DonorSurroundings, runs: RunsThere) {
    this.#around = around;
    this.#runs = runs;
  }

  get decision(): PolicyDecision {
    return this.#decision;
  }

  /** What the pile was told that it may grant. */
  get told(): Capacity {
    const told = this.#reportState.last?.reported;
    return told?.lending === true ? told.lendable : NOTHING;
  }

  /** A new connection has heard nothing. */
  forgetTold(): void {
    this.#reportState = {};
  }

  decide(): PolicyDecision {
    const { policy, disk, clock } = this.#around;
    const allowed = decideLending({
      policy,
      owner: disk.owner,
      sample: this.#around.sample(),
      signals: this.#around.signals(),
      wallMs: clock.wallMs(),
      local: { weekday: 'mon', minuteOfDay: 600 },
      latches: this.#decision.latches,
    });
    const kept = keepQuiet(this.#quiet, allowed, clock.monoMs());
    this.#quiet = kept.quiet;
    this.#decision = kept.decision;
    return kept.decision;
  }

  /** The report of what was decided, where it is news or due. */
  news(): CapacityReport | undefined {
    const { disk, clock, reportEveryMs } = this.#around;
    const reported = { ...this.#lentNow(this.#decision), rest: String(disk.owner.leavingAtWallMs ?? '') };
    const decided = decideReport(this.#reportState, reported, clock.monoMs());
    // The least that the client reports is set by when the pile would hold it for stale.
    const last = this.#reportState.last;
    const isNews = (): boolean =>
      last === undefined || JSON.stringify(last.reported) !== JSON.stringify(reported);
    const isDue = last === undefined || clock.monoMs() - last.atMonoMs >= reportEveryMs;
    if (decided.report && !isDue && !isNews()) return undefined;
    this.#reportState = decided.state;
    return decided.report ? this.#report(reported) : undefined;
  }

  /** What may still go on once the owner's cause has passed keeps what it holds. */
  #lentNow(decision: PolicyDecision): LentNow {
    if (decision.lending) return { lending: true, lendable: decision.lendable };
    if (!this.#runs.mayGoOn() || this.#reportState.last?.reported.lending === false)
      return { lending: false, lendable: NOTHING };
    return { lending: true, lendable: { ...this.#runs.inUse(), gpus: [] } };
  }

  #report({ lending, lendable }: LentNow): CapacityReport {
    const { disk, clock, policy } = this.#around;
    const leavingAtWallMs = disk.owner.leavingAtWallMs ?? this.#around.signals().readyByWallMs;
    return {
      kind: 'capacity',
      lendable,
      lending,
      reason: '',
      cachedImages: [...disk.images],
      allowedAlgorithms: [],
      chargingOnly: policy.chargingOnly,
      ...(leavingAtWallMs === undefined
        ? {}
        : { departureInMs: Math.max(0, Math.round(leavingAtWallMs - clock.wallMs())) }),
    };
  }
}
