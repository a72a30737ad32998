/** The machine's own clocks. */
import { WEEKDAYS, type LocalTime } from '../core/policy.ts';
import type { Clock } from '../ports.ts';

export const systemClock: Clock = {
  monoMs: () => performance.now(),
  wallMs: () => Date.now(),
  localTime: (timeZone) => localTimeOf(new Date(), timeZone),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

export function localTimeOf(date: Date, timeZone?: string): LocalTime {
  return timeZone === undefined ? machineTimeOf(date) : zonedTimeOf(date, timeZone);
}

function machineTimeOf(date: Date): LocalTime {
  return {
    // JavaScript's week begins on Sunday, ours on Monday.
    weekday: WEEKDAYS[(date.getDay() + 6) % 7] ?? 'mon',
    minuteOfDay: date.getHours() * 60 + date.getMinutes(),
  };
}

/** Asked every few seconds: a tenth of a millisecond for the format is nothing. */
function zonedTimeOf(date: Date, timeZone: string): LocalTime {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    weekday: 'short',
    hour: 'numeric',
    minute: 'numeric',
    hourCycle: 'h23',
  });
  const said = new Map(format.formatToParts(date).map(({ type, value }) => [type, value]));
  return {
    weekday: WEEKDAYS.find((day) => day === said.get('weekday')?.toLowerCase()) ?? 'mon',
    minuteOfDay: Number(said.get('hour')) * 60 + Number(said.get('minute')),
  };
}
