/** What a connector's meter tells since somebody plugged in. Only differences count, of readings that were believed. Pure. */
import type { Now } from '@plugpool/proto';

export interface Meter {
  /** Whose register it is: two sources count from different beginnings. */
  readonly source: string;
  /** The highest that was believed since the last break. */
  readonly registerMwh: number;
  readonly readMonoMs: number;
  /** How often it was another source, or a reading was not believed (firmware-bridge/plausibility.ts): across that nothing is known. */
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
  if (meter === undefined) return { ...read, breaks: 0 };
  if (meter.source !== source) return { ...read, breaks: meter.breaks + 1 };
  if (meter.isBroken === true) return { ...read, breaks: meter.breaks };
  // Some tell whole Wh after they told a fraction more, and nobody doubts it: what was counted does not shrink.
  return { ...read, registerMwh: Math.max(meter.registerMwh, registerMwh), breaks: meter.breaks };
}

/** After a reading that was not believed. */
export function broken(meter: Meter): Meter {
  return { ...meter, breaks: meter.breaks + 1, isBroken: true };
}

/**
 * The most that can have flowed since the meter stood at `registerMwh`, with no break since. What was drawn between that reading and
 * `sinceMonoMs` counts too; since the last reading, `powerMw` may have flowed.
 */
export function mostMwhSince(
  registerMwh: number,
  meter: Meter,
  powerMw: number,
  sinceMonoMs: number,
  now: Now,
): number {
  const unreadMs = Math.max(0, now.monoMs - Math.max(meter.readMonoMs, sinceMonoMs));
  return meter.registerMwh - registerMwh + (unreadMs * powerMw) / MS_PER_HOUR;
}
