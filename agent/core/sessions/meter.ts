/** What a connector's meter saw since somebody plugged in. Only differences count, and only those that can be true. Pure. */
import type { Now } from '@plugpool/proto';
import { CHARGING_POWER_MW_MAX } from '../limits.ts';

export interface Meter {
  readonly registerMwh: number;
  readonly readMonoMs: number;
  /** Since the first reading, over readings that can be true. */
  readonly seenMwh: number;
  /** Readings that cannot: across one of them nothing is known. */
  readonly breaks: number;
}

const MS_PER_HOUR = 3_600_000;
/** Readings are gathered and sent late: so much of the time between two of them may be missing. */
const LATE_MS_MAX = 120_000;

/** A register that runs backwards, begins anew or jumps is believed again from where it is now. */
export function withReading(meter: Meter | undefined, registerMwh: number, now: Now): Meter {
  const read = { registerMwh, readMonoMs: now.monoMs };
  if (meter === undefined) return { ...read, seenMwh: 0, breaks: 0 };
  const grewMwh = registerMwh - meter.registerMwh;
  const mostMwh = ((now.monoMs - meter.readMonoMs + LATE_MS_MAX) * CHARGING_POWER_MW_MAX) / MS_PER_HOUR;
  if (grewMwh < 0 || grewMwh > mostMwh) return { ...read, seenMwh: meter.seenMwh, breaks: meter.breaks + 1 };
  return { ...read, seenMwh: meter.seenMwh + grewMwh, breaks: meter.breaks };
}

/**
 * The most that can have flowed between two looks at a meter; undefined where it cannot tell. What was drawn before the first of
 * them counts too, back to the reading that it knew; since the last reading, `powerMw` may have flowed.
 */
export function mostMwhSince(
  before: Meter | undefined,
  meter: Meter | undefined,
  powerMw: number,
  since: { readonly monoMs: number },
  now: Now,
): number | undefined {
  if (before === undefined || meter === undefined || before.breaks !== meter.breaks) return undefined;
  const unreadMs = now.monoMs - Math.max(meter.readMonoMs, since.monoMs);
  return meter.seenMwh - before.seenMwh + (Math.max(0, unreadMs) * powerMw) / MS_PER_HOUR;
}
