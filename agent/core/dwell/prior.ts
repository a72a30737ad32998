/**
 * What a pile without any history assumes: stays as short as at public chargers, so that it grants too little rather than
 * loses work. A tenth of the stays at the chargers of Perth & Kinross Council (2016–17, OGL v3.0) end within 11 minutes, half
 * within 31, nine tenths within 254. For what follows it assumes that of those who stay, half are there at twice the time.
 */
import { MINUTE_MS } from './time-bins.ts';

/** The share of stays that last so long, at the times between which the hazard is even. */
const QUANTILES = [
  { atMs: 0, alive: 1 },
  { atMs: 11 * MINUTE_MS, alive: 0.9 },
  { atMs: 31 * MINUTE_MS, alive: 0.5 },
  { atMs: 254 * MINUTE_MS, alive: 0.1 },
] as const;
const TAIL = QUANTILES[QUANTILES.length - 1] ?? { atMs: MINUTE_MS, alive: 1 };

/** Departures a ms, on average between two times, among the stays that have lasted so long. */
export function priorHazardPerMs(fromMs: number, untilMs: number): number {
  return (cumulated(untilMs) - cumulated(fromMs)) / (untilMs - fromMs);
}

/** −ln of the share that lasts so long. */
function cumulated(ms: number): number {
  for (let next = 1; next < QUANTILES.length; next += 1) {
    const [from, to] = [QUANTILES[next - 1] ?? TAIL, QUANTILES[next] ?? TAIL];
    if (ms > to.atMs) continue;
    const share = (ms - from.atMs) / (to.atMs - from.atMs);
    return -Math.log(from.alive) + share * Math.log(from.alive / to.alive);
  }
  return -Math.log((TAIL.alive * TAIL.atMs) / ms);
}
