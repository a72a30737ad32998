/** `--from` and `--to`: the time that an export is of. */
import { InvalidArgumentError, type Command } from 'commander';
import { CliError } from './context.ts';

export interface TimeSpan {
  readonly from?: number;
  readonly to?: number;
}

export const FAR_WALL_MS = 8.64e15;

export function withTimeSpan(command: Command): Command {
  return command
    .option(
      '--from <time>',
      'from this time on: 2026-11-01, or with 2026-11-01T12:00Z a time of the day',
      time,
    )
    .option('--to <time>', 'before this time', time);
}

/** A day is meant in UTC, as bookings are written. */
function time(text: string): number {
  const isTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const wallMs = isTime ? Date.parse(text) : NaN;
  // 2026-02-30 is a form, and no day.
  if (Number.isFinite(wallMs) && (text.length > 10 || new Date(wallMs).toISOString().startsWith(text)))
    return wallMs;
  throw new InvalidArgumentError('It must be a day such as 2026-11-01, or a time such as 2026-11-01T12:00Z.');
}

/** Of no time there is nothing: an empty file would pass for a month in which nothing was. */
export function refuseNoTime({ from = 0, to = FAR_WALL_MS }: TimeSpan): void {
  if (from < to) return;
  const [begin, end] = [from, to].map((wallMs) => new Date(wallMs).toISOString());
  throw new CliError(
    'invalid_argument',
    `nothing lies between --from ${begin} and --to ${end}`,
    'give a --to after --from; --to itself is not in it: 2026-11-01 to 2026-12-01 is all of November',
  );
}
