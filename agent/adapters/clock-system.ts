/** The Clock port on this machine's clocks. */
import type { Clock } from '../ports.ts';

/** 24 days: Node fires a longer timer at once. Firing early is harmless: whoever set it looks at the time again. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => ({ monoMs: performance.now(), wallMs: Date.now() }),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, TIMER_MS_MAX));
    return () => clearTimeout(timer);
  },
};
