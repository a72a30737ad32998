/** The time that an adapter lives in, as a port, so that a test advances it instead of waiting. */

/** 24 days: Node fires a longer timer at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

export interface FirmwareClock {
  /** Stamps events. ms since 1970; it may jump when somebody sets the machine's clock. */
  nowWallMs(): number;
  /** Paces events. ms since some moment; it never jumps. */
  nowMonoMs(): number;
  /**
   * Calls `fire` once, after `delayMs` (at most `TIMER_MS_MAX`) or a little later, never before this call returned.
   * Returns what cancels it.
   */
  setTimer(delayMs: number, fire: () => void): () => void;
}

export const systemClock: FirmwareClock = {
  nowWallMs: () => Date.now(),
  nowMonoMs: () => performance.now(),
  setTimer(delayMs, fire) {
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
};
