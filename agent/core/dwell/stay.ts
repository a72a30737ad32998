/**
 * How long a donor will stay, as it was last reviewed: at each change of its session, and again when the stay grew by so much
 * that the past says something else. Between reviews nothing becomes possible that was not, so nobody need look again.
 */
import type { Now } from '@plugpool/proto';
import { StepResidual, type Residual } from './residual.ts';
import { PRIORITIES } from '../tasks/priority.ts';
import type { Settings } from '../settings.ts';

export interface Stay {
  readonly residual: Residual;
  readonly reviewedMonoMs: number;
  /** From the review: nothing longer is placed there, however low the bar. */
  readonly mayStayMs: number;
}

/** Of a donor whose client has said nothing yet. */
export const NO_STAY: Stay = {
  residual: new StepResidual(0),
  reviewedMonoMs: 0,
  mayStayMs: 0,
};

/** A run that checkpoints may be longer than the stay probably is. */
function lowestBarMillis({ checkpoints, stayBarMillis }: Settings): number {
  return checkpoints ? 1 : Math.min(...PRIORITIES.map((priority) => stayBarMillis[priority]));
}

export function stayOf(residual: Residual, settings: Settings, now: Now): Stay {
  const lowestBar = lowestBarMillis(settings) / 1000;
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

/** How much of a run that starts now is expected to be done before its donor leaves. */
export function expectedProgressMs(
  { residual, reviewedMonoMs }: Stay,
  runMs: number,
  transferMs: number,
  now: Now,
): number {
  const fromMs = now.monoMs - reviewedMonoMs + transferMs;
  return residual.meanUntilMs(fromMs + runMs) - residual.meanUntilMs(fromMs);
}

/** A departure that is stated for so soon is taken at its word: habit tells when a stay ends, a driver who packs up knows. */
const LEAVING_SOON_MS = 30 * 60_000;

export function leavingSoon(residual: Residual, statedInMs: number | undefined): Residual {
  if (statedInMs === undefined || statedInMs <= 0 || statedInMs > LEAVING_SOON_MS) return residual;
  return {
    survives: (ms) => (ms <= statedInMs ? residual.survives(ms) : 0),
    longestMs: (p) => (p > 0 ? Math.min(statedInMs, residual.longestMs(p)) : Infinity),
    meanUntilMs: (ms) => residual.meanUntilMs(Math.min(statedInMs, ms)),
    hazardPerMs: (ms) => (ms < statedInMs ? residual.hazardPerMs(ms) : Infinity),
  };
}

const REVIEW_MIN_MS = 60_000;
const REVIEW_MAX_MS = 900_000;

/** Who has been there for long is judged anew less often: what the past says of him changes more slowly. */
export function nextReviewInMs(elapsedMs: number): number {
  return Math.min(REVIEW_MAX_MS, Math.max(REVIEW_MIN_MS, elapsedMs / 8));
}
