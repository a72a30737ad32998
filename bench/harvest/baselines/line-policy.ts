/** What all baselines share: a line of waiting tasks, a list of donors, and one rule that says who starts where. */
import type { Attempt, AttemptEnd, Decision, Donor, OpenTask, PastStay, Policy } from '../policy.ts';

export type Start = (open: OpenTask, donor: Donor) => void;

export interface Line {
  /** Oldest first; who lost its donor is as old as it was. */
  readonly waiting: ReadonlySet<OpenTask>;
  /** Longest plugged in first. */
  readonly donors: readonly Donor[];
  /** By payer: what its running tasks hold of a vehicle, in all. */
  readonly held: ReadonlyMap<number, number>;
  readonly nowMs: number;
}

export type Rule = (line: Line, start: Start) => void;

interface LineOptions {
  /** Decides only at each full cycle; absent: whenever something happens. */
  readonly cycleMs?: number;
}

export class LinePolicy implements Policy {
  readonly name: string;
  readonly #rule: Rule;
  readonly #options: LineOptions;
  readonly #waiting = new Set<OpenTask>();
  readonly #held = new Map<number, number>();
  #donors: Donor[] = [];
  #changed = false;

  constructor(name: string, rule: Rule, options: LineOptions = {}) {
    this.name = name;
    this.#rule = rule;
    this.#options = options;
  }

  learn(_past: readonly PastStay[]): void {
    // None of these schemes asks when a donor will leave.
  }

  arrived(donor: Donor): void {
    this.#donors.push(donor);
    this.#changed = true;
  }

  chargingEnded(): void {
    // … nor whether it still charges.
  }

  left(donor: Donor): void {
    this.#donors = this.#donors.filter((other) => other !== donor);
  }

  submitted(open: OpenTask): void {
    this.#waiting.add(open);
    this.#changed = true;
  }

  ended({ open }: Attempt, how: AttemptEnd): void {
    const { payer, dominant } = open.task;
    this.#held.set(payer, (this.#held.get(payer) ?? 0) - dominant);
    if (how === 'lost' || how === 'stopped') this.#waitAgain(open);
    this.#changed = true;
  }

  withdrawn(open: OpenTask): void {
    this.#waiting.delete(open);
    this.#changed = true;
  }

  decide(nowMs: number, act: (decision: Decision) => void): void {
    const { cycleMs } = this.#options;
    if (!this.#changed || (cycleMs !== undefined && nowMs % cycleMs !== 0)) return;
    this.#changed = false;
    const line = { waiting: this.#waiting, donors: this.#donors, held: this.#held, nowMs };
    this.#rule(line, (open, donor) => {
      const { payer, dominant } = open.task;
      this.#waiting.delete(open);
      this.#held.set(payer, (this.#held.get(payer) ?? 0) + dominant);
      act({ kind: 'start', open, donor, checkpointEveryMs: CHECKPOINT_EVERY_MS });
    });
  }

  nextWakeMs(nowMs: number): number | undefined {
    const { cycleMs } = this.#options;
    return cycleMs === undefined ? undefined : (Math.floor(nowMs / cycleMs) + 1) * cycleMs;
  }

  /** In its old place. */
  #waitAgain(open: OpenTask): void {
    const younger = [...this.#waiting].filter((other) => other.task.submittedMs > open.task.submittedMs);
    this.#waiting.add(open);
    for (const other of younger) {
      this.#waiting.delete(other);
      this.#waiting.add(other);
    }
  }
}

/** For a scheme that knows no hazard: a usual interval. */
const CHECKPOINT_EVERY_MS = 10 * 60_000;
