/** Reads numbers, ids and durations from a command line; what cannot be right is wrong usage. */
import { InvalidArgumentError } from 'commander';
import { ID_PATTERN, NAME_PATTERN, VERSION_PATTERN } from '@plugpool/proto';
import { parseDurationMs } from '../config/duration.ts';
import type { Comparison } from '../core/records.ts';

export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

export function positive(max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,12}(\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
    if (value > 0 && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number above 0, at most ${max}.`);
  };
}

/** Percent, as a dashboard shows it; thousandths from here on. */
export function percentAsPermille(text: string): number {
  const value = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 10) : NaN;
  if (value <= 1000) return value;
  throw new InvalidArgumentError('It must be a percentage from 0 to 100.');
}

export function durationMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new InvalidArgumentError('It must be a duration such as 90min or 2h.');
}

const FORMATS = ['float32', 'float64', 'json'] as const;

/** How two outputs compare. */
export function comparison(text: string): Comparison {
  if (text === 'bytes') return { by: 'bytes' };
  const [by, format, given, ...more] = text.split(':');
  const found = FORMATS.find((each) => each === format);
  const tolerance = /^\d{1,3}(\.\d{1,12})?(e-?\d{1,3})?$/.test(given ?? '') ? Number(given) : NaN;
  if (by === 'numbers' && found !== undefined && more.length === 0 && tolerance >= 0 && tolerance <= 1)
    return { by, format: found, tolerance };
  throw new InvalidArgumentError(
    'It must be bytes, or numbers:FORMAT:TOLERANCE with a FORMAT of float32, float64 or json and a TOLERANCE from 0 to 1, such as numbers:float32:1e-5.',
  );
}

export function vehicleId(text: string): string {
  return matching(text, ID_PATTERN, 'It must be 1 to 64 letters, digits, "_" and "-".');
}

export function taskId(text: string): string {
  return matching(text, ID_PATTERN, 'It must be a task id; "plugpool tasks" lists them.');
}

export function algorithmName(text: string): string {
  return matching(text, NAME_PATTERN, 'It must be 1 to 64 lower-case letters, digits, ".", "_" and "-".');
}

export function algorithmVersion(text: string): string {
  return matching(text, VERSION_PATTERN, 'It must be 1 to 32 letters, digits, ".", "+", "_" and "-".');
}

function matching(text: string, pattern: RegExp, problem: string): string {
  if (pattern.test(text)) return text;
  throw new InvalidArgumentError(problem);
}
