/** The machine's own clocks. */
import { WEEKDAYS, type LocalTime } from '../core/policy.ts';
import type { Clock } from '../ports.ts';

export const systemClock: Clock = {
  monoMs: () => performance.now(),
  wallMs: () => Date.now(),
  localTime: () => localTimeOf(new Date()),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

export function localTimeOf(date: Date): LocalTime {
  return {
    // JavaScript's week begins on Sunday, ours on Monday.
    weekday: WEEKDAYS[(date.getDay() + 6) % 7] ?? 'mon',
    minuteOfDay: date.getHours() * 60 + date.getMinutes(),
  };
}
