/**
 * How long a donor will stay, as it was last reviewed: at each change of its session, and again when the stay grew by so much
 * that the past says something else. Between reviews nothing becomes possible that was not, so nobody need look again.
 */
import type { Now } from '@plugpool/proto';
import { PRIORITIES } from './priority.ts';
import type { Settings } from './settings.ts';

/** The distribution of what is left of a stay, as the dwell model gives it. */
export interface Residual {
  /** P(residual dwell ≥ ms): 1 at 0, never rises. */
  survives(ms: number): number;
  /** The largest ms with `survives(ms)` ≥ p. */
  longestMs(p: number): number;
}

export interface Stay {
  readonly residual: Residual;
  readonly reviewedMonoMs: number;
  /** From the review: nothing longer is placed there, however low the bar. */
  readonly mayStayMs: number;
}

/** Of a donor whose client has said nothing yet. */
export const NO_STAY: Stay = {
  residual: { survives: (ms) => (ms <= 0 ? 1 : 0), longestMs: () => 0 },
  reviewedMonoMs: 0,
  mayStayMs: 0,
};

export function stayOf(residual: Residual, settings: Settings, now: Now): Stay {
  const lowestBar = Math.min(...PRIORITIES.map((priority) => settings.stayBarMillis[priority])) / 1000;
  return { residual, reviewedMonoMs: now.monoMs, mayStayMs: residual.longestMs(lowestBar) };
}

/** P(the donor is still there when a run that starts now ends), over both distributions. */
export function probabilityToFinish(
  stay: Stay,
  runMs: readonly number[],
  transferMs: number,
  now: Now,
): number {
  const sinceMs = now.monoMs - stay.reviewedMonoMs;
  let sum = 0;
  for (const each of runMs) sum += stay.residual.survives(sinceMs + transferMs + each);
  return sum / runMs.length;
}

/** Whoever leaves at a known time, or never. */
export function certainStay(untilMs: number | undefined): Residual {
  const ms = untilMs === undefined ? Infinity : Math.max(0, untilMs);
  return { survives: (forMs) => (forMs <= ms ? 1 : 0), longestMs: () => ms };
}
