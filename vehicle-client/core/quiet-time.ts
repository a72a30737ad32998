/**
 * How long a vehicle must be left in peace before it lends again: a driver who switches on and off every few seconds would make
 * a donor that comes and goes, and whose every run is lost.
 *
 *   lending ──► stopped ⇄ settling ──► lending
 *
 * `stopped` the car or its driver forbids it; `settling` nothing forbids it any more, and the quiet time runs; it grows with each
 * stop that follows another within the calm. What an owner says or sets (a pause, hours) is no restlessness. Pure.
 */
import type { NotLendingCause, PolicyDecision } from './policy.ts';

export const QUIET_MIN_MS = 5_000;
export const QUIET_MAX_MS = 5 * 60_000;
/** After so long without a stop the next one is a first one again. */
export const CALM_MS = 10 * 60_000;

export interface QuietTime {
  /** Stops that followed each other within the calm. */
  readonly stops: number;
  readonly lastMonoMs: number;
  /** While it is not lent for a restless cause, or has just not been. */
  readonly stopped?: { readonly cause: NotLendingCause; readonly clearSinceMonoMs?: number };
}

export const UNDISTURBED: QuietTime = { stops: 0, lastMonoMs: -Infinity };

const RESTLESS: ReadonlySet<NotLendingCause> = new Set<NotLendingCause>([
  'ignition_on',
  'not_charging',
  'too_hot',
  'battery_low',
  'ready_by',
]);

export function quietMsAfter(stops: number): number {
  return stops === 0 ? 0 : Math.min(QUIET_MAX_MS, QUIET_MIN_MS * 2 ** (stops - 1));
}

/** The decision as it stands once the quiet time is kept. */
export function keepQuiet(
  quiet: QuietTime,
  decision: PolicyDecision,
  nowMonoMs: number,
): { readonly quiet: QuietTime; readonly decision: PolicyDecision } {
  if (!decision.lending) return { quiet: stop(quiet, decision.cause, nowMonoMs), decision };
  const { stopped, stops } = quiet;
  if (stopped === undefined) return { quiet, decision };
  const clearSinceMonoMs = stopped.clearSinceMonoMs ?? nowMonoMs;
  const leftMs = clearSinceMonoMs + quietMsAfter(stops) - nowMonoMs;
  if (leftMs <= 0) {
    return { quiet: { stops, lastMonoMs: quiet.lastMonoMs }, decision };
  }
  return {
    quiet: { ...quiet, stopped: { cause: stopped.cause, clearSinceMonoMs } },
    decision: {
      latches: decision.latches,
      lending: false,
      cause: 'settling',
      reason: `${WORDS[stopped.cause] ?? 'it was needed'} a moment ago: it is lent again in ${Math.ceil(leftMs / 1000)} s`,
    },
  };
}

function stop(quiet: QuietTime, cause: NotLendingCause, nowMonoMs: number): QuietTime {
  const { stopped, stops, lastMonoMs } = quiet;
  // What the owner says hides the restless cause, and does not end it.
  if (!RESTLESS.has(cause)) return quiet;
  if (stopped !== undefined && stopped.clearSinceMonoMs === undefined)
    return { stops, lastMonoMs: nowMonoMs, stopped: { cause } };
  const isFirst = nowMonoMs - lastMonoMs >= CALM_MS;
  return { stops: isFirst ? 1 : stops + 1, lastMonoMs: nowMonoMs, stopped: { cause } };
}

const WORDS: Readonly<Partial<Record<NotLendingCause, string>>> = {
  ignition_on: 'the ignition was on',
  not_charging: 'it did not charge',
  too_hot: 'it was too hot',
  battery_low: 'the battery was low',
  ready_by: 'the battery was behind its target',
};
