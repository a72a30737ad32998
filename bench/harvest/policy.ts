/** What a scheduler must offer to run in the simulated world: ours and every baseline implement it; types only. */
import type { HarvestTask, Vector } from './work.ts';

/** A vehicle that lends, as a scheduler may know it: when it will leave is not among it. */
export interface Donor {
  /** Counts the stays. */
  readonly number: number;
  readonly vehicle: string;
  readonly connector: string;
  readonly pluggedMs: number;
  readonly whole: Vector;
  free: Vector;
  /** When energy stopped, once it did. */
  chargingEndedMs: number | undefined;
  /** When it will leave: what its driver stated, or, for the clairvoyant, the truth. */
  readonly statedDepartureMs: number | undefined;
  readonly running: Set<Attempt>;
}

/** A task that has not ended, as it stands. */
export interface OpenTask {
  readonly task: HarvestTask;
  /** What a checkpoint keeps of it. */
  doneMs: number;
  /** When it was started first. */
  firstStartMs: number | undefined;
  attempt: Attempt | undefined;
}

export interface Attempt {
  readonly open: OpenTask;
  readonly donor: Donor;
  readonly startedMs: number;
  readonly fromMs: number;
  /** Between two checkpoints; Infinity: only when told to stop. */
  readonly checkpointEveryMs: number;
}

export type AttemptEnd = 'completed' | 'lost' | 'stopped' | 'deadline';

export type Decision =
  | {
      readonly kind: 'start';
      readonly open: OpenTask;
      readonly donor: Donor;
      readonly checkpointEveryMs?: number;
    }
  /** Told to stop, with a grace to write a checkpoint in. */
  | { readonly kind: 'stop'; readonly attempt: Attempt };

/** A stay that was over before the window began. */
export interface PastStay {
  readonly connector: string;
  readonly pluggedMs: number;
  readonly chargingEndMs: number;
  readonly unpluggedMs: number;
  readonly statedDepartureMs: number | undefined;
}

/**
 * Contract: the world tells what happened at one moment in any number of calls, then asks `decide` once. A decision that does not
 * fit, or starts what runs, is a fault of the policy and ends the run. Waiting tasks that can no longer end in time are
 * withdrawn by the world (`withdrawn`), for every policy alike.
 */
export interface Policy {
  readonly name: string;
  learn(past: readonly PastStay[]): void;
  arrived(donor: Donor, nowMs: number): void;
  chargingEnded(donor: Donor, nowMs: number): void;
  /** Its attempts have ended already. */
  left(donor: Donor, nowMs: number): void;
  submitted(open: OpenTask, nowMs: number): void;
  /** A task whose attempt was lost or stopped waits again. */
  ended(attempt: Attempt, how: AttemptEnd, nowMs: number): void;
  withdrawn(open: OpenTask, nowMs: number): void;
  /** Each decision is carried out at once. */
  decide(nowMs: number, act: (decision: Decision) => void): void;
  /** When it wants to be asked even if nothing happens. */
  nextWakeMs(nowMs: number): number | undefined;
}
