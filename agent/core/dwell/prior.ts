/**
 * What a pile without any history assumes: stays as short as at public chargers, so that it grants too little rather than
 * loses work. A tenth of the stays at the chargers of Perth & Kinross Council (2016–17, OGL v3.0) end within 11 minutes, half
 * within 31, nine tenths within 254. For what follows it assumes that of those who stay, half are there at twice the time.
 */
import { DAY_MS, MINUTE_MS } from './time-bins.ts';

interface Piece {
  readonly untilMs: number;
  readonly hazardPerMs: number;
}

const PIECES: readonly Piece[] = [
  piece(0, 11 * MINUTE_MS, 1, 0.9),
  piece(11 * MINUTE_MS, 31 * MINUTE_MS, 0.9, 0.5),
  piece(31 * MINUTE_MS, 254 * MINUTE_MS, 0.5, 0.1),
];

/** The constant hazard that takes the share of those still there from `alive` to `left`. */
function piece(fromMs: number, untilMs: number, alive: number, left: number): Piece {
  return { untilMs, hazardPerMs: Math.log(alive / left) / (untilMs - fromMs) };
}

/** Departures a ms among the stays that have lasted `elapsedMs`. */
export function priorHazardPerMs(elapsedMs: number): number {
  for (const { untilMs, hazardPerMs } of PIECES) if (elapsedMs < untilMs) return hazardPerMs;
  // Half are left at twice the time where S(t) ∝ 1/t, whose hazard is 1/t.
  return 1 / Math.min(DAY_MS, elapsedMs);
}
