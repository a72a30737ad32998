/**
 * What drivers state of their departure. Assumed: a third leave the form's 8 hours as they are, and the others overstate by a
 * median of more than two hours. It is said to be so in a public set (ACN-Data: Lee, Li, Low, e-Energy '19); not compared by us.
 */
import type { Chance } from './chance.ts';

const MINUTE_MS = 60_000;
const ROUND_MS = 15 * MINUTE_MS;
const FORM_DEFAULT_MS = 8 * 3_600_000;

/** Assumed: that so many state anything. */
const STATES = 0.8;
const KEEPS_DEFAULT = 1 / 3;
/** Assumed: that so many of the others leave later than they said. */
const UNDERSTATES = 0.15;

export function stateDeparture(pluggedMs: number, unpluggedMs: number, chance: Chance): number | undefined {
  if (chance.uniform() >= STATES) return undefined;
  if (chance.uniform() < KEEPS_DEFAULT) return pluggedMs + FORM_DEFAULT_MS;
  const overstatedMs =
    chance.uniform() < UNDERSTATES
      ? -chance.lognormal(25 * MINUTE_MS, 0.8)
      : chance.lognormal(170 * MINUTE_MS, 0.8);
  const roundMs = Math.round((unpluggedMs + overstatedMs) / ROUND_MS) * ROUND_MS;
  // 8 hours by chance would not be told from a default.
  const statedMs = roundMs === pluggedMs + FORM_DEFAULT_MS ? roundMs + ROUND_MS : roundMs;
  return Math.max(statedMs, Math.ceil((pluggedMs + 1) / ROUND_MS) * ROUND_MS);
}
