/** When a running job must be gone at latest: the pile's grace, the owner's, whichever ends first. */
import type { NotLendingCause } from './policy.ts';

/** No pile may make a job linger for longer than this after it was revoked. */
export const GRACE_MAX_MS = 10 * 60 * 1000;

/** What the vehicle itself grants a running job once its owner's policy stops lending. */
export function ownGraceMs(cause: NotLendingCause): number {
  switch (cause) {
    // The owner is at the wheel, or the machine is in danger: nothing may go on.
    case 'ignition_on':
    case 'too_hot':
      return 0;
    case 'paused':
      return 2_000;
    case 'battery_low':
    case 'not_charging':
    case 'ready_by':
    case 'leaving':
      return 10_000;
    // Nobody needs the processor back this minute: what runs may end.
    case 'outside_hours':
    case 'no_sample':
      return 60_000;
  }
}

/** A later notice never gives a job more time than an earlier one. */
export function killAtMs(current: number | undefined, nowMonoMs: number, graceMs: number): number {
  const at = nowMonoMs + Math.min(Math.max(0, graceMs), GRACE_MAX_MS);
  return current === undefined ? at : Math.min(current, at);
}
