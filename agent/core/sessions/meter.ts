/** What a connector's meter saw since somebody plugged in. Only differences count, of readings that were believed. Pure. */
import type { Now } from '@plugpool/proto';

export interface Meter {
  /** Whose register it is: two sources count from different beginnings. */
  readonly source: string;
  readonly registerMwh: number;
  readonly readMonoMs: number;
  /** Since the first reading, over readings that were believed. */
  readonly seenMwh: number;
  /** Readings that were not (firmware-bridge/plausibility.ts): across one of them nothing is known. */
  readonly breaks: number;
  /** The last reading was none to believe: the next one begins anew. */
  readonly isBroken?: true;
}

const MS_PER_HOUR = 3_600_000;

export function withReading(
  meter: Meter | undefined,
  { registerMwh, source }: { readonly registerMwh: number; readonly source: string },
  now: Now,
): Meter {
  const read = { source, registerMwh, readMonoMs: now.monoMs };
  if (meter === undefined) return { ...read, seenMwh: 0, breaks: 0 };
  if (meter.source !== source) return { ...read, seenMwh: meter.seenMwh, breaks: meter.breaks + 1 };
  // A lower register that nobody doubted is not known to come; were it to, the sum must not shrink.
  const grewMwh = meter.isBroken === true ? 0 : Math.max(0, registerMwh - meter.registerMwh);
  return { ...read, seenMwh: meter.seenMwh + grewMwh, breaks: meter.breaks };
}

/** After a reading that was not believed. */
export function broken(meter: Meter): Meter {
  return { ...meter, breaks: meter.breaks + 1, isBroken: true };
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
