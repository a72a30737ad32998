/** The kinds of values that settings have: durations, counts, percentages, shares, paths; each with its default and its bounds. */
import { DURATION_MS_MAX } from '@plugpool/proto';
import { z } from 'zod';
import { formatDuration, parseDurationMs } from './duration.ts';

export function duration(defaultMs: number, minMs: number, maxMs = DURATION_MS_MAX) {
  return durationText(minMs, maxMs).default(formatDuration(defaultMs));
}

/** Without a default, to be `optional()`: with one, zod puts the default in all the same. */
export function durationText(minMs: number, maxMs = DURATION_MS_MAX) {
  return z.string('must be a duration such as 15s').superRefine((text, context) => {
    const ms = parseDurationMs(text);
    if (ms === undefined)
      context.addIssue(`${JSON.stringify(text)} is no duration; write a number and ms, s, min, h or d: 15s`);
    else if (ms < minMs || ms > maxMs)
      context.addIssue(
        `${text} is out of bounds; between ${formatDuration(minMs)} and ${formatDuration(maxMs)}`,
      );
  });
}

export const path = z.string().min(1).max(4096);

/** Of a text that the schema has passed. */
export function ms(text: string): number {
  const parsed = parseDurationMs(text);
  if (parsed === undefined) throw new Error(`the schema let ${text} pass as a duration`);
  return parsed;
}

export function count(defaultCount: number, min: number, max: number) {
  return z.int().min(min).max(max).default(defaultCount);
}

export function percent(defaultMillis: number, min: number, max: number) {
  return z
    .number()
    .min(min)
    .max(max)
    .multipleOf(0.1)
    .default(defaultMillis / 10);
}

/** A part of 1, to the thousandth: what the core counts in. A percentage is the mistake to expect. */
export function share(defaultMillis: number, minMillis: number, maxMillis: number) {
  const bounds = `between ${minMillis / 1000} and ${maxMillis / 1000}`;
  return z
    .number(`must be a part of 1, ${bounds}`)
    .superRefine((value, context) => {
      const millis = Math.round(value * 1000);
      if (millis < minMillis || millis > maxMillis)
        context.addIssue(`${value} is out of bounds; write a part of 1, ${bounds}: 0.8 is 80 %`);
      else if (Math.abs(value * 1000 - millis) > 1e-6)
        context.addIssue(`${value} is too fine; three digits after the point are the most`);
    })
    .default(defaultMillis / 1000);
}

/** Checked by the very code that will read it later. */
export function checkedBy(check: (text: string) => void) {
  return (text: string, context: z.RefinementCtx<string>): void => {
    try {
      check(text);
    } catch (error) {
      context.addIssue(error instanceof Error ? error.message : String(error));
    }
  };
}
